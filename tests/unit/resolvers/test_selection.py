"""What a document asks for, known before anything is loaded."""

import pytest
from graphql import parse

from resolvers.graph import graphql_schema
from resolvers.selection import selected_types


@pytest.mark.parametrize(
    ("selection", "loads"),
    [
        ("number", set()),
        ("planning { priority }", {"OrderPlanning"}),
        ("p: planning { priority }", {"OrderPlanning"}),
        ("status", {"OrderPlanning", "OrderExecution", "OrderPosting", "QualityHold"}),
        ("... on ProductionOrder { execution { percentComplete } }", {"OrderExecution"}),
        ("...F", {"OrderPosting"}),
        ("materials { staged { value } }", {"MaterialRequirement", "MaterialStaging", "Quantity"}),
    ],
)
def test_the_classes_of_a_document(selection: str, loads: set[str]) -> None:
    """Edges, the needs of facts, aliases and fragments all count."""
    text = f'{{ productionOrder(id: "x") {{ {selection} }} }}'
    text += " fragment F on ProductionOrder { posting { fullyPosted } }" if "...F" in selection else ""
    found = {cls.__name__ for cls in selected_types(graphql_schema(), parse(text))}
    assert found == {"ProductionOrder", *loads}


def test_a_field_that_does_not_exist_is_no_trouble() -> None:
    """Documents are looked at after validation, yet an unknown field is only ignored."""
    assert selected_types(graphql_schema(), parse("{ nope { deeper } }")) == frozenset()
