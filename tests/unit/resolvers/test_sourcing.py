"""What ``sources`` speaks of, and in which words."""

import pytest

from resolvers.graph import build_schema
from resolvers.loaders import Answer
from resolvers.sourcing import lacking, needed_edges, statuses, worse
from resolvers.trail import camel, snake
from schema.base import SourceOutcome, SourceStatus
from schema.errors import SourceThrottled
from schema.production import ProductionOrder
from tests.graph.fakes import context, data
from tests.graph.plant import systems
from tests.unit.resolvers.making import NOTHING, SILENT, known

ROOT = 'productionOrder(id: "po:1710/1000000")'


def groups(found: list[dict[str, str]]) -> list[str]:
    """The groups spoken of."""
    return [status["group"] for status in found]


@pytest.mark.parametrize(
    ("beside", "spoken"),
    [
        ("planning { priority }", ["planning"]),
        ("a: planning { priority } b: planning { priority }", ["planning"]),
        ("... { posting { fullyPosted } }", ["posting"]),
        ("... on ProductionOrder { ...F }", ["execution"]),
        (
            "planning { priority @skip(if: true) } execution @include(if: false) { percentComplete }",
            ["planning"],
        ),
        ("... @skip(if: true) { posting { fullyPosted } } holds { number }", ["holds"]),
        ("statusBasis { conflict }", ["planning", "execution", "posting", "holds"]),
        ("number", ["planning", "execution", "posting", "holds"]),
    ],
)
async def test_the_groups_beside_are_spoken_of(beside: str, spoken: list[str]) -> None:
    """Aliases, fragments, inline fragments and directives are read as the executor reads them."""
    text = f"{{ x: {ROOT} {{ {beside} s: sources {{ group }} }} }}"
    text += " fragment F on ProductionOrder { execution { percentComplete } }" if "...F" in beside else ""
    found = (await data(context(*systems().all), text))["x"]["s"]
    assert sorted(groups(found)) == sorted(spoken)


async def test_each_object_speaks_for_itself() -> None:
    """Two aliases of one root with other selections have other sources."""
    text = f"{{ a: {ROOT} {{ planning {{ priority }} sources {{ group }} }} b: {ROOT} {{ holds {{ number }} sources {{ group }} }} }}"
    found = await data(context(*systems().all), text)
    assert (groups(found["a"]["sources"]), groups(found["b"]["sources"])) == (["planning"], ["holds"])


async def test_what_nothing_can_answer_yet_is_said() -> None:
    """A field that no part of the gateway fills is NOT_MAPPED by the gateway itself, with the reason."""
    text = (
        f"{{ {ROOT} {{ exceptions {{ message }} sources {{ system {{ code }} group outcome message }} }} }}"
    )
    found = (await data(context(*systems().all), text))["productionOrder"]
    assert found["exceptions"] is None
    [status] = [s for s in found["sources"] if s["group"] == "exceptions"]
    assert (status["system"]["code"], status["outcome"], bool(status["message"])) == (
        "GATEWAY",
        "NOT_MAPPED",
        True,
    )


def test_a_fact_needs_its_edges() -> None:
    """A computed field is behind several edges, an edge behind several fields."""
    build_schema()
    needed = needed_edges(ProductionOrder, ["status", "planning", "number"])
    assert needed["planning"] == ["status", "planning"]
    assert set(needed) == {"planning", "execution", "posting", "holds"}


def test_an_answer_in_words() -> None:
    """A value is OK, its absence NOT_FOUND, a failure its outcome with the fields it costs and the wait, rounded up."""
    ctx = context()
    assert [s.outcome for s in statuses(ctx, "in_flight", known(1))] == [SourceOutcome.OK]
    assert [s.outcome for s in statuses(ctx, "in_flight", NOTHING)] == [SourceOutcome.NOT_FOUND]
    [silent] = statuses(ctx, "in_flight", SILENT)
    assert (silent.outcome, silent.group, silent.affected_fields) == (
        SourceOutcome.UNAVAILABLE,
        "inFlight",
        ("inFlight",),
    )
    slow = Answer[int](None, ("X",), (("X", SourceThrottled("later", retry_after=1.2)),))
    [status] = statuses(ctx, "wip", slow, ["status", "wip_value"])
    assert (status.retry_after_seconds, status.affected_fields) == (2, ("status", "wipValue"))


@pytest.mark.parametrize("name", ["planning", "status_basis", "consumed_mes", "in_flight_movements"])
def test_names_go_there_and_back(name: str) -> None:
    """The graph's spelling and the model's are one name."""
    assert snake(camel(name)) == name


def test_the_graver_of_two_statuses() -> None:
    """What is missing is graver than what is old, and that graver than what is well; of equals the first stays."""
    well = SourceStatus("ERP", "item", SourceOutcome.OK)
    unknown = SourceStatus("ERP", "item", SourceOutcome.NOT_FOUND)
    old = SourceStatus("ERP", "item", SourceOutcome.STALE)
    withheld = SourceStatus("ERP", "item", SourceOutcome.STALE, affected_fields=("item",))
    down = SourceStatus("ERP", "item", SourceOutcome.UNAVAILABLE)
    assert worse(None, well) is well
    assert worse(well, unknown) is well
    for light, grave in ((well, old), (unknown, down), (old, withheld), (old, down)):
        assert worse(light, grave) is worse(grave, light) is grave
    assert worse(withheld, down) is withheld
    assert [lacking(status) for status in (well, unknown, old, withheld, down)] == [False] * 3 + [True] * 2
