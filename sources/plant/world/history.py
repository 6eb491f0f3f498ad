"""What the orders did before the clock started: lots used and made, stock staged, consumed, received."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal

from sources.plant.world.material import Lot, LotKey, Place
from sources.plant.world.motion import (
    ADJUST,
    ISSUE,
    RECEIPT,
    RETURN,
    TRANSFER,
    Draft,
    happen,
    home,
    settle_later,
)
from sources.plant.world.places import GOODS, LETTERS, RAW, line_side
from sources.plant.world.production import CANCELLED, COMPLETED, RELEASED, STARTED, ZERO, Component, Order
from sources.plant.world.world import World

DUPLICATE_BACKFLUSH = "1000052"
RETURNED = ("1000064", "1000070")
LATE_LAG = timedelta(hours=9)
SHRUNK, COUNTED = 6, 8


class History:
    """Collects drafts of all orders, then lets them happen in the order of time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.drafts: list[Draft] = []
        self._need: dict[LotKey, Decimal] = defaultdict(lambda: ZERO)
        self._made: dict[LotKey, Decimal] = defaultdict(lambda: ZERO)
        self._bins = 0

    def run(self) -> None:
        """Give every released order its lots, let the past happen, and lose a few pieces nobody noticed."""
        for order in self.world.orders.values():
            if order.released_at is not None:
                add_output(self.world, order, self.bin(order.plant, area_of(self.world, order)))
        for order in self.world.orders.values():
            if order.state != CANCELLED:
                self._materials(order)
                self._receipts(order)
        for lot in list(self.world.lots.values()):
            self._open(lot)
        self._counts()
        for draft in sorted(self.drafts, key=lambda draft: draft.at):
            settle_later(self.world, happen(self.world, draft), draft.lag)
        self._shrink()

    def lag(self) -> timedelta:
        """How long a posting takes: minutes as a rule, most of a shift now and then."""
        rng = self.world.rng
        return LATE_LAG if rng.random() < 0.01 else timedelta(minutes=rng.randint(2, 45))

    def bin(self, plant: str, area: str) -> str:
        """The next bin of an area, round the aisles."""
        self._bins += 1
        aisles = 8 if area == RAW else 5
        return f"{LETTERS[plant]}{area}-{self._bins % aisles + 1:02d}-{self._bins % 4 + 1:02d}"

    def _pick(self, item: str, plant: str, order: Order) -> Lot:
        """A lot to use: a subassembly made earlier in the plant, or one of the bought lots."""
        lots = [
            lot
            for lot in self.world.lots_of_item[item]
            if lot.plant == plant and lot.order != order.number and self._usable(lot, order)
        ]
        return self.world.rng.choice(lots) if len(lots) > 2 else self._bought(item, plant, len(lots))

    def _usable(self, lot: Lot, order: Order) -> bool:
        return not lot.order or (lot.order < order.number and self.world.orders[lot.order].state in STARTED)

    def _bought(self, item: str, plant: str, count: int) -> Lot:
        world, supplier = self.world, f"sup-{hash_of(item) % 12 + 1}"
        made = world.clock.start - timedelta(days=30 + 10 * count + hash_of(item) % 9)
        number = f"R{made:%y%m%d}-{hash_of(item + plant) % 90 + 10}"
        expires = made.date() + timedelta(days=365 if count else 45)
        lot = Lot(item, number, plant, made.date(), expires, "DE", made, supplier=supplier)
        lot.supplier_lot = f"{supplier[4:].zfill(2)}/{number[1:7]}"
        lot.home_bin = self.bin(plant, RAW)
        return world.add_lot(lot)

    def _materials(self, order: Order) -> None:
        """Stage and consume: started orders fully staged, released ones partly, the rest not yet."""
        world = self.world
        share = max((row.good + row.scrap) / row.quantity for row in order.operations[:2])
        for n, component in enumerate(order.components):
            lot = self._pick(component.item, order.plant, order)
            component.lot = lot.number
            # The books must bear the duplicate too, or they would show less than nothing.
            times = 2 if order.number == DUPLICATE_BACKFLUSH and n == 0 else 1
            self._need[lot.key] += component.required * times * Decimal("1.10")
            if order.state in STARTED:
                self._stage(order, component, lot, line_side(order.operations[0].work_center))
                used = self._consume(order, component, lot, share, n)
                link(world, order, lot, used)
            elif order.state == RELEASED and not component.backflush and world.rng.random() < 0.6:
                self._stage(order, component, lot, f"{LETTERS[order.plant]}-STAGE")

    def _stage(self, order: Order, component: Component, lot: Lot, target: str) -> None:
        begin = order.actual_start or self.world.clock.start
        at = begin - timedelta(minutes=self.world.rng.randint(20, 80))
        quantity = component.required * (Decimal("1.05") if _over(order, component) else 1)
        component.staged = quantity
        drafted = Draft(at, TRANSFER, lot, quantity, lot.home_bin, target, "WMS", self.lag(), order.number)
        self.drafts.append(drafted)

    def _consume(self, order: Order, component: Component, lot: Lot, share: Decimal, n: int) -> Decimal:
        begin = order.actual_start or self.world.clock.start
        end = order.operations[0].actual_end or min(begin + timedelta(hours=6), self.world.clock.start)
        unit = Decimal(1) if self.world.items[lot.item].base_unit == "PC" else Decimal("0.001")
        used = component.staged if share >= 1 else (component.staged * share).quantize(unit)
        first = (used / 2).quantize(unit)
        source = line_side(order.operations[0].work_center)
        moments = ((begin + timedelta(minutes=12 + n), first), (end - timedelta(minutes=n), used - first))
        for at, quantity in moments:
            if quantity:
                self.drafts.append(
                    Draft(at, ISSUE, lot, quantity, source, "", "MES", self.lag(), order.number)
                )
        if order.number == DUPLICATE_BACKFLUSH and n == 0:
            at = end + timedelta(minutes=5)
            ghost = Draft(at, ISSUE, lot, used, source, "", "ERP", timedelta(), order.number, physical=False)
            self.drafts.append(ghost)
        if order.number in RETURNED and n == 0:
            back = Draft(end, RETURN, lot, Decimal(5), "", lot.home_bin, "MES", self.lag(), order.number)
            self.drafts.append(back)
        return used

    def _receipts(self, order: Order) -> None:
        if order.state not in STARTED:
            return
        lot = self.world.lots[LotKey(order.item, order.lot)]
        source_lag = timedelta(minutes=6)
        for report in order.operations[-1].reports:
            if report.good:
                at = min(report.at + source_lag, self.world.clock.start)
                self._made[lot.key] += report.good
                self.drafts.append(
                    Draft(at, RECEIPT, lot, report.good, "", lot.home_bin, "WMS", self.lag(), order.number)
                )

    def _open(self, lot: Lot) -> None:
        """Opening stock: enough for what the orders take, rounded up to boxes."""
        item = self.world.items[lot.item]
        short = max(self._need[lot.key] - self._made[lot.key], ZERO)
        if lot.order and not short:
            return
        box = (item.pieces_per_box or Decimal(1)) * (item.kg_per_piece or Decimal(1))
        boxes = (short / box).to_integral_value(ROUND_CEILING) + self.world.rng.randint(2, 12)
        place = Place(lot.item, lot.number, lot.plant, lot.home_bin, lot.bin_status)
        self.world.ledger.physical.add(place, boxes * box)
        self.world.ledger.book.add(home(self.world, lot), boxes * box)

    def _counts(self) -> None:
        """Cycle counts in Zwolle found a piece less here and there, and said so."""
        lots = [lot for lot in self.world.lots.values() if not lot.order and lot.plant == "1720"]
        for n, lot in enumerate(self.world.rng.sample(lots, COUNTED)):
            at = self.world.clock.start - timedelta(hours=1 + 7 * n)
            lag = LATE_LAG if n == 0 else self.lag()
            self.drafts.append(Draft(at, ADJUST, lot, Decimal(1), lot.home_bin, "", "WMS", lag))

    def _shrink(self) -> None:
        """A few bins hold less than anyone has written down."""
        bought = [lot for lot in self.world.lots.values() if not lot.order and lot.plant == "1710"]
        for lot in self.world.rng.sample(bought, SHRUNK):
            place = Place(lot.item, lot.number, lot.plant, lot.home_bin, lot.bin_status)
            lost = Decimal(self.world.rng.randint(1, 5))
            self.world.ledger.physical.add(place, -lost)
            self.world.ledger.shrink[lot.item, lot.plant] += lost


def hash_of(text: str) -> int:
    """A number from a text, the same in every process."""
    return sum((n + 1) * ord(letter) for n, letter in enumerate(text))


def _over(order: Order, component: Component) -> bool:
    """One component of some finished orders took more than planned."""
    return order.state == COMPLETED and int(order.number) % 8 == 0 and component.position == "0010"


def area_of(world: World, order: Order) -> str:
    """Where the order's output is put away."""
    return GOODS if world.items[order.item].kind == "FG" else RAW


def add_output(world: World, order: Order, home_bin: str) -> Lot:
    """The output lot of a released order, with its home bin."""
    begin = order.actual_start or order.planned_start
    life = 540 if world.items[order.item].kind == "FG" else 180
    country = world.plants[order.plant].country
    expires = begin.date() + timedelta(days=life)
    lot = Lot(order.item, order.lot, order.plant, begin.date(), expires, country, begin, order=order.number)
    lot.home_bin = home_bin
    return world.add_lot(lot)


def link(world: World, order: Order, lot: Lot, used: Decimal) -> None:
    """Some of a lot went into the order's output lot."""
    output = world.lots[LotKey(order.item, order.lot)]
    output.parents.append((lot.key, used))
    lot.children.append((output.key, used))
