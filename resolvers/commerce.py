"""Partners, sales orders, purchase orders and maintenance: edges and computed facts."""

from strawberry.types import Info

from resolvers.common import keys_of
from resolvers.edges import Edge, Fact, Function, expose
from resolvers.freshness import at
from resolvers.integration import LINE_FIELDS
from resolvers.loaders import Answer
from resolvers.sourcing import sources
from schema.base import ExternalKey, Plant, SystemKind, join_key
from schema.commerce import (
    Party,
    PurchaseOrder,
    PurchaseOrderLine,
    SalesOrder,
    SalesOrderLine,
    SupplierCommit,
)
from schema.equipment import MaintenanceOrder, WorkCenter
from schema.logistics import Shipment, ShipmentWarehouse
from schema.material import Item
from schema.production import (
    Checkpoint,
    CheckpointKind,
    CheckpointState,
    OrderPlanning,
    OrderStatus,
    ProductionOrder,
)

LINE = ("order", "number")
RELEASED = {
    OrderStatus.RELEASED,
    OrderStatus.IN_PROGRESS,
    OrderStatus.ON_HOLD,
    OrderStatus.COMPLETED,
    OrderStatus.CLOSED,
}


async def line_checkpoints(row: SalesOrderLine, info: Info) -> list[Checkpoint]:
    """Whether the production orders of the line are released and its shipments are on their way."""
    loaders = at(info)
    key = join_key(row.order, row.number)
    orders: Answer[list[ProductionOrder]] = await loaders.many(ProductionOrder, key, "sales_line")
    shipments: Answer[list[Shipment]] = await loaders.many(Shipment, key, "sales_line")
    plans = await loaders.each(
        OrderPlanning, [join_key(o.plant, o.number) for o in orders.value or ()], "order"
    )
    released = [plan.value is not None and plan.value.status in RELEASED for plan in plans]
    known = orders.known and all(plan.known for plan in plans)
    return [
        Checkpoint(CheckpointKind.ORDER_RELEASED, _state(known, released), SystemKind.ERP),
        Checkpoint(
            CheckpointKind.SHIPPED, _state(shipments.known, await _confirmed(shipments, info)), SystemKind.WMS
        ),
    ]


async def _confirmed(shipments: Answer[list[Shipment]], info: Info) -> list[bool]:
    numbers = [join_key(shipment.number) for shipment in shipments.value or ()]
    found = await at(info).each(ShipmentWarehouse, numbers, "shipment")
    return [answer.value is not None and answer.value.confirmed_at is not None for answer in found]


def _state(known: bool, done: list[bool]) -> CheckpointState:
    if not known:
        return CheckpointState.UNKNOWN
    if not done:
        return CheckpointState.NOT_DUE
    return CheckpointState.DONE if all(done) else CheckpointState.PENDING


def party_keys(party: Party) -> list[ExternalKey]:
    """The partner's number in the system that owns it."""
    return keys_of("Party", party.code, [party])


def work_center_keys(center: WorkCenter) -> list[ExternalKey]:
    """The work centre's code in the system that owns it."""
    return keys_of("WorkCenter", center.code, [center])


def install() -> None:
    """Put partners, orders and equipment into the graph."""
    expose(Party, Fact("keys", party_keys))
    expose(
        SalesOrder,
        Edge("customer", Party, ("customer",), stub=True, required=True),
        Edge("lines", SalesOrderLine, ("number",), "order", many=True),
        Function("sources", sources),
        owners=("lines",),
    )
    expose(
        SalesOrderLine,
        Edge("order", SalesOrder, ("order",)),
        Edge("item", Item, ("item",), stub=True, required=True),
        Edge("production_orders", ProductionOrder, LINE, "sales_line", many=True),
        Edge("shipments", Shipment, LINE, "sales_line", many=True),
        Function(
            "checkpoints",
            line_checkpoints,
            ("production_orders", "shipments"),
            ((OrderPlanning, "order"), (ShipmentWarehouse, "shipment")),
        ),
        *LINE_FIELDS,
    )
    expose(
        PurchaseOrder,
        Edge("supplier", Party, ("supplier",), stub=True, required=True),
        Edge("lines", PurchaseOrderLine, ("number",), "order", many=True),
    )
    expose(
        PurchaseOrderLine,
        Edge("item", Item, ("item",), stub=True, required=True),
        Edge("commit", SupplierCommit, ("order",), "order", match={"number": "number"}),
        Function("sources", sources),
        owners=("commit",),
    )
    expose(SupplierCommit)
    expose(
        WorkCenter,
        Edge("plant", Plant, ("plant",), required=True),
        Edge("open_maintenance", MaintenanceOrder, ("plant", "code"), "work_center", many=True),
        Fact("keys", work_center_keys),
        Function("sources", sources),
        owners=("open_maintenance",),
    )
    expose(MaintenanceOrder, Edge("work_center", WorkCenter, ("plant", "work_center"), stub=True))
