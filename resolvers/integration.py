"""Events, transactions and exceptions: the shape they have, and the fields that show them once they are kept."""

from strawberry.types import Info

from resolvers.common import SYSTEM
from resolvers.edges import Edge, Function, expose
from resolvers.timelines import subject, timeline
from schema.commerce import SalesOrderLine
from schema.integration import (
    AvailabilityPromise,
    BusinessEvent,
    IntegrationException,
    IntegrationTransaction,
    TransactionStep,
    UserError,
)
from schema.production import ProductionOrder

NO_TRANSACTIONS = "This gateway routes no writes yet, so it has no transactions to show."
NO_EXCEPTIONS = "This gateway records no exceptions yet."
NO_PROMISES = "This gateway computes no availability promises yet."


async def transactions(row: ProductionOrder, info: Info) -> list[IntegrationTransaction] | None:
    """Writes on the order on their way to their owners; null while nothing keeps them (see sources)."""
    return None


async def exceptions(row: ProductionOrder, info: Info) -> list[IntegrationException] | None:
    """Trouble with the order between systems; null while nothing records it (see sources)."""
    return None


async def atp(row: SalesOrderLine, info: Info) -> AvailabilityPromise | None:
    """When the line can be promised; null while nothing computes it."""
    return None


def install() -> None:
    """Put the integration classes into the graph."""
    expose(
        BusinessEvent,
        Edge("caused_by", BusinessEvent, ("cause",)),
        Edge("transaction", IntegrationTransaction, ("transaction_number",)),
        Function("subject", subject),
    )
    expose(IntegrationTransaction)
    expose(TransactionStep, SYSTEM)
    expose(IntegrationException)
    expose(UserError)
    expose(AvailabilityPromise)


ORDER_FIELDS = (
    Function("transactions", transactions),
    Function("exceptions", exceptions),
    Function("timeline", timeline),
)
LINE_FIELDS = (Function("atp", atp),)
