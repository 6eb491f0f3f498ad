"""Stock compared over systems, and genealogy, through the graph."""

from typing import Any

from schema.errors import SourceUnavailable
from schema.material import LotTransformation
from tests.graph.fakes import NOW, context, data, hops, said
from tests.graph.plant import Systems, systems

STOCK = """{ inventoryPositions(filter: {items: ["item:RM-1"] %s}) { nodes { plant { code } lot { number } book { value unit }
  physical { value unit exact } wip { value } inFlight { value } unexplained { value } verdict comparableAt
  balances { view location { code } } inFlightMovements { document } sources { system { code } group outcome } }
  totalCount partial sources { system { code } group outcome } } }"""
TRACE = """{ trace(root: "lot:RM-1/L1", direction: %s%s) { root { number } nodes { id depth } edges { from to }
  affectedLots { number } affectedShipments { number } onHand { onHand { value unit } } complete truncated
  gaps { after reason system { code } } } }"""


async def stock(plant: Systems, more: str = "") -> dict[str, Any]:
    """The positions of the rod."""
    found: dict[str, Any] = (await data(context(*plant.all), STOCK % more))["inventoryPositions"]
    return found


async def trace(plant: Systems, direction: str, more: str = "") -> dict[str, Any]:
    """The trace of lot L1."""
    found: dict[str, Any] = (await data(context(*plant.all), TRACE % (direction, more)))["trace"]
    return found


async def test_boxes_and_pieces_are_compared_by_the_items_factor() -> None:
    """100 pieces in the books are 9 boxes of ten on the shelf and one box on its way: explained by timing."""
    ctx = context(*systems().all)
    [position] = (await data(ctx, STOCK % ""))["inventoryPositions"]["nodes"]
    assert position["book"] == {"value": "100", "unit": "H87"}
    assert position["physical"] == {"value": "90", "unit": "H87", "exact": True}
    assert (position["inFlight"], position["unexplained"]) == ({"value": "-10"}, {"value": "0"})
    assert position["verdict"] == "EXPLAINED_BY_TIMING"
    assert [m["document"] for m in position["inFlightMovements"]] == ["M1"]
    assert len(hops(ctx)) == len(set(hops(ctx)))


async def test_without_a_factor_nothing_is_compared() -> None:
    """A unit nobody can convert makes the position NOT_COMPARABLE, never one to one."""
    plant = systems()
    plant.erp.rows = [row for row in plant.erp.rows if getattr(row, "number", "") != "RM-1"]
    [position] = (await stock(plant))["nodes"]
    assert position["verdict"] == "NOT_COMPARABLE"
    assert position["unexplained"] is None
    assert position["physical"] is None


async def test_with_a_view_missing_nothing_is_compared() -> None:
    """With the warehouse silent the books stand alone, not comparable, and the list is partial."""
    plant = systems()
    plant.wms.fault = SourceUnavailable("down")
    page = await stock(plant)
    [position] = page["nodes"]
    assert (position["verdict"], position["physical"]) == ("NOT_COMPARABLE", None)
    assert position["book"] == {"value": "100", "unit": "H87"}
    assert page["partial"] is True


async def test_no_position_and_nobody_to_ask_is_partial() -> None:
    """An empty answer because every system is down is not an empty warehouse."""
    plant = systems()
    plant.wms.fault = plant.erp.fault = SourceUnavailable("down")
    page = await stock(plant)
    assert (page["nodes"], page["partial"]) == ([], True)
    assert {s["system"]["code"] for s in page["sources"] if s["outcome"] == "UNAVAILABLE"} >= {"ERP", "WMS"}


async def test_a_filter_chooses_whole_positions() -> None:
    """Looking for a bin shows its position with all views: half a position would look like a variance."""
    [position] = (await stock(systems(), ', locations: ["loc:1710/B-01"]'))["nodes"]
    assert {balance["view"] for balance in position["balances"]} == {"BOOK", "PHYSICAL"}
    assert position["verdict"] == "EXPLAINED_BY_TIMING"
    assert (await stock(systems(), ', locations: ["loc:1710/ELSEWHERE"]'))["nodes"] == []
    assert (await stock(systems(), ", verdicts: [VARIANCE]"))["nodes"] == []


async def test_a_trace_ends_in_a_cycle() -> None:
    """Rework that leads back to the root is walked once."""
    found = await trace(systems(), "FORWARD")
    assert [(n["id"], n["depth"]) for n in found["nodes"]] == [
        ("lot:RM-1/L1", 0),
        ("lot:RM-1/F1", 1),
        ("lot:RM-1/F2", 2),
    ]
    assert len(found["edges"]) == 3
    assert [lot["number"] for lot in found["affectedLots"]] == ["F1", "F2"]
    assert [shipment["number"] for shipment in found["affectedShipments"]] == ["S100"]
    assert (found["complete"], found["truncated"], found["gaps"]) == (True, False, [])
    assert len(found["onHand"]) == 2


async def test_a_trace_goes_backward_and_both_ways() -> None:
    """Backward follows the inputs; both ways finds the same lots once."""
    assert [n["id"][-2:] for n in (await trace(systems(), "BACKWARD"))["nodes"]] == ["L1", "F2", "F1"]
    assert len((await trace(systems(), "BOTH"))["nodes"]) == 3


async def test_a_trace_that_is_cut_says_where() -> None:
    """At maxDepth or maxNodes the trace is truncated, has a gap there, and is not complete."""
    for more, after in ((", maxDepth: 1", "lot:RM-1/F1"), (", maxNodes: 2", "lot:RM-1/F1")):
        found = await trace(systems(), "FORWARD", more)
        assert (found["truncated"], found["complete"], len(found["nodes"])) == (True, False, 2)
        assert [gap["after"] for gap in found["gaps"]] == [after]


async def test_a_wide_level_does_not_exceed_the_nodes_allowed() -> None:
    """One lot that went into a thousand others does not bring more than was asked for."""
    plant = systems()
    plant.mes.rows += [
        LotTransformation("RM-1", "L1", "FG-0", f"X{i}", said("MES"), at=NOW) for i in range(1000)
    ]
    found = await trace(plant, "FORWARD", ", maxNodes: 10")
    assert (len(found["nodes"]), found["truncated"]) == (10, True)
    assert {edge["to"] for edge in found["edges"]} <= {node["id"] for node in found["nodes"]}


async def test_a_silent_system_is_a_gap() -> None:
    """Where the MES cannot be asked, the trace says after which lot and who is silent."""
    plant = systems()
    plant.mes.fault = SourceUnavailable("The MES is down.")
    found = await trace(plant, "FORWARD")
    assert found["complete"] is False
    assert found["gaps"][0] == {
        "after": "lot:RM-1/L1",
        "reason": found["gaps"][0]["reason"],
        "system": {"code": "MES"},
    }


async def test_a_lot_with_a_slash_is_traced() -> None:
    """A lot number with a slash is no other lot."""
    plant = systems()
    plant.mes.rows.append(LotTransformation("RM-1", "L1", "ODD/1", "A/B", said("MES")))
    found = await trace(plant, "FORWARD")
    assert "lot:ODD%2F1/A%2FB" in [node["id"] for node in found["nodes"]]
