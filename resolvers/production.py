"""Production orders and operations: edges and computed facts."""

from strawberry.types import Info

from resolvers.checkpoints import CHECKPOINT_LOADS, CHECKPOINT_NEEDS, checkpoints
from resolvers.common import SYSTEM, keys_of
from resolvers.edges import Edge, Fact, Function, expose
from resolvers.freshness import at
from resolvers.integration import NO_EXCEPTIONS, ORDER_FIELDS
from resolvers.loaders import Answer
from resolvers.sourcing import sources
from resolvers.statuses import operation_status, order_status, status_basis
from resolvers.variance import consumption_variance
from schema.base import ExternalKey, Plant, Quantity, join_key
from schema.commerce import SalesOrderLine
from schema.equipment import WorkCenter
from schema.integration import Claim, Discrepancy
from schema.logistics import Shipment
from schema.material import Item, Lot
from schema.production import (
    Checkpoint,
    MaterialConsumption,
    MaterialRequirement,
    MaterialStaging,
    Operation,
    OperationActual,
    OperationPlan,
    OperationReport,
    OrderExecution,
    OrderPlanning,
    OrderPosting,
    ProductionOrder,
    RawStatus,
    StatusBasis,
)
from schema.quality import QualityHold, QualityInspection

ORDER = ("plant", "number")
ABSENT = {
    "exceptions": NO_EXCEPTIONS,
}
OWNERS = ("planning", "execution", "posting", "holds")


def order_keys(
    order: ProductionOrder, planning: Answer[OrderPlanning], execution: Answer[OrderExecution]
) -> list[ExternalKey]:
    """The order's number in each system that knows it."""
    return keys_of("ProductionOrder", order.number, [order, planning.value, execution.value])


def staged(requirement: MaterialRequirement, staging: Answer[MaterialStaging]) -> Quantity | None:
    """What the warehouse has staged."""
    return staging.value.staged if staging.value is not None else None


def consumed_mes(
    requirement: MaterialRequirement, consumption: Answer[MaterialConsumption]
) -> Quantity | None:
    """What the shop floor reports as consumed."""
    return consumption.value.consumed if consumption.value is not None else None


async def lots(row: MaterialRequirement, info: Info) -> list[Lot]:
    """The lots of the component that were consumed."""
    loaders = at(info)
    rows = await loaders.many(MaterialConsumption, join_key(row.plant, row.order), "order")
    numbers = {lot for used in rows.value or () if used.component == row.component for lot in used.lots}
    return [Lot(row.component, number) for number in sorted(numbers)]


def install() -> None:
    """Put the production classes into the graph."""
    _orders()
    _operations()
    _materials()
    expose(Checkpoint)
    expose(StatusBasis)
    expose(RawStatus, SYSTEM)


def _orders() -> None:
    expose(
        ProductionOrder,
        Edge("plant", Plant, ("plant",), required=True),
        Edge("item", Item, ("item",), stub=True, required=True),
        Edge("planning", OrderPlanning, ORDER, "order"),
        Edge("execution", OrderExecution, ORDER, "order"),
        Edge("posting", OrderPosting, ORDER, "order"),
        Edge("materials", MaterialRequirement, ORDER, "order", many=True),
        Edge("operations", Operation, ORDER, "order", many=True),
        Edge("inspections", QualityInspection, ORDER, "order", many=True),
        Edge("holds", QualityHold, ORDER, "order", many=True),
        Edge("outputs", Lot, ORDER, "order", many=True),
        Edge("sales_order_line", SalesOrderLine, ("sales_order", "sales_line")),
        Edge("shipments", Shipment, ORDER, "order", many=True),
        Edge("staging", MaterialStaging, ORDER, "order", many=True, hidden=True),
        Edge("consumption", MaterialConsumption, ORDER, "order", many=True, hidden=True),
        Edge("actuals", OperationActual, ORDER, "order", many=True, hidden=True),
        Fact("status", order_status, OWNERS),
        Fact("status_basis", status_basis, OWNERS),
        Fact("keys", order_keys, ("planning", "execution")),
        Function("checkpoints", checkpoints, CHECKPOINT_NEEDS, CHECKPOINT_LOADS),
        *ORDER_FIELDS,
        Function("sources", sources),
        owners=OWNERS,
        absent=ABSENT,
    )
    expose(OrderPlanning)
    expose(
        OrderExecution,
        Edge(
            "current_operation",
            Operation,
            ("plant", "order"),
            "order",
            match={"number": "current_operation"},
        ),
    )
    expose(OrderPosting)


def _operations() -> None:
    expose(
        Operation,
        Edge("work_center", WorkCenter, ("plant", "work_center"), stub=True),
        Edge("actual", OperationActual, ("plant", "order"), "order", match={"number": "number"}),
        Edge(
            "reports", OperationReport, ("plant", "order"), "order", many=True, match={"operation": "number"}
        ),
        Fact("status", operation_status, ("actual",)),
    )
    expose(OperationPlan)
    expose(OperationActual, Edge("machine", WorkCenter, ("plant", "machine"), stub=True))
    expose(OperationReport)


def _materials() -> None:
    expose(
        MaterialRequirement,
        Edge("component", Item, ("component",), stub=True, required=True),
        Edge(
            "staging",
            MaterialStaging,
            ("plant", "order"),
            "order",
            match={"component": "component"},
            hidden=True,
        ),
        Edge(
            "consumption",
            MaterialConsumption,
            ("plant", "order"),
            "order",
            match={"component": "component"},
            hidden=True,
        ),
        Fact("staged", staged, ("staging",)),
        Fact("consumed_mes", consumed_mes, ("consumption",)),
        Fact("variance", consumption_variance, ("component", "consumption")),
        Function("lots", lots, ("consumption",)),
    )
    expose(Claim)
    expose(Discrepancy)
