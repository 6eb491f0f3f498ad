"""Document limits: what is hostile is refused in no time, what is honest passes."""

import time
from dataclasses import replace

import pytest
from graphql import FragmentDefinitionNode, get_introspection_query, parse

from gateway.limits import DocumentLimits, DocumentRefused, check_document, measure_fragments

LIMITS = DocumentLimits()


def refused(text: str, limits: DocumentLimits = LIMITS) -> DocumentRefused:
    """The refusal of a document, which must come within a quarter of a second."""
    document = parse(text)
    started = time.perf_counter()
    with pytest.raises(DocumentRefused) as caught:
        check_document(document, limits)
    assert time.perf_counter() - started < 0.25
    return caught.value


def chain(links: int, fan: int, leaf: str = "leaf") -> str:
    """Fragments that each spread the next one several times."""
    parts = [f"fragment F{links} on T {{ {leaf} }}"]
    for i in range(links):
        parts.append(f"fragment F{i} on T {{ {' '.join([f'...F{i + 1}'] * fan)} }}")
    return "{ a { ...F0 } } " + " ".join(parts)


def test_forty_levels_are_too_deep() -> None:
    """A relation followed forty times is refused by its depth."""
    assert refused("{ a " + "{ b " * 40 + "}" * 40 + "}").code == "QUERY_TOO_DEEP"


def test_forty_levels_through_fragments_are_too_deep() -> None:
    """Depth counts through fragments and inline fragments, which add none of their own."""
    parts = [f"fragment F{i} on T {{ b {{ ... on T {{ ...F{i + 1} }} }} }}" for i in range(40)]
    error = refused("{ ...F0 } fragment F40 on T { leaf } " + " ".join(parts))
    assert (error.code, "41 levels" in str(error)) == ("QUERY_TOO_DEEP", True)


def test_twenty_aliased_fan_outs_are_too_many() -> None:
    """Twenty fragments that each spread the next under two aliases would be a million fields."""
    parts = [f"fragment F{i} on T {{ x: b {{ ...F{i + 1} }} y: b {{ ...F{i + 1} }} }}" for i in range(20)]
    wide = replace(LIMITS, max_depth=100)
    error = refused("{ a { ...F0 } } fragment F20 on T { leaf } " + " ".join(parts), wide)
    assert error.code == "TOO_MANY_ALIASES"


def test_thirty_doubling_fragments_are_too_large() -> None:
    """Thirty chained fragments that double are a billion fields, refused without walking them."""
    error = refused(chain(30, 2))
    assert (error.code, "more than a billion" in str(error)) == ("QUERY_TOO_LARGE", True)


def test_fragments_without_fields_cost_too() -> None:
    """Doubling spreads that lead to nothing at all are counted as well."""
    assert (
        refused(
            "{ a { ...F0 } } "
            + " ".join(f"fragment F{i} on T {{ ...F{i + 1} ...F{i + 1} }}" for i in range(30))
        ).code
        == "QUERY_TOO_LARGE"
    )


def test_a_thousand_chained_fragments_do_not_exhaust_the_stack() -> None:
    """A long chain is measured without recursion and passes."""
    check_document(parse(chain(1000, 1)), replace(LIMITS, max_fragments=2000))
    assert refused(chain(1000, 1)).code == "TOO_MANY_FRAGMENTS"


@pytest.mark.parametrize(
    "text",
    [
        "{ ...A } fragment A on T { ...A }",
        "{ ...A } fragment A on T { a { ...B } } fragment B on T { b { ...A } }",
        "{ a } fragment A on T { a }",
        "{ ...A } fragment A on T { a } fragment A on T { b }",
    ],
)
def test_broken_fragments_are_invalid(text: str) -> None:
    """Cycles, unused and doubled fragments are refused before anything walks them."""
    assert refused(text).code == "GRAPHQL_VALIDATION_FAILED"


def test_root_fields_are_counted_through_fragments() -> None:
    """Root fields hidden in fragments are root fields."""
    text = "{ ...A ...A } fragment A on Query { a b c }"
    assert refused(text, replace(LIMITS, max_root_fields=5)).code == "TOO_MANY_ROOT_FIELDS"
    check_document(parse(text), replace(LIMITS, max_root_fields=6))


def test_operations_are_summed() -> None:
    """A document cannot hide its size by spreading it over operations."""
    text = " ".join(f"query Q{i} {{ a b c }}" for i in range(4))
    assert refused(text, replace(LIMITS, max_fields=11)).code == "QUERY_TOO_LARGE"
    check_document(parse(text), replace(LIMITS, max_fields=12))


def test_repeated_fields_are_bounded_by_their_pairs() -> None:
    """Validation compares each pair of fields under one name; their number is bounded, also when nested."""
    assert refused("{ a { " + "x " * 1000 + "} }").code == "QUERY_TOO_LARGE"
    assert refused("{ a { " + "x { y } " * 400 + "} }").code == "QUERY_TOO_LARGE"
    check_document(parse("{ a { " + " ".join(f"x{i}" for i in range(2000)) + "} }"), LIMITS)


def test_introspection_passes() -> None:
    """The standard introspection query of code generators and GraphiQL is within the limits."""
    check_document(
        parse(get_introspection_query(specified_by_url=True, input_value_deprecation=True)), LIMITS
    )


def test_a_measure_says_what_it_counts() -> None:
    """Depth, fields, aliases and roots of a fragment, with what it spreads."""
    document = parse("fragment A on T { x: a { b ...B } ...B } fragment B on T { c { d: e } }")
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    measure = measure_fragments(fragments)["A"]
    assert (measure.depth, measure.fields, measure.aliases, measure.roots) == (3, 6, 3, 2)
