"""The systems of a little plant, with the rows that the tests of the graph look at."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from schema.base import SystemKind
from schema.commerce import Party
from schema.logistics import Shipment, ShipmentPosting, ShipmentTransport, ShipmentWarehouse
from schema.material import (
    BalanceView,
    InventoryBalance,
    InventoryMovement,
    Item,
    ItemUnit,
    Lot,
    LotMaster,
    LotQuality,
    LotStatus,
    LotTransformation,
    MovementKind,
)
from schema.production import (
    MaterialConsumption,
    MaterialRequirement,
    Operation,
    OperationActual,
    OperationStatus,
    OrderExecution,
    OrderPlanning,
    OrderPosting,
    OrderStatus,
    ProductionOrder,
)
from schema.quality import HoldRestriction, HoldScope, HoldState, QualityHold
from sources.base import Part
from tests.graph.fakes import NOW, Fake, Spec, pieces, said

ORDERS = 60
PLANT = "1710"

ORDER_PARTS = (Part(ProductionOrder), Part(OrderPlanning, "order"), Part(OrderPosting, "order"))


def number(index: int) -> str:
    """The number of an order."""
    return f"{1000000 + index}"


@dataclass
class Systems:
    """The connected systems."""

    erp: Fake
    mes: Fake
    wms: Fake
    qms: Fake
    tms: Fake

    @property
    def all(self) -> tuple[Fake, ...]:
        """In the order of the configuration."""
        return (self.erp, self.mes, self.wms, self.qms, self.tms)

    def named(self, code: str) -> Fake:
        """One of them."""
        return next(system for system in self.all if system.code == code)


def systems() -> Systems:
    """A fresh plant: an ERP, an MES, a WMS, a QMS and a TMS."""
    return Systems(_erp(), _mes(), _wms(), _qms(), _tms())


def _erp() -> Fake:
    rows: list[Any] = []
    for index in range(ORDERS):
        key = number(index)
        where = said("ERP", f"00000{key}")
        rows += [
            ProductionOrder(PLANT, key, f"FG-{index % 3}", provenance=where),
            OrderPlanning(
                PLANT,
                key,
                pieces("100", "PCE"),
                where,
                NOW + timedelta(hours=index),
                NOW + timedelta(days=1),
                date(2026, 12, 1),
                NOW,
                status=OrderStatus.RELEASED,
                status_codes=("REL",),
            ),
            OrderPosting(PLANT, key, where, received=pieces("50")),
            MaterialRequirement(PLANT, key, "RM-1", pieces("200"), pieces("100"), provenance=where),
            Operation(PLANT, key, "0010", "Saw", "WC1", provenance=where),
        ]
    rows += [
        Item("FG-0", "Pump", base_unit="H87", provenance=said("ERP")),
        Item("FG-1", "Valve", base_unit="H87", provenance=said("ERP")),
        Item(
            "RM-1",
            "Rod",
            base_unit="H87",
            units=(ItemUnit("XBX", "10", "1", "ERP", "BX"),),
            provenance=said("ERP"),
        ),
        Item("ODD/1", "Slash", base_unit="H87", provenance=said("ERP")),
        Party("C1", "Customer", provenance=said("ERP")),
        Lot("RM-1", "L1", provenance=said("ERP")),
        LotMaster("RM-1", "L1", said("ERP"), "S-9", expires_on=date(2027, 1, 1)),
        Lot("ODD/1", "A/B", provenance=said("ERP")),
        InventoryBalance(PLANT, "RM-1", "S1", BalanceView.BOOK, pieces("100"), said("ERP"), "L1"),
        ShipmentPosting("S100", said("ERP"), True, "49001"),
    ]
    specs = [
        Spec("orders", ORDER_PARTS, True, frozenset({"plants", "items"})),
        Spec("materials", (Part(MaterialRequirement, "order", True),)),
        Spec("operations", (Part(Operation, "order", True),)),
        Spec("operation", (Part(Operation),)),
        Spec("items", (Part(Item),), True),
        Spec("parties", (Part(Party),)),
        Spec("lots", (Part(Lot), Part(LotMaster, "lot")), True),
        Spec("stock", (Part(InventoryBalance, "item", True),)),
        Spec("lot_stock", (Part(InventoryBalance, "lot", True),)),
        Spec("movements", (Part(InventoryMovement, "item", True),), True),
        Spec("deliveries", (Part(ShipmentPosting, "shipment"),)),
    ]
    keys = {"ProductionOrder": {"number": {"strip_zeros": True}}}
    return Fake("ERP", SystemKind.ERP, specs, rows, [PLANT], keys)


def _mes() -> Fake:
    rows: list[Any] = []
    for index in range(ORDERS):
        key, where = number(index), said("MES", number(index))
        if index % 2 == 0:
            rows.append(
                OrderExecution(
                    PLANT,
                    key,
                    where,
                    NOW,
                    good=pieces("50"),
                    status=OrderStatus.IN_PROGRESS,
                    status_codes=("RUN",),
                )
            )
        rows += [
            MaterialConsumption(PLANT, key, "RM-1", pieces("11", "XBX"), where, ("L1",)),
            OperationActual(PLANT, key, "0010", where, pieces("50"), status=OperationStatus.RUNNING),
        ]
    rows.append(ProductionOrder(PLANT, number(0), "FG-0", provenance=said("MES")))
    for one, other in (("L1", "F1"), ("F1", "F2"), ("F2", "L1")):
        rows.append(LotTransformation("RM-1", one, "RM-1", other, said("MES"), PLANT, number(0)))
    specs = [
        Spec("orders", (Part(ProductionOrder), Part(OrderExecution, "order")), True),
        Spec("consumption", (Part(MaterialConsumption, "order", True),)),
        Spec("actuals", (Part(OperationActual, "order", True),)),
        Spec("into", (Part(LotTransformation, "input", True),)),
        Spec("out_of", (Part(LotTransformation, "output", True),)),
    ]
    return Fake("MES", SystemKind.MES, specs, rows, [PLANT])


def _wms() -> Fake:
    rows: list[Any] = [
        InventoryBalance(PLANT, "RM-1", "B-01", BalanceView.PHYSICAL, pieces("9", "XBX"), said("WMS"), "L1"),
        InventoryMovement(
            "WMS",
            "M1",
            PLANT,
            "RM-1",
            MovementKind.ISSUE_TO_PRODUCTION,
            pieces("10"),
            NOW,
            "PICK",
            said("WMS"),
            "L1",
            reference="T-1",
        ),
        Shipment("S100", plant=PLANT, ship_to="C1", orders=(f"{PLANT}/{number(0)}",), provenance=said("WMS")),
        ShipmentWarehouse("S100", said("WMS"), confirmed_at=NOW),
    ]
    specs = [
        Spec("stock", (Part(InventoryBalance, "item", True),)),
        Spec("lot_stock", (Part(InventoryBalance, "lot", True),)),
        Spec("movements", (Part(InventoryMovement, "item", True),), True),
        Spec("shipments", (Part(Shipment), Part(ShipmentWarehouse, "shipment")), True),
        Spec("order_shipments", (Part(Shipment, "order", True),)),
    ]
    return Fake("WMS", SystemKind.WMS, specs, rows, [PLANT])


def _qms() -> Fake:
    rows: list[Any] = [
        LotQuality("RM-1", "L1", said("QMS"), LotStatus.RELEASED),
        QualityHold(
            "H1",
            "scratched",
            HoldScope.ORDER,
            HoldState.ENFORCED,
            NOW,
            said("QMS"),
            (HoldRestriction.PRODUCE,),
            plant=PLANT,
            order=number(1),
        ),
    ]
    specs = [
        Spec("holds", (Part(QualityHold, "order", True),)),
        Spec("lot_holds", (Part(QualityHold, "lot", True),)),
        Spec("hold", (Part(QualityHold),), True),
        Spec("lots", (Part(LotQuality, "lot"),)),
    ]
    return Fake("QMS", SystemKind.QMS, specs, rows)


def _tms() -> Fake:
    rows = [ShipmentTransport("S100", said("TMS"), tracking_number="1Z9")]
    return Fake("TMS", SystemKind.TMS, [Spec("loads", (Part(ShipmentTransport, "shipment"),))], rows)
