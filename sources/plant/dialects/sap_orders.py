"""SAP_PRD: production orders with planning, posting, operations and components; sales and purchase orders."""

from __future__ import annotations

from sources.plant.asgi import Row
from sources.plant.dialects.common import Rows, bare, one
from sources.plant.dialects.sap_words import (
    EntitySet,
    amount,
    changed_since,
    contains,
    dated,
    document,
    flag,
    line_no,
    material,
    order_no,
    stamp,
    unit,
    when,
)
from sources.plant.world.production import (
    CANCELLED,
    CLOSED,
    COMPLETED,
    CREATED,
    IN_PROGRESS,
    ON_HOLD,
    RELEASED,
    STARTED,
    Component,
    Operation,
    Order,
)
from sources.plant.world.trade import PurchaseOrder, SalesOrder
from sources.plant.world.world import World

PRODUCTION = "API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2"
SALES = "API_SALES_ORDER_SRV/A_SalesOrder"
PURCHASE = "API_PURCHASEORDER_PROCESS_SRV/A_PurchaseOrder"
SHORT = {
    CREATED: "CRTD",
    RELEASED: "REL",
    IN_PROGRESS: "PCNF",
    COMPLETED: "DLV",
    CLOSED: "CLSD",
    CANCELLED: "DLFL",
}
COMMERCE = {
    "OPEN": "A",
    "CONFIRMED": "B",
    "PARTIALLY_FULFILLED": "P",
    "FULFILLED": "C",
    "CLOSED": "L",
    "CANCELLED": "X",
}


def sets(world: World) -> list[EntitySet[Order] | EntitySet[SalesOrder] | EntitySet[PurchaseOrder]]:
    """The entity sets of orders."""
    return [_production(world), _sales(world), _purchase(world)]


def _production(world: World) -> EntitySet[Order]:
    by, rows = world.orders_by, Rows[Order](lambda order: order.number, lambda order: order_row(world, order))
    return EntitySet(
        path=PRODUCTION,
        key="ManufacturingOrder",
        everything=world.orders.values,
        row=rows,
        indexes={
            "ManufacturingOrder": lambda key: one(world.orders)(bare(key)),
            "SalesOrder": lambda key: by["sales_order"].get(bare(key), []),
            "WorkCenter": lambda key: by["work_center"].get(key, []),
            "Material": lambda key: by["item"].get(bare(key), []),
            "ProductionPlant": lambda key: by["plant"].get(key, []),
        },
        params={
            "salesOrder": "SalesOrder",
            "workCenter": "WorkCenter",
            "material": "Material",
            "plant": "ProductionPlant",
            "status": "OrderSystemStatus",
        },
        tests={
            "changedSince": changed_since("LastChangeDateTime"),
            "dueFrom": dated("MfgOrderDueDate", latest=False),
            "dueTo": dated("MfgOrderDueDate", latest=True),
            "search": contains("ManufacturingOrder", "Material"),
        },
        nested=("to_ProductionOrderOperation", "to_ProductionOrderComponent", "to_ProductionOrderStatus"),
    )


def system_status(order: Order) -> str:
    """The leading status word, as the ERP sees it: it only knows of progress what has been booked."""
    if order.state == ON_HOLD:
        return "LKD" if order.erp_locked else "PCNF" if order.confirmed else "REL"
    if order.state == IN_PROGRESS and not order.confirmed:
        return "REL"
    if order.state == COMPLETED and order.received < order.good:
        return "PCNF"
    return SHORT[order.state]


