"""The list roots: which filters go to the systems, which are applied here, and by what."""

from collections.abc import Callable, Sequence
from typing import Any

from strawberry.types import Info

from resolvers.checkpoints import CHECKPOINT_NEEDS, checkpoints
from resolvers.context import Context
from resolvers.eager import together
from resolvers.edges import EXPOSED, Edge, follow, steady
from resolvers.freshness import Loads, at, bounded, loaders_at
from resolvers.ids import decode
from resolvers.inputs import (
    Freshness,
    HoldFilter,
    LotFilter,
    MovementFilter,
    ProductionOrderFilter,
    PurchaseOrderFilter,
    ShipmentFilter,
    TimeWindow,
)
from resolvers.loaders import joined
from resolvers.material import movement_posted_in
from resolvers.paging import Connection, Doubts, Keep, Listing, listed, since
from resolvers.sieves import Filters, among, by_fact, by_group, combined, contains, doubt
from schema.base import Plant, join_key, key_of
from schema.commerce import Party, PurchaseOrder, PurchaseOrderLine
from schema.equipment import WorkCenter
from schema.errors import RequestError
from schema.logistics import Shipment, ShipmentWarehouse
from schema.material import (
    InventoryMovement,
    Item,
    Location,
    Lot,
    LotMaster,
)
from schema.production import CheckpointState, Operation, OrderPlanning, OrderStatus, ProductionOrder
from schema.quality import QualityHold
from sources.base import Filter

S = OrderStatus
LAGGING = {
    S.PLANNED: (S.PLANNED,),
    S.CREATED: (S.CREATED,),
    S.RELEASED: (S.CREATED, S.RELEASED),
    S.IN_PROGRESS: (S.CREATED, S.RELEASED, S.IN_PROGRESS),
    S.ON_HOLD: (S.RELEASED, S.IN_PROGRESS, S.ON_HOLD),
    S.COMPLETED: (S.RELEASED, S.IN_PROGRESS, S.ON_HOLD, S.COMPLETED),
    S.CLOSED: (S.CLOSED, S.COMPLETED),
    S.CANCELLED: tuple(S),
    S.UNKNOWN: tuple(S),
}
"""What the ERP may still say of an order that the shop floor knows better: it is asked for all of these."""


@steady
async def production_orders(
    info: Info,
    filter: ProductionOrderFilter | None = None,
    first: int = 25,
    after: str | None = None,
    freshness: Freshness | None = None,
) -> Connection[ProductionOrder]:
    """Production orders, newest systems first in their own order."""
    ctx: Context = info.context
    bounded(info, freshness)
    wanted = filter or ProductionOrderFilter()
    filters, loads = Filters(ctx), at(info)
    filters.ids("plants", wanted.plants, Plant)
    filters.ids("items", wanted.items, Item)
    filters.ids("work_centers", wanted.work_centers, WorkCenter)
    filters.window("due", wanted.due)
    filters.text("changed_since", wanted.changed_since)
    filters.text("search", wanted.search)
    if wanted.statuses is not None:
        filters.values("statuses", sorted({known for status in wanted.statuses for known in LAGGING[status]}))
    if wanted.has_open_exception is not None:
        raise RequestError(
            "filter.hasOpenException: this gateway records no exceptions yet.", hint="Leave the filter out."
        )
    if (wanted.checkpoint is None) != (wanted.checkpoint_state is None):
        raise RequestError(
            "filter: checkpoint and checkpointState go together.", hint="Give both or neither."
        )
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "plants": among("plant"),
        "items": among("item"),
        "search": contains("number"),
        "changed_since": since,
    }
    doubts = Doubts()
    keep = combined(
        _at_work_centers(loads, filters.found.get("work_centers"), doubts),
        _due(loads, wanted.due, doubts),
        by_fact(loads, "status", wanted.statuses, doubts),
        _at_checkpoint(info, wanted, doubts),
    )
    listing = Listing(ProductionOrder, "productionOrders", filters.found, tests, keep, str(wanted), doubts)
    return await listed(loads, listing, first, after)


def _due(loads: Loads, window: TimeWindow | None, doubts: Doubts) -> Keep | None:
    def test(plan: OrderPlanning) -> bool:
        return (
            window is not None
            and plan.planned_end is not None
            and window.start <= plan.planned_end < window.end
        )

    return by_group(loads, OrderPlanning, "order", test if window is not None else None, doubts)


