"""Shipments, handling units and tracking: edges and computed facts."""

from typing import Any

from strawberry.types import Info

from resolvers.common import keys_of
from resolvers.edges import Edge, Fact, Function, expose
from resolvers.freshness import at
from resolvers.loaders import Answer
from resolvers.paging import Connection, cut
from resolvers.sourcing import sources, statuses
from resolvers.statuses import active, shipment_status
from schema.base import ExternalKey, SystemKind, join_key
from schema.commerce import Party, SalesOrderLine
from schema.logistics import (
    HandlingUnit,
    Shipment,
    ShipmentLine,
    ShipmentPosting,
    ShipmentTransport,
    ShipmentWarehouse,
    TrackingEvent,
)
from schema.material import Item, Lot
from schema.production import Checkpoint, CheckpointKind, CheckpointState
from schema.quality import QualityHold

NUMBER = ("number",)
OWNERS = ("warehouse", "posting", "transport")


async def tracking_events(
    row: Shipment, info: Info, first: int = 50, after: str | None = None
) -> Connection[TrackingEvent]:
    """What the carrier reported, in the order in which it says it happened."""
    answer = await at(info).many(TrackingEvent, join_key(row.number), "shipment")
    rows = sorted(answer.value or (), key=lambda event: event.occurred_at)
    page = cut(info.context, rows, f"trackingEvents {row.number}", first, after)
    page.sources = statuses(info.context, "tracking_events", answer)
    page.partial = not answer.known
    if page.partial:
        page.total_count = None
    return page


def shipment_keys(
    shipment: Shipment, warehouse: Answer[Any], posting: Answer[Any], transport: Answer[Any]
) -> list[ExternalKey]:
    """The shipment's number in each system that knows it."""
    return keys_of("Shipment", shipment.number, [shipment, warehouse.value, posting.value, transport.value])


def shipment_checkpoints(
    shipment: Shipment,
    warehouse: Answer[ShipmentWarehouse],
    posting: Answer[ShipmentPosting],
    holds: Answer[list[QualityHold]],
) -> list[Checkpoint]:
    """Whether quality lets the shipment go, and whether warehouse and books agree that it went."""
    blocked = any(active(hold) for hold in holds.value or ())
    cleared = CheckpointState.BLOCKED if blocked else CheckpointState.DONE
    return [
        Checkpoint(
            CheckpointKind.QUALITY_CLEARED,
            cleared if holds.known else CheckpointState.UNKNOWN,
            SystemKind.QMS,
        ),
        _shipped(warehouse, posting, blocked),
    ]


def _shipped(
    warehouse: Answer[ShipmentWarehouse], posting: Answer[ShipmentPosting], blocked: bool
) -> Checkpoint:
    at = warehouse.value.confirmed_at if warehouse.value is not None else None
    booked = posting.value is not None and posting.value.goods_issue_posted
    if not warehouse.known or not posting.known:
        state = CheckpointState.UNKNOWN
    elif at is not None and booked:
        state = CheckpointState.DONE
    elif blocked:
        state = CheckpointState.BLOCKED
    else:
        state = CheckpointState.MISMATCH if booked else CheckpointState.PENDING
    return Checkpoint(CheckpointKind.SHIPPED, state, SystemKind.WMS, at)


async def parent(row: HandlingUnit, info: Info) -> HandlingUnit | None:
    """The unit it stands on."""
    units = await at(info).many(HandlingUnit, join_key(row.shipment), "shipment")
    return next((unit for unit in units.value or () if unit.code == row.parent), None)


async def contents(row: HandlingUnit, info: Info) -> list[ShipmentLine]:
    """The shipment lines on it."""
    lines = await at(info).many(ShipmentLine, join_key(row.shipment), "shipment")
    return [line for line in lines.value or () if line.number in row.line_numbers]


def unit_keys(unit: HandlingUnit) -> list[ExternalKey]:
    """The unit's code in the warehouse system."""
    return keys_of("HandlingUnit", unit.code, [unit])


def install() -> None:
    """Put the logistics classes into the graph."""
    expose(
        Shipment,
        Edge("warehouse", ShipmentWarehouse, NUMBER, "shipment"),
        Edge("posting", ShipmentPosting, NUMBER, "shipment"),
        Edge("transport", ShipmentTransport, NUMBER, "shipment"),
        Edge("ship_from", Party, ("ship_from",), stub=True),
        Edge("ship_to", Party, ("ship_to",), stub=True),
        Edge("carrier", Party, ("carrier",), stub=True),
        Edge("lines", ShipmentLine, NUMBER, "shipment", many=True),
        Edge("handling_units", HandlingUnit, NUMBER, "shipment", many=True),
        Edge("events", TrackingEvent, NUMBER, "shipment", many=True, hidden=True),
        Edge("holds", QualityHold, NUMBER, "shipment", many=True),
        Function("tracking_events", tracking_events, ("events",)),
        Fact("status", shipment_status, OWNERS),
        Fact("checkpoints", shipment_checkpoints, ("warehouse", "posting", "holds")),
        Fact("keys", shipment_keys, OWNERS),
        Function("sources", sources),
        owners=OWNERS,
    )
    expose(ShipmentWarehouse)
    expose(ShipmentPosting)
    expose(ShipmentTransport)
    expose(
        ShipmentLine,
        Edge("item", Item, ("item",), stub=True, required=True),
        Edge("lots", Lot, ("item",), each="lots", stub=True),
        Edge("sales_order_line", SalesOrderLine, each=None, key=("sales_line",)),
    )
    expose(
        HandlingUnit,
        Function("parent", parent, (), ((HandlingUnit, "shipment"),)),
        Function("contents", contents, (), ((ShipmentLine, "shipment"),)),
        Fact("keys", unit_keys),
    )
    expose(TrackingEvent)