def order_row(world: World, order: Order) -> Row:
    """The order with everything nested; what is not expanded is taken out later."""
    item, status = world.items[order.item], system_status(order)
    planned, release = order.planned_start, order.released_at
    return {
        "__metadata": {
            "type": "API_PRODUCTION_ORDER_2_SRV.A_ProductionOrder_2Type",
            "etag": f'W/"{stamp(order.changed_at)}"',
        },
        "ManufacturingOrder": order_no(order.number),
        "ManufacturingOrderType": "YBM1",
        "OrderSystemStatus": status,
        **_flags(order, status),
        "LastChangeDateTime": stamp(order.changed_at),
        "CreationDate": when(order.created_at),
        "Material": material(order.item),
        "MaterialName": item.description,
        "ProductionPlant": order.plant,
        "Plant": order.plant,
        "SalesOrder": document(order.sales_order),
        "SalesOrderItem": line_no(order.sales_line),
        "Batch": order.lot,
        "OrderPriority": str(order.priority),
        "MfgOrderPlannedStartDate": when(planned.date()),
        "MfgOrderPlannedStartTime": f"PT{planned:%H}H{planned:%M}M{planned:%S}S",
        "MfgOrderPlannedStartDateTime": when(planned),
        "MfgOrderPlannedEndDateTime": when(order.planned_end),
        "MfgOrderDueDate": when(order.due),
        "MfgOrderActualReleaseDate": when(release),
        "ProductionUnit": unit(item),
        "ProductionUnitISOCode": "PCE" if item.base_unit == "PC" else "KGM",
        "TotalQuantity": amount(order.quantity),
        "MfgOrderConfirmedYieldQty": amount(order.confirmed),
        "ActualDeliveredQuantity": amount(order.received),
        "LastPostingDate": when(order.last_posting),
        "OrderIsFullyPosted": flag(order.state in (COMPLETED, CLOSED) and order.received >= order.good),
        "to_ProductionOrderStatus": {"results": _statuses(order, status)},
        "to_ProductionOrderOperation": {
            "results": [_operation(world, order, row) for row in order.operations]
        },
        "to_ProductionOrderComponent": {
            "results": [_component(world, order, row) for row in order.components]
        },
    }


def _flags(order: Order, status: str) -> dict[str, str]:
    """Several are set at once, as in life."""
    released = order.released_at is not None
    return {
        "OrderIsCreated": flag(status == "CRTD"),
        "OrderIsReleased": flag(released and status != "CLSD"),
        "OrderIsPartiallyConfirmed": flag(status == "PCNF"),
        "OrderIsPartiallyDelivered": flag(bool(order.received) and status in ("PCNF", "LKD")),
        "OrderIsConfirmed": flag(status in ("DLV", "CLSD")),
        "OrderIsDelivered": flag(status in ("DLV", "CLSD")),
        "OrderIsLocked": flag(status == "LKD"),
        "OrderIsTechnicallyCompleted": flag(status == "CLSD"),
        "OrderIsClosed": flag(status == "CLSD"),
        "OrderIsMarkedForDeletion": flag(status == "DLFL"),
    }


def _statuses(order: Order, status: str) -> list[Row]:
    words = [status] if order.state not in STARTED else ["REL", status, "GMPS"]
    return [
        {"StatusCode": f"I{n + 1:04d}", "IsUserStatus": False, "StatusShortName": word, "StatusName": word}
        for n, word in enumerate(dict.fromkeys(words))
    ]


