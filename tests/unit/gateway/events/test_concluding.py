"""What rows bear witness of: the type by what moved, the natural key that is the same whoever sees it again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.crosswalk.layer import CrosswalkLayer
from gateway.crosswalk.table import make_table
from gateway.events.concluding import (
    ADJUSTED,
    COMPLETED,
    CONFIRMED,
    HOLD,
    ISSUED,
    LOT,
    MOVED,
    SHIPMENT,
    TRACKED,
    Look,
    Witness,
    compared,
    concluded,
)
from gateway.events.contracts import flaw
from gateway.events.naming import to_event
from schema.base import MatchRule, Provenance, Quantity
from schema.errors import SourceNotMapped
from schema.events import Event
from schema.logistics import ShipmentStatus, ShipmentTransport, ShipmentWarehouse
from schema.matching import Entry, Reason, Unmatched
from schema.material import InventoryMovement, Lot, LotQuality, LotStatus, MovementKind
from schema.production import OperationActual, OperationStatus, ProductionOrder
from schema.quality import HoldRestriction, HoldScope, HoldState, QualityHold
from sources.events import Fact, Named
from sources.rest.config import RestConfig
from sources.rest.source import Rest
from tests.unit.gateway.events.house import MES

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
LOOK = Look("S", AT + timedelta(minutes=1))
FIVE = Quantity("5", "PC", "H87")


def known(version: str | None = "1", updated: datetime | None = AT) -> Provenance:
    """Where a row is from."""
    return Provenance("S", AT, None, updated, version)


def movement(kind: MovementKind, **more: Any) -> InventoryMovement:
    """A movement of five pieces."""
    return InventoryMovement("S", "D1", "P1", "A", kind, FIVE, AT, "x", known(), "L1", **more)


def events(*rows: Any, before: dict[tuple[str, str], Event | None] | None = None) -> list[Event]:
    """The events of rows, each of which keeps its contract."""
    found = compared([one for row in rows for one in concluded(row, LOOK)], before or {})
    assert [flaw(event) for event in found] == [None] * len(found)
    return found


@pytest.mark.parametrize(
    ("row", "type", "said"),
    [
        (movement(MovementKind.ISSUE_TO_PRODUCTION, order="7", from_location="X"), ISSUED, ("5", "X")),
        (movement(MovementKind.RETURN_FROM_PRODUCTION, order="7", to_location="X"), ISSUED, ("-5", "X")),
        (movement(MovementKind.ADJUSTMENT, from_location="X"), ADJUSTED, ("-5", "X")),
        (movement(MovementKind.ADJUSTMENT, to_location="X"), ADJUSTED, ("5", "X")),
        (movement(MovementKind.SCRAP, from_location="X"), ADJUSTED, ("-5", "X")),
        (movement(MovementKind.TRANSFER, from_location="X", to_location="Y"), MOVED, ("5", None)),
        (movement(MovementKind.PRODUCTION_RECEIPT, order="7", to_location="Y"), MOVED, ("5", None)),
        (movement(MovementKind.ISSUE_TO_PRODUCTION, from_location="X"), MOVED, ("5", None)),
    ],
)
def test_a_movement_is_what_it_did(row: InventoryMovement, type: str, said: tuple[str, str | None]) -> None:
    """Issued to an order, adjusted with its sign, or moved; and it touches all that it names."""
    [event] = events(row)
    assert (event.type, event.subject) == (type, "mov:S/D1")
    assert (event.data["quantity"], event.data.get("location")) == said
    assert {"item:A", "lot:A/L1"} <= set(event.touches)
    assert ("po:P1/7" in event.touches) == (row.order is not None)
    assert event.correlation_id == ("po:P1/7" if row.order else "mov:S/D1")


def test_an_operation_is_completed_once_for_each_end() -> None:
    """Seen again it is the same fact; reopened and ended again it is another."""
    first = OperationActual("P1", "7", "10", known(), FIVE, None, AT, AT, "W1", OperationStatus.COMPLETED)
    again = OperationActual("P1", "7", "10", known("2"), FIVE, None, AT, AT, "W1", OperationStatus.COMPLETED)
    later = OperationActual(
        "P1", "7", "10", known("3"), FIVE, None, AT, LOOK.received_at, "W1", OperationStatus.COMPLETED
    )
    one, two, three = events(first, again, later)
    assert one.type == COMPLETED
    assert one.fact == two.fact != three.fact
    running = OperationActual("P1", "7", "10", known(), status=OperationStatus.RUNNING)
    assert events(running) == []


def test_a_shipment_is_confirmed_when_it_was_not_before() -> None:
    """With what was before; one that left long ago, of which nothing was known, is no news."""
    row = ShipmentWarehouse("80", known("2"), ShipmentStatus.SHIPPED, None, None, None, AT)
    [packed] = events(ShipmentWarehouse("80", known("1"), ShipmentStatus.PACKED))
    confirmed, changed = events(row, before={("ship:80", SHIPMENT): packed})
    assert (confirmed.type, confirmed.synthesized, confirmed.occurred_at) == (CONFIRMED, True, AT)
    assert (changed.data["previousStatus"], changed.data["changed"]) == ("PACKED", ["status"])
    assert [event.type for event in events(row, before={("ship:80", SHIPMENT): changed})] == [SHIPMENT]
    old = ShipmentWarehouse(
        "80", known("2"), ShipmentStatus.SHIPPED, None, None, None, AT - timedelta(days=9)
    )
    assert [event.type for event in events(old)] == [SHIPMENT]


def test_a_hold_says_what_it_is_on() -> None:
    """By its scope."""
    lot = QualityHold(
        "Q1", "wet", HoldScope.LOT, HoldState.PLACED, AT, known(), (HoldRestriction.SHIP,), item="A", lot="L"
    )
    order = QualityHold("Q2", "dry", HoldScope.ORDER, HoldState.RELEASED, AT, known(), plant="P1", order="7")
    assert [(event.type, event.data["target"]) for event in events(lot, order)] == [
        (HOLD, "lot:A/L"),
        (HOLD, "po:P1/7"),
    ]


def test_a_carrier_tells_where_the_goods_are() -> None:
    """With the time at which they should arrive."""
    [event] = events(ShipmentTransport("80", known(), ShipmentStatus.IN_TRANSIT, "1Z", eta=AT))
    assert (event.type, event.data["eta"], event.data["status"]) == (
        TRACKED,
        "2026-03-02T08:00:00Z",
        "IN_TRANSIT",
    )


def test_a_row_without_version_or_time_is_news_only_where_its_state_is_another() -> None:
    """Nothing else tells one look at it from the next; and it may come back to a state it had."""

    def lot(status: LotStatus, minute: int) -> LotQuality:
        return LotQuality("A", "L", Provenance("S", AT + timedelta(minutes=minute)), status)

    [held] = events(lot(LotStatus.ON_HOLD, 0))
    place = ("lot:A/L", LOT)
    assert events(lot(LotStatus.ON_HOLD, 1), before={place: held}) == []
    [free] = events(lot(LotStatus.RELEASED, 2), before={place: held})
    [again] = events(lot(LotStatus.ON_HOLD, 3), before={place: free})
    assert again.fact != held.fact
    other = Event(**{name: getattr(held, name) for name in Event.__slots__} | {"source": "T"})
    assert len(events(lot(LotStatus.ON_HOLD, 4), before={place: other})) == 1


def test_rows_that_tell_nothing_tell_nothing() -> None:
    """The identity of an order is no happening."""
    assert concluded(ProductionOrder("P1", "7", "A"), LOOK) == []


def test_keys_that_the_crosswalk_knows_are_ours_in_the_event() -> None:
    """In what it touches and in its data; a key of ours that the system calls differently is nobody's."""
    entry = Entry("MES", "ProductionOrder", "P1/OLD", "P1/NEW", MatchRule.XREF_TABLE, True)
    source = Rest(RestConfig.model_validate(MES))
    keys = CrosswalkLayer([source], lambda: make_table([entry]), lambda unmatched: None)
    fact = Fact("mfg.production-order.changed.v1", Named(ProductionOrder, ("P1", "OLD")), version="1")
    event = to_event(keys, "MES", fact, AT)
    assert (event.subject, event.data) == ("po:P1/NEW", {"plant": "P1", "order": "NEW"})
    with pytest.raises(SourceNotMapped, match="P1/NEW"):
        to_event(keys, "MES", Fact(fact.type, Named(ProductionOrder, ("P1", "NEW")), version="1"), AT)


