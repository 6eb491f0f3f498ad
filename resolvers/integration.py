"""Events, transactions and exceptions: the shape they have, and the fields that show them once they are kept."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from aiodataloader import DataLoader
from strawberry.types import Info

from resolvers.common import SYSTEM
from resolvers.context import Context
from resolvers.edges import Edge, Function, expose
from resolvers.freshness import at
from resolvers.ids import encode
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

_BY_ORDER = "transactions by order"
NO_EXCEPTIONS = "This gateway records no exceptions yet."
NO_PROMISES = "This gateway computes no availability promises yet."


async def transactions(row: ProductionOrder, info: Info) -> list[IntegrationTransaction] | None:
    """Writes on the order and its operations on their way to their owners, the newest first."""
    ctx: Context = info.context
    at(info).loaders.unsteady()
    ctx.bounds.collects, ctx.momentary = False, True
    if ctx.writes is None:
        return []
    loader = ctx.memo.get(_BY_ORDER)
    if loader is None:
        loader = ctx.memo[_BY_ORDER] = DataLoader(partial(_of_orders, ctx.writes.of_subjects))
    found: list[IntegrationTransaction] = await asyncio.shield(loader.load(encode(row)))
    return found


async def _of_orders(
    ask: Callable[[list[str]], Awaitable[dict[str, list[IntegrationTransaction]]]], ids: list[str]
) -> list[list[IntegrationTransaction]]:
    found = await ask(ids)
    return [found[id] for id in ids]


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
