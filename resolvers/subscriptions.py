"""Subscriptions in the graph: what each root watches, which objects an event is about, and what is told of them.

A root's resolver does not wait for anything: its stream gives one ``Topic``, which says what is watched, and ends. Who
runs the subscription reads the present state by it, follows the event log, and executes the subscriber's document once
for every change, with the change as the root value.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import strawberry
from strawberry.types import Info

from resolvers.context import Context
from resolvers.edges import EXPOSED, Function, expose
from resolvers.freshness import at
from resolvers.ids import encode
from resolvers.inputs import HoldFilter, InventoryFilter, ProductionOrderFilter, ShipmentFilter
from resolvers.lists import hold_listing, order_listing, shipment_listing
from resolvers.loaders import Answer
from resolvers.paging import Connection, Listing, cut, listed
from resolvers.sourcing import lacking
from resolvers.stock import stock_wanted
from resolvers.timelines import business_event
from resolvers.trail import camel
from schema.base import KEYS, PREFIXES, SourceSystem, join_key, split_key
from schema.changes import (
    ChangeKind,
    HoldChange,
    InventoryChange,
    ProductionOrderChange,
    ShipmentChange,
)
from schema.errors import SourceNotMapped
from schema.events import Event
from schema.logistics import Shipment, ShipmentStatus, TrackingEvent
from schema.material import InventoryMovement, InventoryPosition, Item, Lot
from schema.production import ProductionOrder
from schema.quality import QualityHold
from sources.base import Filter

After = Annotated[
    str | None,
    strawberry.argument(
        description="Go on after this cursor of a message: first what was missed, then what happens."
    ),
]
Snapshot = Annotated[
    bool,
    strawberry.argument(
        description="Whether to begin with the present state; without it, and with 'after', only changes are told."
    ),
]

STOCK_EVENTS = frozenset(
    {
        "mfg.inventory.adjusted.v1",
        "mfg.inventory.moved.v1",
        "mfg.material.issued.v1",
        "mfg.lot.changed.v1",
        "mfg.operation.completed.v1",
        "mfg.shipment.confirmed.v1",
    }
)
"""The events that may change stock."""
CHANGED: Mapping[str, tuple[str, ...]] = {
    "mfg.production-order.released.v1": ("status", "planning", "checkpoints"),
    "mfg.production-order.changed.v1": ("status", "planning", "execution", "posting", "operations"),
    "mfg.material.issued.v1": ("materials", "posting", "checkpoints"),
    "mfg.operation.completed.v1": ("status", "execution", "operations", "outputs", "checkpoints"),
    "mfg.quality-hold.changed.v1": ("status", "holds", "checkpoints"),
    "mfg.shipment.confirmed.v1": ("status", "warehouse", "posting", "shipments", "checkpoints"),
    "mfg.shipment.changed.v1": ("status", "warehouse", "transport", "lines"),
    "mfg.shipment.tracked.v1": ("status", "transport", "tracking_events"),
}
"""What an event of a type is likely to have changed, where it does not say so itself."""


@dataclass(frozen=True, slots=True)
class Told:
    """Why and where something is told: the event, its cursor, and how it comes."""

    kind: ChangeKind
    cursor: str | None = None
    event: Event | None = None


@dataclass(slots=True)
class Seen:
    """An object that an event is about, as far as it could be read: by its key, with the row or the reason for none."""

    key: str
    answer: Answer[Any]
    event: Event

    @property
    def gone(self) -> bool:
        """Whether its owner answered and does not know it (any more)."""
        return self.answer.value is None and self.answer.known


@dataclass(slots=True)
class Topic:
    """What a subscription watches. ``subject`` is the class of the objects whose events count.

    ``facets`` are attributes of a row (or of its key) and the values that pass, for finding the topics of a row without
    asking each. ``passes`` looks at the row alone. ``looks`` says whether ``objects`` has more to look at, which loads.
    """

    root: str
    subject: type
    change: Callable[[Told, str | None, Any], Any]
    after: str | None = None
    snapshot: bool = True
    facets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    passes: Callable[[Any], bool] = lambda _: True
    looks: bool = False
    page: Callable[[Context, int, str | None], Awaitable[Connection[Any]]] | None = None
    objects: Callable[[Context, Sequence[Seen]], Awaitable[list[tuple[str, Any]]]] | None = None
    """Of objects whose rows are here, those to tell of: id and row."""
    id_of: Callable[[Any], str] = encode

    @property
    def interest(self) -> tuple[list[str], list[type]]:
        """Which objects are waited for: their ids, or else all of some kinds."""
        kinds = [InventoryMovement] if self.subject is Item else []
        names = KEYS[self.subject]["id"]
        if len(names) == 1 and names[0] in self.facets:
            ids = [f"{PREFIXES[self.subject]}:{join_key(value)}" for value in sorted(self.facets[names[0]])]
            return ids, [*kinds]
        return [], [self.subject, *kinds]


async def production_order_changed(
    info: Info,
    filter: ProductionOrderFilter | None = None,
    after: After = None,
    snapshot: Snapshot = True,
) -> Topic:
    """Production orders that match, as they are, and again whenever something happens to one that matches then."""
    return _listed(
        info, partial(order_listing, filter=filter), ProductionOrder, order_change, after, snapshot
    )


async def shipment_changed(
    info: Info, filter: ShipmentFilter | None = None, after: After = None, snapshot: Snapshot = True
) -> Topic:
    """Shipments that match, as they are, and again whenever something happens to one that matches then."""
    return _listed(info, partial(shipment_listing, filter=filter), Shipment, shipment_change, after, snapshot)


async def hold_changed(
    info: Info, filter: HoldFilter | None = None, after: After = None, snapshot: Snapshot = True
) -> Topic:
    """Quality holds that match, as they are, and again whenever something happens to one that matches then."""
    return _listed(info, partial(hold_listing, filter=filter), QualityHold, hold_change, after, snapshot)


async def inventory_changed(
    info: Info, filter: InventoryFilter, after: After = None, snapshot: Snapshot = True
) -> Topic:
    """Stock positions of the items or lots named, as they are, and again whenever their stock may have changed."""
    wanted, place = stock_wanted(info.context, filter), _place(info)

    async def page(ctx: Context, first: int, cursor: str | None) -> Connection[Any]:
        found, said = await wanted.positions(at(place(ctx)), wanted.items)
        connection = cut(ctx, found, f"inventoryChanged {filter}", first, cursor)
        connection.sources = said
        connection.partial = any(lacking(status) for status in said)
        return connection

    async def objects(ctx: Context, seen: Sequence[Seen]) -> list[tuple[str, Any]]:
        items = [split_key(one.key)[0] for one in seen]
        positions, said = await wanted.positions(at(place(ctx)), items)
        events = {item: one.event for item, one in zip(items, seen, strict=True)}
        found: list[tuple[str, Any]] = [(_stock_id(p), p) for p in positions if _concerns(events[p.item], p)]
        if any(lacking(status) for status in said):
            silent = [item for item in items if all(p.item != item for p in positions)]
            found += [(f"{PREFIXES[Item]}:{join_key(item)}", None) for item in silent]
        return found

    facets = {"number": frozenset(wanted.items)}
    return Topic(
        info.field_name,
        Item,
        inventory_change,
        after,
        snapshot,
        facets,
        looks=True,
        page=page,
        objects=objects,
        id_of=_stock_id,
    )


async def source_health_changed(info: Info) -> Topic:
    """Every connected system as it is, and again whenever its health changes (seen within a second)."""
    return Topic(info.field_name, SourceSystem, lambda _told, _id, row: row)


def _place(info: Info) -> Callable[[Context], Info]:
    """The root field's place in the operation, for other contexts; the one of the beginning is not held."""
    raw, made = info._raw_info._replace(context=None), info._field

    def place(ctx: Context) -> Info:
        return Info(_raw_info=raw._replace(context=ctx), _field=made)

    return place