def _at_work_centers(loads: Loads, centers: Filter | None, doubts: Doubts) -> Keep | None:
    if not isinstance(centers, tuple):
        return None

    async def keep(rows: Sequence[ProductionOrder]) -> list[bool]:
        found = await loads.load_set(Operation, "order", [key_of(row) or "" for row in rows], True)
        for answer in found:
            doubt(doubts, answer)
        return [
            any(
                joined((operation.plant, operation.work_center)) in centers
                for operation in answer.value or ()
            )
            for answer in found
        ]

    return keep


def _at_checkpoint(info: Info, wanted: ProductionOrderFilter, doubts: Doubts) -> Keep | None:
    if wanted.checkpoint is None:
        return None

    async def keep(rows: Sequence[ProductionOrder]) -> list[bool]:
        loaders_at(info).unsteady()
        found = await together([checkpoints(row, info) for row in rows])
        states = [next(c.state for c in each if c.kind is wanted.checkpoint) for each in found]
        for row, state in zip(rows, states, strict=True):
            if state is CheckpointState.UNKNOWN or info.context.flawed:
                await _doubtful(row, info, doubts, state is CheckpointState.UNKNOWN)
        return [state is wanted.checkpoint_state for state in states]

    return keep


async def _doubtful(row: ProductionOrder, info: Info, doubts: Doubts, unknown: bool) -> None:
    """Note which owners' evidence is old, and which were silent where that left the milestone unknown; it is all
    loaded already.
    """
    table, loaders = EXPOSED[ProductionOrder].fields, loaders_at(info)
    for name in CHECKPOINT_NEEDS:
        edge = table[name]
        if isinstance(edge, Edge):
            answer = await follow(edge, row, loaders)
            doubts.age(answer.stale)
            if unknown:
                doubt(doubts, answer)


@steady
async def shipments(
    info: Info,
    filter: ShipmentFilter | None = None,
    first: int = 25,
    after: str | None = None,
    freshness: Freshness | None = None,
) -> Connection[Shipment]:
    """Shipments, in the order of the systems that have them."""
    ctx: Context = info.context
    bounded(info, freshness)
    wanted = filter or ShipmentFilter()
    filters, loads = Filters(ctx), at(info)
    filters.ids("plants", wanted.plants, Plant)
    filters.ids("carriers", wanted.carriers, Party)
    filters.ids("customers", wanted.customers, Party)
    filters.text("changed_since", wanted.changed_since)
    filters.values("numbers", wanted.numbers)
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "plants": among("plant"),
        "carriers": among("carrier"),
        "customers": among("ship_to"),
        "numbers": among("number"),
        "changed_since": since,
    }
    window = wanted.ship_date

    def shipped(row: ShipmentWarehouse) -> bool:
        return (
            window is not None
            and row.confirmed_at is not None
            and window.start <= row.confirmed_at < window.end
        )

    doubts = Doubts()
    keep = combined(
        by_fact(loads, "status", wanted.statuses, doubts),
        by_group(loads, ShipmentWarehouse, "shipment", shipped if window is not None else None, doubts),
    )
    return await listed(
        loads, Listing(Shipment, "shipments", filters.found, tests, keep, str(wanted), doubts), first, after
    )


@steady
async def lots(
    info: Info, filter: LotFilter | None = None, first: int = 25, after: str | None = None
) -> Connection[Lot]:
    """Lots, in the order of the system that keeps them."""
    ctx: Context = info.context
    wanted = filter or LotFilter()
    filters, loads = Filters(ctx), at(info)
    filters.ids("items", wanted.items, Item)
    filters.text("search", wanted.search)
    before = wanted.expiring_before

    def expiring(row: LotMaster) -> bool:
        return before is not None and row.expires_on is not None and row.expires_on < before

    doubts = Doubts()
    keep = combined(
        by_group(loads, LotMaster, "lot", expiring if before is not None else None, doubts),
        by_fact(loads, "status", wanted.statuses, doubts),
    )
    tests: dict[str, Callable[[Any, Any], bool]] = {"items": among("item"), "search": contains("number")}
    return await listed(
        loads, Listing(Lot, "lots", filters.found, tests, keep, str(wanted), doubts), first, after
    )