def test_a_key_that_may_have_been_cut_is_nobodys_until_somebody_says_whose() -> None:
    """It may be any of several lots: it is reported, and an entry of the crosswalk settles it."""
    reads = {"lots": {"row": "lot", "parts": ["Lot"], "path": "/l", "keys": {"param": "no", "join": ","}}}
    rows = {"lot": {"Lot": {"item": "item", "number": {"path": "no", "key": {"cut": 10}}}}}
    source = Rest(RestConfig.model_validate({**MES, "rows": rows, "reads": reads, "events": {}}))
    reported: list[Unmatched] = []
    entries: list[Entry] = []
    keys = CrosswalkLayer([source], lambda: make_table(entries), reported.append)
    assert keys.ours("MES", Lot, "A/L2409-07") == "A/L2409-07"
    assert keys.ours("MES", Lot, "A/L2409-07A-") is None
    assert [(one.raw, one.reason) for one in reported] == [("L2409-07A-", Reason.TRUNCATED)]
    entries.append(Entry("MES", "Lot", "A/L2409-07A-", "A/L2409-07A-EU"))
    assert keys.ours("MES", Lot, "A/L2409-07A-") == "A/L2409-07A-EU"


def test_a_fact_without_any_mark_of_its_own_is_one_with_its_message() -> None:
    """With an id it is told apart by that; without, it cannot be told from another and is not told."""
    source = Rest(RestConfig.model_validate(MES))
    keys = CrosswalkLayer([source], lambda: make_table([]), lambda unmatched: None)
    named = Named(ProductionOrder, ("P1", "7"))
    one = to_event(keys, "MES", Fact("mfg.production-order.changed.v1", named, id="a"), AT)
    two = to_event(keys, "MES", Fact("mfg.production-order.changed.v1", named, id="b"), AT)
    assert one.fact != two.fact
    with pytest.raises(SourceNotMapped, match="without id, version or time"):
        to_event(keys, "MES", Fact("mfg.production-order.changed.v1", named), AT)


def test_what_must_be_known_of_before_is_asked_once_for_each_type() -> None:
    """Of the same type, and of that which tells of its state."""
    row = ShipmentWarehouse("80", known("2"), ShipmentStatus.SHIPPED, None, None, None, AT)
    asked = [witness.asks() for witness in concluded(row, LOOK) if isinstance(witness, Witness)]
    assert asked == [
        (("ship:80", CONFIRMED), ("ship:80", SHIPMENT)),
        (("ship:80", SHIPMENT), ("ship:80", SHIPMENT)),
    ]