def _listed(
    info: Info,
    listing_at: Callable[[Info], Listing],
    subject: type,
    change: Callable[[Told, str | None, Any], Any],
    after: str | None,
    snapshot: bool,
) -> Topic:
    """A topic of what a list root would list."""
    listing, place = listing_at(info), _place(info)
    looks = listing.keep is not None
    tests = [(listing.tests[name], value) for name, value in listing.filters.items() if name in listing.tests]
    prefix = PREFIXES[subject]

    async def page(ctx: Context, first: int, cursor: str | None) -> Connection[Any]:
        there = place(ctx)
        return await listed(at(there), listing_at(there), first, cursor)

    async def objects(ctx: Context, seen: Sequence[Seen]) -> list[tuple[str, Any]]:
        rows = [one.answer.value for one in seen]
        listing = listing_at(place(ctx))
        kept = await listing.keep(rows) if listing.keep is not None else [True] * len(rows)
        # That nobody provides a part is how the gateway is configured; that its owner is silent may pass.
        failures = listing.doubts.failures.values()
        undecided = any(not isinstance(error, SourceNotMapped) for error in failures)
        return [
            (f"{prefix}:{one.key}", row)
            for one, row, keeps in zip(seen, rows, kept, strict=True)
            if keeps or undecided
        ]

    return Topic(
        info.field_name,
        subject,
        change,
        after,
        snapshot,
        _facets(subject, listing.filters),
        lambda row: all(test(row, value) for test, value in tests),
        looks,
        page,
        objects,
    )


FACETS: Mapping[type, Mapping[str, str]] = {
    ProductionOrder: {"items": "item", "plants": "plant"},
    Shipment: {"numbers": "number", "customers": "ship_to", "carriers": "carrier", "plants": "plant"},
    QualityHold: {"plants": "plant"},
}
"""Filters that are a choice among values of an attribute of the row, the most selective first."""


def _facets(subject: type, filters: Mapping[str, Filter]) -> dict[str, frozenset[str]]:
    found = {}
    for name, attribute in FACETS[subject].items():
        values = filters.get(name)
        if isinstance(values, tuple):
            found[attribute] = frozenset(values)
    return found


