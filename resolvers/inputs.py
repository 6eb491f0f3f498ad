"""The inputs of queries."""

from datetime import date, datetime

import strawberry

from resolvers.enums import ENUMS
from schema.base import SystemKind
from schema.commerce import CommercialStatus
from schema.logistics import ShipmentStatus
from schema.material import LotStatus, MovementKind, ReconcileVerdict, StockStatus
from schema.production import CheckpointKind, CheckpointState, OrderStatus
from schema.quality import HoldState

Ids = list[strawberry.ID]
KNOWN_ENUMS = frozenset(ENUMS)
"""Registered before the inputs below refer to them."""


@strawberry.input(description="A span of time; the end is not part of it.")
class TimeWindow:
    """A span of time; the end is not part of it."""

    start: datetime = strawberry.field(name="from", description="From this instant.")
    end: datetime = strawberry.field(name="to", description="Up to, but not at, this instant.")


@strawberry.input(description="How fresh the answer must be, and how long to wait for it.")
class Freshness:
    """How fresh the answer must be, and how long to wait for it."""

    max_age_seconds: int | None = strawberry.field(
        default=None, description="Oldest acceptable age of any value."
    )
    after_write: str | None = strawberry.field(
        default=None, description="Token of a write that must be visible."
    )
    allow_stale: bool | None = strawberry.field(
        default=True, description="Whether older values may be given, marked."
    )
    deadline_ms: int | None = strawberry.field(
        default=None, description="Answer within this time, whoever is missing."
    )


@strawberry.input(description="A key as one system knows it.")
class ExternalKeyInput:
    """A key as one system knows it."""

    system: str = strawberry.field(description="Code of the system.")
    kind: str = strawberry.field(description="What the key is of, e.g. ManufacturingOrder, Lot, Item.")
    key: str = strawberry.field(description="The key, as the system spells it.")


@strawberry.input(description="Which production orders.")
class ProductionOrderFilter:
    """Which production orders."""

    plants: Ids | None = strawberry.field(default=None, description="Made at one of these plants.")
    statuses: list[OrderStatus] | None = strawberry.field(
        default=None, description="With one of these statuses."
    )
    items: Ids | None = strawberry.field(default=None, description="Making one of these items.")
    work_centers: Ids | None = strawberry.field(
        default=None, description="With an operation at one of these."
    )
    due: TimeWindow | None = strawberry.field(default=None, description="Planned to end in this window.")
    changed_since: datetime | None = strawberry.field(
        default=None, description="Changed at or after this instant."
    )
    checkpoint: CheckpointKind | None = strawberry.field(
        default=None, description="The milestone to look at."
    )
    checkpoint_state: CheckpointState | None = strawberry.field(
        default=None, description="How it must stand."
    )
    has_open_exception: bool | None = strawberry.field(default=None, description="With an open exception.")
    search: str | None = strawberry.field(default=None, description="Text in the order number.")


@strawberry.input(description="Which stock.")
class InventoryFilter:
    """Which stock."""

    plants: Ids | None = strawberry.field(default=None, description="At one of these plants.")
    items: Ids | None = strawberry.field(default=None, description="Of one of these items.")
    lots: Ids | None = strawberry.field(default=None, description="Of one of these lots.")
    locations: Ids | None = strawberry.field(default=None, description="At one of these locations.")
    stock_statuses: list[StockStatus] | None = strawberry.field(
        default=None, description="With one of these."
    )
    verdicts: list[ReconcileVerdict] | None = strawberry.field(
        default=None, description="With one of these verdicts."
    )


@strawberry.input(description="Which lots.")
class LotFilter:
    """Which lots."""

    items: Ids | None = strawberry.field(default=None, description="Of one of these items.")
    statuses: list[LotStatus] | None = strawberry.field(
        default=None, description="With one of these statuses."
    )
    expiring_before: date | None = strawberry.field(default=None, description="Expiring before this day.")
    search: str | None = strawberry.field(default=None, description="Text in the lot number.")


@strawberry.input(description="Which movements.")
class MovementFilter:
    """Which movements."""

    plants: Ids | None = strawberry.field(default=None, description="At one of these plants.")
    items: Ids | None = strawberry.field(default=None, description="Of one of these items.")
    kinds: list[MovementKind] | None = strawberry.field(default=None, description="Of one of these kinds.")
    window: TimeWindow | None = strawberry.field(default=None, description="Occurred in this window.")
    missing_in: list[SystemKind] | None = strawberry.field(
        default=None, description="Not recorded in these kinds."
    )


@strawberry.input(description="Which shipments.")
class ShipmentFilter:
    """Which shipments."""

    plants: Ids | None = strawberry.field(default=None, description="From one of these plants.")
    statuses: list[ShipmentStatus] | None = strawberry.field(
        default=None, description="With one of these statuses."
    )
    carriers: Ids | None = strawberry.field(default=None, description="Carried by one of these parties.")
    customers: Ids | None = strawberry.field(default=None, description="Going to one of these parties.")
    ship_date: TimeWindow | None = strawberry.field(default=None, description="Confirmed in this window.")
    changed_since: datetime | None = strawberry.field(
        default=None, description="Changed at or after this instant."
    )
    numbers: list[str] | None = strawberry.field(default=None, description="With one of these numbers.")


@strawberry.input(description="Which holds.")
class HoldFilter:
    """Which holds."""

    plants: Ids | None = strawberry.field(default=None, description="At one of these plants.")
    states: list[HoldState] | None = strawberry.field(default=None, description="In one of these states.")
    targets: Ids | None = strawberry.field(default=None, description="On one of these objects.")


@strawberry.input(description="Which purchase orders.")
class PurchaseOrderFilter:
    """Which purchase orders."""

    suppliers: Ids | None = strawberry.field(default=None, description="From one of these parties.")
    statuses: list[CommercialStatus] | None = strawberry.field(default=None, description="With one of these.")
    due_before: date | None = strawberry.field(default=None, description="With a line due before this day.")
