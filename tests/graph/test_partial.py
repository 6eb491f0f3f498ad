"""A dead system costs its own group, nothing else, and the answer says who, why and since when."""

import pytest

from schema.errors import (
    MappingError,
    SourceError,
    SourceForbidden,
    SourceNotMapped,
    SourceRefused,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from tests.graph.fakes import ask, context, data
from tests.graph.plant import number, systems

ORDER = f'productionOrder(id: "po:1710/{number(0)}")'
GROUPS = """{ number status planning { quantity { value } } posting { received { value } } execution { good { value } }
  holds { number } sources { system { code } group outcome message retryAfterSeconds affectedFields lastGoodAt } }"""
ERRORS = [
    (SourceUnavailable("down"), "UNAVAILABLE"),
    (SourceTimeout("late"), "TIMEOUT"),
    (SourceThrottled("slow down", retry_after=2.5), "RATE_LIMITED"),
    (SourceForbidden("no"), "NOT_AUTHORIZED"),
    (SourceRefused("bad request"), "UNAVAILABLE"),
    (SourceNotMapped("not here"), "NOT_MAPPED"),
    (MappingError("odd"), "MAPPING_ERROR"),
]


@pytest.mark.parametrize(("error", "outcome"), ERRORS, ids=lambda value: type(value).__name__)
async def test_a_failing_system_costs_its_group_only(error: SourceError, outcome: str) -> None:
    """Whatever the MES raises, its group is null with the reason, and the others are whole."""
    plant = systems()
    plant.mes.fault = error
    found = (await data(context(*plant.all), f"{{ {ORDER} {GROUPS} }}"))["productionOrder"]
    assert found["execution"] is None
    assert found["planning"] == {"quantity": {"value": "100"}}
    assert found["posting"] == {"received": {"value": "50"}}
    assert found["holds"] == []
    [blamed] = [s for s in found["sources"] if s["outcome"] not in ("OK", "NOT_FOUND")]
    assert (blamed["system"]["code"], blamed["group"], blamed["outcome"]) == ("MES", "execution", outcome)
    assert blamed["affectedFields"] == ["status", "execution"]
    assert blamed["message"]
    if outcome == "RATE_LIMITED":
        assert blamed["retryAfterSeconds"] == 3


async def test_since_when_a_system_is_silent_is_said() -> None:
    """A system that answered before and fails now carries the time of its last good answer."""
    plant = systems()
    ctx = context(*plant.all)
    await data(ctx, f"{{ {ORDER} {{ execution {{ good {{ value }} }} }} }}")
    plant.mes.fault = SourceRefused("no")
    later = context(*plant.all)
    later.systems = ctx.systems
    later.loaders = type(later.loaders)(ctx.systems.route, {}, later.bounds)
    document = f"{{ {ORDER} {{ execution {{ good {{ value }} }} sources {{ outcome lastGoodAt }} }} }}"
    [status] = [
        s for s in (await data(later, document))["productionOrder"]["sources"] if s["outcome"] != "OK"
    ]
    assert status["lastGoodAt"] is not None


async def test_one_bad_key_costs_one_row() -> None:
    """An error for one key of a batch leaves the other rows whole."""
    plant = systems()
    plant.mes.cell_faults[f"1710/{number(2)}"] = MappingError("odd")
    document = "{ productionOrders(first: 6) { nodes { number execution { good { value } } } } }"
    nodes = (await data(context(*plant.all), document))["productionOrders"]["nodes"]
    assert [node["execution"] is not None for node in nodes] == [True, False, False, False, True, False]


async def test_the_next_tier_answers_where_the_first_cannot() -> None:
    """With the ERP down, the MES still knows the order."""
    plant = systems()
    plant.erp.fault = SourceUnavailable("down")
    document = f"{{ {ORDER} {{ number execution {{ good {{ value }} }} planning {{ priority }} status }} }}"
    found = (await data(context(*plant.all), document))["productionOrder"]
    assert found == {
        "number": number(0),
        "execution": {"good": {"value": "50"}},
        "planning": None,
        "status": "IN_PROGRESS",
    }


async def test_an_item_is_known_by_its_number_when_its_owner_is_down() -> None:
    """What only the ERP knows is a stub: its number and id, nothing invented."""
    plant = systems()
    plant.erp.fault = SourceUnavailable("down")
    document = f"{{ {ORDER} {{ item {{ id number description baseUnit }} }} }}"
    item = (await data(context(*plant.all), document))["productionOrder"]["item"]
    assert item == {"id": "item:FG-0", "number": "FG-0", "description": None, "baseUnit": None}


async def test_a_root_nobody_can_answer_is_null_with_the_reason() -> None:
    """A root whose owner is down is null without an error; the extensions name who and why."""
    plant = systems()
    plant.erp.fault = SourceUnavailable("The ERP is down.")
    result = await ask(
        context(*plant.all),
        '{ item(number: "FG-0") { number } lot(item: "item:RM-1", number: "L1") { number } }',
    )
    assert result.errors is None
    assert result.data == {"item": None, "lot": None}
    assert result.extensions is not None
    entries = result.extensions["sources"]
    assert [(entry["path"], entry["system"], entry["outcome"]) for entry in entries] == [
        (["item"], "ERP", "UNAVAILABLE"),
        (["lot"], "ERP", "UNAVAILABLE"),
    ]


async def test_everything_down_is_still_an_answer() -> None:
    """With every system down there is no error, and the list says that it is partial."""
    plant = systems()
    for system in plant.all:
        system.fault = SourceUnavailable("down")
    document = (
        "{ productionOrders { nodes { number } totalCount partial sources { system { code } outcome } } }"
    )
    found = (await data(context(*plant.all), document))["productionOrders"]
    assert found["nodes"] == []
    assert found["partial"] is True
    assert found["totalCount"] is None
    assert {s["system"]["code"] for s in found["sources"]} == {"ERP", "MES"}


async def test_sources_sees_through_aliases_and_fragments() -> None:
    """``sources`` speaks of what stands beside it, by whatever name and in whatever fragment."""
    plant = systems()
    document = f"""{{ card: {ORDER} {{ plan: planning {{ priority }} ...Floor ... on ProductionOrder {{ holds {{ number }} }}
        who: sources {{ group }} }} }} fragment Floor on ProductionOrder {{ run: execution {{ good {{ value }} }} }}"""
    found = await data(context(*plant.all), document)
    assert [s["group"] for s in found["card"]["who"]] == ["planning", "execution", "holds"]


async def test_sources_alone_speaks_of_the_owners() -> None:
    """Where nothing else is selected, ``sources`` answers for the owner groups."""
    found = await data(context(*systems().all), f"{{ {ORDER} {{ sources {{ group }} }} }}")
    assert [s["group"] for s in found["productionOrder"]["sources"]] == [
        "planning",
        "execution",
        "posting",
        "holds",
    ]