def _stock_id(position: InventoryPosition) -> str:
    """The id of what a position is of: the lot where it is of one, else the item."""
    if position.lot is None:
        return f"{PREFIXES[Item]}:{join_key(position.item)}"
    return f"{PREFIXES[Lot]}:{join_key(position.item, position.lot)}"


def _concerns(event: Event, position: InventoryPosition) -> bool:
    """Whether an event about an item concerns one of its positions: its lot and its plant, where it names some."""
    named: dict[str, set[tuple[str, ...]]] = {}
    for id in event.touches:
        prefix, _, key = id.partition(":")
        named.setdefault(prefix, set()).add(split_key(key))
    lots = {parts[1] for parts in named.get("lot", ()) if parts[0] == position.item}
    scoped = [parts[0] for prefix in ("loc", "po", "op") for parts in named.get(prefix, ())]
    plants = {parts[0] for parts in named.get("plant", ())} | set(scoped)
    return (not lots or position.lot in lots) and (not plants or position.plant in plants)


def keys_in(event: Event, subject: type) -> list[str]:
    """The keys of the objects of a class that an event is about."""
    if subject is not Item:
        if subject is QualityHold and event.type != "mfg.quality-hold.changed.v1":
            return []
        begins = f"{PREFIXES[subject]}:"
        found = [id[len(begins) :] for id in (event.subject, *event.touches) if id.startswith(begins)]
        return list(dict.fromkeys(found))
    if event.type not in STOCK_EVENTS:
        return []
    ids = [id.partition(":") for id in (event.subject, *event.touches)]
    items = [join_key(split_key(key)[0]) for prefix, _, key in ids if prefix in ("item", "lot")]
    return list(dict.fromkeys(items))


def attributes_of(subject: type, key: str) -> dict[str, str]:
    """What a key says about its row."""
    return dict(zip(KEYS[subject]["id"], split_key(key), strict=True))


def order_change(told: Told, id: str | None, row: Any) -> ProductionOrderChange:
    """What is told of a production order."""
    return ProductionOrderChange(
        **_common(told, id), order=row, changed=changed_in(told.event, ProductionOrder)
    )


def shipment_change(told: Told, id: str | None, row: Any) -> ShipmentChange:
    """What is told of a shipment."""
    changed, before = changed_in(told.event, Shipment), _before(told.event)
    return ShipmentChange(**_common(told, id), shipment=row, changed=changed, previous_status=before)


def inventory_change(told: Told, id: str | None, row: Any) -> InventoryChange:
    """What is told of a stock position."""
    return InventoryChange(**_common(told, id), position=row)


def hold_change(told: Told, id: str | None, row: Any) -> HoldChange:
    """What is told of a hold."""
    return HoldChange(**_common(told, id), hold=row)


def _common(told: Told, id: str | None) -> dict[str, Any]:
    event = business_event(told.event) if told.event is not None else None
    replay = told.kind is ChangeKind.REPLAY
    return {"kind": told.kind, "replay": replay, "cursor": told.cursor, "object_id": id, "event": event}


def changed_in(event: Event | None, cls: type) -> tuple[str, ...]:
    """The fields of an object that an event has changed, as it says itself or as its type lets expect."""
    if event is None:
        return ()
    said = event.data.get("changed")
    if isinstance(said, list) and said:
        return tuple(str(name) for name in said)
    fields = EXPOSED[cls].fields
    return tuple([camel(name) for name in CHANGED.get(event.type, ()) if name in fields])


def _before(event: Event | None) -> ShipmentStatus | None:
    """The status before an event, where it tells."""
    said = event.data.get("previousStatus") if event is not None else None
    return ShipmentStatus(said) if isinstance(said, str) and said in ShipmentStatus.__members__ else None


async def tracking_event(row: ShipmentChange, info: Info) -> TrackingEvent | None:
    """What the carrier reported, where that is what happened; null where the carrier's system cannot be asked."""
    event, shipment = row.event, row.shipment
    if event is None or shipment is None or event.cloud_event_type != "mfg.shipment.tracked.v1":
        return None
    reports = await at(info).many(TrackingEvent, join_key(shipment.number), "shipment")
    same = [report for report in reports.value or () if report.occurred_at == event.occurred_at]
    return same[-1] if same else None


def install() -> None:
    """Put the changes into the graph."""
    expose(ProductionOrderChange)
    expose(
        ShipmentChange,
        Function("tracking_event", tracking_event, (), ((TrackingEvent, "shipment"),)),
    )
    expose(InventoryChange)
    expose(HoldChange)


SUBSCRIPTIONS: Sequence[tuple[Callable[..., Awaitable[Topic]], type]] = (
    (production_order_changed, ProductionOrderChange),
    (shipment_changed, ShipmentChange),
    (inventory_changed, InventoryChange),
    (hold_changed, HoldChange),
    (source_health_changed, SourceSystem),
)
