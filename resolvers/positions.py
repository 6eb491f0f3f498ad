"""Stock positions: the views of all systems on an item at a plant, brought to one unit and compared (domain model 1.5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from resolvers.context import Context
from resolvers.eager import together
from resolvers.freshness import Loads
from resolvers.loaders import Answer
from resolvers.sourcing import statuses, worse
from resolvers.units import convert, of, total
from schema.base import Quantity, SourceStatus, join_key
from schema.material import (
    BalanceView,
    InventoryBalance,
    InventoryMovement,
    InventoryPosition,
    Item,
    MovementKind,
    ReconcileVerdict,
)

INWARD = {MovementKind.PURCHASE_RECEIPT, MovementKind.PRODUCTION_RECEIPT, MovementKind.CUSTOMER_RETURN}
OUTWARD = {
    MovementKind.ISSUE_TO_PRODUCTION,
    MovementKind.SCRAP,
    MovementKind.SHIP,
    MovementKind.SUBCONTRACT_SUPPLY,
}
BACK = {MovementKind.RETURN_FROM_PRODUCTION}

Test = Callable[[InventoryBalance], bool]


@dataclass(slots=True)
class _Views:
    balances: list[InventoryBalance] = field(default_factory=list)
    movements: list[InventoryMovement] = field(default_factory=list)


async def positions_of(
    loads: Loads, items: Sequence[str], keep: Test | None = None
) -> tuple[list[InventoryPosition], list[SourceStatus]]:
    """The positions of some items, by item, plant and lot in order, and how the systems answered.

    ``keep`` chooses the positions with at least one such balance; a position is always whole, or its views could not be
    compared.
    """
    keys = [join_key(item) for item in items]
    balances, movements, records = await together(
        [
            loads.load_set(InventoryBalance, "item", keys, True),
            loads.load_set(InventoryMovement, "item", keys, True),
            loads.load_set(Item, "id", keys, False),
        ]
    )
    found: list[InventoryPosition] = []
    said: dict[tuple[str, str], SourceStatus] = {}
    for number, stock, moved, record in zip(items, balances, movements, records, strict=True):
        heard = _heard(loads.ctx, record, stock, moved)
        for status in heard:
            place = (status.system, status.group)
            said[place] = worse(said.get(place), status)
        found.extend(_positions(number, record, stock, moved, keep, heard))
    return found, list(said.values())


def _heard(
    ctx: Context,
    record: Answer[Item],
    stock: Answer[list[InventoryBalance]],
    moved: Answer[list[InventoryMovement]],
) -> list[SourceStatus]:
    return [
        *statuses(ctx, "balances", stock),
        *statuses(ctx, "in_flight_movements", moved, ("in_flight", "in_flight_movements")),
        *statuses(ctx, "item", record),
    ]


def _positions(
    number: str,
    record: Answer[Item],
    stock: Answer[list[InventoryBalance]],
    moved: Answer[list[InventoryMovement]],
    keep: Test | None,
    said: list[SourceStatus],
) -> list[InventoryPosition]:
    groups: dict[tuple[str, str], _Views] = {}
    for balance in stock.value or ():
        groups.setdefault((balance.plant, balance.lot or ""), _Views()).balances.append(balance)
    if keep is not None:
        groups = {place: views for place, views in groups.items() if any(map(keep, views.balances))}
    for movement in moved.value or ():
        group = groups.get((movement.plant, movement.lot or ""))
        if group is not None:
            group.movements.append(movement)
    whole = stock.known and moved.known and not stock.failures and not moved.failures
    return [
        position(number, plant, lot or None, record.value, groups[plant, lot], whole, said)
        for plant, lot in sorted(groups)
    ]


def in_flight(movements: Sequence[InventoryMovement]) -> list[tuple[InventoryMovement, int]]:
    """Movements that only one side has recorded, with their sign: still on the way to the books, or ahead of them."""
    books = {m.reference for m in movements if _is_book(m) and m.reference}
    floor = {m.reference for m in movements if not _is_book(m) and m.reference}
    found = []
    for movement in movements:
        if movement.reference is None:
            continue
        if not _is_book(movement) and movement.reference not in books:
            found.append((movement, _sign(movement)))
        elif _is_book(movement) and movement.reference not in floor:
            found.append((movement, -_sign(movement)))
    return [(movement, sign) for movement, sign in found if sign]


def _is_book(movement: InventoryMovement) -> bool:
    return movement.posting_date is not None


def _sign(movement: InventoryMovement) -> int:
    if movement.kind in INWARD or movement.kind in BACK:
        return 1
    return -1 if movement.kind in OUTWARD else 0


def position(
    item: str,
    plant: str,
    lot: str | None,
    record: Item | None,
    views: _Views,
    whole: bool,
    said: list[SourceStatus],
) -> InventoryPosition:
    """One position: every view in the base unit, and what is left unexplained between them."""
    unit = record.base_unit if record is not None else None
    unit = unit or views.balances[0].on_hand.unit
    by_view = {
        view: total([b.on_hand for b in views.balances if b.view is view], unit, record)
        for view in BalanceView
    }
    flying = in_flight(views.movements)
    moving = _signed(flying, unit, record)
    book, physical, wip = by_view[BalanceView.BOOK], by_view[BalanceView.PHYSICAL], by_view[BalanceView.WIP]
    unexplained = None
    verdict = ReconcileVerdict.NOT_COMPARABLE
    if whole and book is not None and physical is not None and wip is not None and moving is not None:
        gap = physical.value + wip.value - book.value
        unexplained = of(gap - moving.value, unit)
        verdict = _verdict(unexplained.value, gap)
    present = {b.view for b in views.balances}
    return InventoryPosition(
        item,
        plant,
        lot,
        verdict,
        book if BalanceView.BOOK in present or whole else None,
        physical if BalanceView.PHYSICAL in present or whole else None,
        wip if BalanceView.WIP in present or whole else None,
        moving,
        unexplained,
        _comparable_at(views.balances),
        tuple(views.balances),
        tuple(movement for movement, _ in flying),
        tuple(said),
    )


def _verdict(unexplained: Decimal, gap: Decimal) -> ReconcileVerdict:
    if unexplained == 0:
        return ReconcileVerdict.MATCH if gap == 0 else ReconcileVerdict.EXPLAINED_BY_TIMING
    return ReconcileVerdict.VARIANCE


def _signed(flying: Sequence[tuple[InventoryMovement, int]], unit: str, item: Item | None) -> Quantity | None:
    amount = Decimal(0)
    for movement, sign in flying:
        converted = convert(movement.quantity, unit, item)
        if converted is None:
            return None
        amount += sign * abs(converted.value)
    return of(amount, unit)


def _comparable_at(balances: Sequence[InventoryBalance]) -> datetime | None:
    """The oldest watermark of the views: later than this, one of them has not been heard."""
    return min((balance.provenance.fetched_at for balance in balances), default=None)