def _operation(world: World, order: Order, row: Operation) -> Row:
    booked = [report for report in row.reports if report.erp_document] or row.reports[:-1]
    return {
        "ManufacturingOrder": order_no(order.number),
        "ManufacturingOrderSequence": "0",
        "ManufacturingOrderOperation": row.number,
        "OrderIntBillOfOperationsItem": str(int(row.number) // 10),
        "MfgOrderOperationText": row.description,
        "WorkCenter": row.work_center,
        "OperationIsReleased": flag(order.released_at is not None),
        "OperationIsPartiallyConfirmed": flag(bool(booked) and row.status != "COMPLETED"),
        "OperationIsConfirmed": flag(row.status == "COMPLETED"),
        "OpErlstSchedldExecStrtDteTme": when(row.planned_start),
        "OpErlstSchedldExecEndDteTme": when(row.planned_end),
        "StandardSetupDuration": str(row.setup_minutes),
        "StandardRunDuration": str(row.run_minutes),
        "DurationUnit": "MIN",
        "OperationUnit": unit(world.items[order.item]),
        "OpPlannedTotalQuantity": amount(row.quantity),
        "OpTotalConfirmedYieldQty": amount(sum((report.good for report in booked), start=order.scrap * 0)),
    }


def _component(world: World, order: Order, row: Component) -> Row:
    return {
        "ManufacturingOrder": order_no(order.number),
        "Reservation": order_no(order.number)[-10:],
        "ReservationItem": row.position,
        "ManufacturingOrderOperation": row.operation,
        "Material": material(row.item),
        "Plant": order.plant,
        "Batch": row.lot if order.released_at else "",
        "BaseUnit": unit(world.items[row.item]),
        "RequiredQuantity": amount(row.required),
        "WithdrawnQuantity": amount(row.issued),
        "MatlCompIsMarkedForBackflush": row.backflush,
    }


def _sales(world: World) -> EntitySet[SalesOrder]:
    return EntitySet(
        path=SALES,
        key="SalesOrder",
        everything=world.sales.values,
        row=Rows[SalesOrder](lambda order: order.number, lambda order: _sales_row(world, order)),
        indexes={
            "SalesOrder": lambda key: one(world.sales)(bare(key)),
            "PurchaseOrderByCustomer": lambda key: world.sales_by_reference.get(key, []),
        },
        params={
            "customerReference": "PurchaseOrderByCustomer",
            "customer": "SoldToParty",
            "status": "OverallSDProcessStatus",
        },
        tests={"changedSince": changed_since("LastChangeDateTime")},
        nested=("to_Item",),
    )


def _sales_row(world: World, order: SalesOrder) -> Row:
    lines = [
        {
            "SalesOrder": document(order.number),
            "SalesOrderItem": line_no(line.number),
            "Material": material(line.item),
            "RequestedQuantity": amount(line.ordered),
            "RequestedQuantityUnit": unit(world.items[line.item]),
            "ConfirmedDeliveryDate": when(line.promised),
        }
        for line in order.lines
    ]
    return {
        "SalesOrder": document(order.number),
        "SoldToParty": order.customer,
        "PurchaseOrderByCustomer": order.customer_po,
        "OverallSDProcessStatus": COMMERCE[order.status],
        "CreationDate": when(order.created_at),
        "LastChangeDateTime": stamp(order.changed_at),
        "to_Item": {"results": lines},
    }


def _purchase(world: World) -> EntitySet[PurchaseOrder]:
    return EntitySet(
        path=PURCHASE,
        key="PurchaseOrder",
        everything=world.purchases.values,
        row=Rows[PurchaseOrder](lambda order: order.number, lambda order: _purchase_row(world, order)),
        indexes={"PurchaseOrder": lambda key: [*one(world.purchases)(key), *one(world.purchases)(bare(key))]},
        params={"supplier": "Supplier", "status": "PurchasingProcessingStatus", "plant": "Plant"},
        tests={
            "changedSince": changed_since("LastChangeDateTime"),
            "dueTo": dated("EarliestDeliveryDate", latest=True),
        },
        nested=("to_PurchaseOrderItem",),
    )


def _purchase_row(world: World, order: PurchaseOrder) -> Row:
    lines = [
        {
            "PurchaseOrder": document(order.number),
            "PurchaseOrderItem": line.number.zfill(5),
            "Material": material(line.item),
            "OrderQuantity": amount(line.ordered),
            "PurchaseOrderQuantityUnit": unit(world.items[line.item]),
            "GoodsReceiptQuantity": amount(line.received),
            "ScheduleLineDeliveryDate": when(line.due),
            "PurchaseOrderItemCategory": "3" if line.subcontract else "0",
        }
        for line in order.lines
    ]
    return {
        "PurchaseOrder": document(order.number),
        "Supplier": order.supplier,
        "Plant": order.plant,
        "PurchasingProcessingStatus": COMMERCE[order.status],
        "EarliestDeliveryDate": when(min(line.due for line in order.lines)),
        "CreationDate": when(order.created_at),
        "LastChangeDateTime": stamp(order.changed_at),
        "to_PurchaseOrderItem": {"results": lines},
    }