async def movements(
    info: Info, filter: MovementFilter | None = None, first: int = 100, after: str | None = None
) -> Connection[InventoryMovement]:
    """Movements of stock, system after system, each as that system recorded it."""
    ctx: Context = info.context
    wanted = filter or MovementFilter()
    filters, loads = Filters(ctx), at(info)
    filters.ids("plants", wanted.plants, Plant)
    filters.ids("items", wanted.items, Item)
    filters.values("kinds", wanted.kinds)
    filters.window("window", wanted.window)
    missing = set(wanted.missing_in or ())

    doubts = Doubts()

    async def absent(rows: Sequence[InventoryMovement]) -> list[bool]:
        twins = await loads.load_set(InventoryMovement, "item", [join_key(r.item) for r in rows], True)
        for answer in twins:
            doubts.failures.update(dict(answer.failures))
            doubts.age(answer.stale)
        kinds = await together([movement_posted_in(row, info) for row in rows])
        return [not missing & set(found) for found in kinds]

    tests: dict[str, Callable[[Any, Any], bool]] = {
        "plants": among("plant"),
        "items": among("item"),
        "kinds": among("kind"),
        "window_from": lambda row, start: row.occurred_at >= start,
        "window_to": lambda row, end: row.occurred_at < end,
    }
    keep = absent if missing else None
    listing = Listing(InventoryMovement, "movements", filters.found, tests, keep, str(wanted), doubts)
    return await listed(loads, listing, first, after)


@steady
async def quality_holds(
    info: Info, filter: HoldFilter | None = None, first: int = 50, after: str | None = None
) -> Connection[QualityHold]:
    """Quality holds."""
    ctx: Context = info.context
    wanted = filter or HoldFilter()
    filters, loads = Filters(ctx), at(info)
    filters.ids("plants", wanted.plants, Plant)
    filters.values("states", wanted.states)
    targets = {decode(target, ctx.aliases, "filter.targets") for target in wanted.targets or ()}

    async def aimed(rows: Sequence[QualityHold]) -> list[bool]:
        return [bool(targets & _targets(row)) for row in rows]

    tests: dict[str, Callable[[Any, Any], bool]] = {"plants": among("plant"), "states": among("state")}
    listing = Listing(
        QualityHold,
        "qualityHolds",
        filters.found,
        tests,
        aimed if wanted.targets is not None else None,
        str(wanted),
    )
    return await listed(loads, listing, first, after)


def _targets(hold: QualityHold) -> set[tuple[type, str]]:
    found: set[tuple[type, str]] = set()
    for cls, parts in (
        (Lot, (hold.item, hold.lot)),
        (ProductionOrder, (hold.plant, hold.order)),
        (Location, (hold.plant, hold.location)),
        (Shipment, (hold.shipment,)),
        (Item, (hold.item,)),
    ):
        if all(parts):
            found.add((cls, join_key(*[part for part in parts if part])))
    return found


@steady
async def purchase_orders(
    info: Info, filter: PurchaseOrderFilter | None = None, first: int = 25, after: str | None = None
) -> Connection[PurchaseOrder]:
    """Purchase orders."""
    ctx: Context = info.context
    wanted = filter or PurchaseOrderFilter()
    filters, loads = Filters(ctx), at(info)
    filters.ids("suppliers", wanted.suppliers, Party)
    filters.values("statuses", wanted.statuses)
    before = wanted.due_before

    doubts = Doubts()

    async def due(rows: Sequence[PurchaseOrder]) -> list[bool]:
        keys = [join_key(row.number) for row in rows]
        found = await loads.load_set(PurchaseOrderLine, "order", keys, True)
        for answer in found:
            doubt(doubts, answer)
        return [
            any(
                line.due_date is not None and before is not None and line.due_date < before
                for line in a.value or ()
            )
            for a in found
        ]

    tests: dict[str, Callable[[Any, Any], bool]] = {
        "suppliers": among("supplier"),
        "statuses": among("status"),
    }
    keep = due if before is not None else None
    return await listed(
        loads,
        Listing(PurchaseOrder, "purchaseOrders", filters.found, tests, keep, str(wanted), doubts),
        first,
        after,
    )
