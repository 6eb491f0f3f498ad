"""The world: everything that exists in the simulated plant, found by key, and the agenda that moves it."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from threading import Lock
from typing import Any

from sources.plant.world.clock import Clock
from sources.plant.world.ledger import Ledger
from sources.plant.world.material import Item, Lot, LotKey
from sources.plant.world.places import PLANTS, WORK_CENTERS, locations, parties
from sources.plant.world.production import Order
from sources.plant.world.quality import Hold, Inspection
from sources.plant.world.trade import Maintenance, PurchaseOrder, SalesOrder, Shipment

Happening = Callable[[datetime], None]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that just happened: a word for it, the thing it happened to, a part of that, and when it truly was."""

    kind: str
    thing: Any
    at: datetime
    part: Any = None


class World:
    """The truth, and the only thing the eight systems share. Built by `build_world`.

    Every answer of a system calls `catch_up`, which lets happen what is due by the clock; several servers in
    several threads may do so at once.
    """

    def __init__(self, seed: int, clock: Clock) -> None:
        self.seed = seed
        self.clock = clock
        self.rng = Random(seed)
        self.plants = {plant.code: plant for plant in PLANTS}
        self.work_centers = {center.code: center for center in WORK_CENTERS}
        self.locations = locations()
        self.parties = parties()
        self.items: dict[str, Item] = {}
        self.ledger = Ledger()
        self.lots: dict[LotKey, Lot] = {}
        self.lots_of_item: dict[str, list[Lot]] = defaultdict(list)
        self.orders: dict[str, Order] = {}
        self.orders_by: dict[str, dict[str, list[Order]]] = defaultdict(lambda: defaultdict(list))
        self.sales: dict[str, SalesOrder] = {}
        self.sales_by_reference: dict[str, list[SalesOrder]] = defaultdict(list)
        self.purchases: dict[str, PurchaseOrder] = {}
        self.shipments: dict[str, Shipment] = {}
        self.shipments_by: dict[str, dict[str, list[Shipment]]] = defaultdict(lambda: defaultdict(list))
        self.inspections: dict[str, Inspection] = {}
        self.inspections_by: dict[str, dict[str, list[Inspection]]] = defaultdict(lambda: defaultdict(list))
        self.holds: dict[str, Hold] = {}
        self.holds_by: dict[str, dict[str, list[Hold]]] = defaultdict(lambda: defaultdict(list))
        self.maintenance: dict[str, Maintenance] = {}
        self.maintenance_of: dict[str, list[Maintenance]] = defaultdict(list)
        self.listeners: list[Callable[[Told], None]] = []
        self._agenda: list[tuple[datetime, int, Happening]] = []
        self._planned = 0
        self._lock = Lock()

    def add_lot(self, lot: Lot) -> Lot:
        """File a lot."""
        self.lots[lot.key] = lot
        self.lots_of_item[lot.item].append(lot)
        return lot

    def add_order(self, order: Order) -> None:
        """File an order by plant, item, work centers and sales order."""
        self.orders[order.number] = order
        self.orders_by["plant"][order.plant].append(order)
        self.orders_by["item"][order.item].append(order)
        for center in {operation.work_center for operation in order.operations}:
            self.orders_by["work_center"][center].append(order)
        if order.sales_order:
            self.orders_by["sales_order"][order.sales_order].append(order)

    def add_sales(self, order: SalesOrder) -> None:
        """File a sales order by number and by the customer's own number."""
        self.sales[order.number] = order
        self.sales_by_reference[order.customer_po].append(order)

    def add_shipment(self, shipment: Shipment) -> None:
        """File a shipment by everything it can be asked for."""
        self.shipments[shipment.number] = shipment
        keys = {
            "plant": {shipment.plant},
            "carrier": {shipment.carrier},
            "partner": {shipment.partner},
            "purchase_order": {shipment.purchase_order},
            "order": {line.order for line in shipment.lines},
            "sales_order": {line.sales_order for line in shipment.lines},
            "sales_line": {
                f"{line.sales_order}/{line.sales_line}" for line in shipment.lines if line.sales_order
            },
            "sscc": {unit.sscc for unit in shipment.units},
            "tracking": {shipment.tracker.number} if shipment.tracker else set(),
            "lot": {f"{line.item}|{line.lot}" for line in shipment.lines if line.lot},
        }
        for name, values in keys.items():
            for value in values - {""}:
                index = self.shipments_by[name][value]
                if shipment not in index:
                    index.append(shipment)

    def add_inspection(self, inspection: Inspection) -> None:
        """File an inspection by lot and order."""
        self.inspections[inspection.number] = inspection
        self.inspections_by["lot"][f"{inspection.item}|{inspection.lot}"].append(inspection)
        if inspection.order:
            self.inspections_by["order"][inspection.order].append(inspection)

    def add_hold(self, hold: Hold) -> None:
        """File a hold by what it touches."""
        self.holds[hold.number] = hold
        if hold.lot:
            self.holds_by["lot"][f"{hold.item}|{hold.lot}"].append(hold)
        if hold.order:
            self.holds_by["order"][hold.order].append(hold)
        if hold.shipment:
            self.holds_by["shipment"][hold.shipment].append(hold)

    def add_maintenance(self, order: Maintenance) -> None:
        """File a maintenance order by work center."""
        self.maintenance[order.number] = order
        self.maintenance_of[order.work_center].append(order)

    def now(self) -> datetime:
        """World time."""
        return self.clock.now()

    def tell(self, kind: str, thing: Any, at: datetime, part: Any = None) -> None:
        """Let those who listen know; before anybody does, nothing is kept of it."""
        for listener in self.listeners:
            listener(Told(kind, thing, at, part))

    def plan(self, at: datetime, happening: Happening) -> None:
        """Let something happen at a time; what is due at the same time happens in the order planned."""
        self._planned += 1
        heapq.heappush(self._agenda, (at, self._planned, happening))

    def catch_up(self) -> int:
        """Let everything happen that is due; returns how many things did."""
        return self.tick(self.clock.now())

    def tick(self, now: datetime) -> int:
        """Let everything happen that is due by `now`, each at its own time."""
        if not self._agenda or self._agenda[0][0] > now:
            return 0
        count = 0
        with self._lock:
            while self._agenda and self._agenda[0][0] <= now:
                at, _, happening = heapq.heappop(self._agenda)
                happening(at)
                count += 1
        return count
