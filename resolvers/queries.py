"""The roots that find one thing."""

from typing import Annotated, TypeVar

import strawberry
from strawberry.types import Info

from resolvers.context import Context
from resolvers.edges import AnyNode, steady
from resolvers.freshness import at, bounded
from resolvers.ids import decode, decode_as
from resolvers.inputs import ExternalKeyInput, Freshness
from resolvers.loaders import Answer
from resolvers.lookup import found, found_set, missed, resolved
from schema.base import Plant, SourceSystem, join_key
from schema.commerce import Party, PurchaseOrder, SalesOrder
from schema.errors import BadPage, RequestError
from schema.logistics import Shipment
from schema.material import Item, Lot
from schema.production import ProductionOrder

Id = Annotated[strawberry.ID | None, strawberry.argument(description="Id of this gateway.")]
MAX_IDS = 200
T = TypeVar("T")


def exactly_one(**arguments: object) -> str:
    """The name of the one argument given; raises when there is none or more than one."""
    given = [name for name, value in arguments.items() if value is not None]
    if len(given) != 1:
        names = ", ".join(arguments)
        raise RequestError(
            f"Pass exactly one of {names}; got {', '.join(given) or 'none'}.", hint="Leave the others out."
        )
    return given[0]


async def named(info: Info, cls: type[T], id: str | None, **natural: str | None) -> T | None:
    """The row of the one argument given: the gateway's id, or the unique number or code."""
    name = exactly_one(id=id, **natural)
    if name == "id":
        return await found(info, cls, decode_as(id or "", cls, "id", info.context.aliases))
    return await found(info, cls, join_key(natural[name] or ""))


async def first(info: Info, cls: type[T], by: str, key: str) -> T | None:
    """The first row of a key that need not be unique."""
    answer: Answer[list[T]] = await at(info).many(cls, join_key(key), by)
    missed(info, cls, answer)
    return next(iter(answer.value or ()), None)


async def node(info: Info, id: strawberry.ID, freshness: Freshness | None = None) -> AnyNode | None:
    """Any object by its id; null where no system knows it or its owner cannot be asked."""
    bounded(info, freshness)
    cls, key = decode(id, info.context.aliases)
    return await found(info, cls, key)


async def nodes(info: Info, ids: list[strawberry.ID]) -> list[AnyNode | None]:
    """Objects by their ids, in order, null where unknown."""
    if len(ids) > MAX_IDS:
        raise BadPage(f"ids: {len(ids)} are too many at once.", hint=f"Ask for at most {MAX_IDS}.")
    wanted = [decode(id, info.context.aliases, "ids") for id in ids]
    return list((await found_set(info, dict(enumerate(wanted)))).values())


async def resolve_key(info: Info, key: ExternalKeyInput) -> AnyNode | None:
    """The object that a system knows by this key."""
    return await resolved(info, key)


@steady
async def item(info: Info, id: Id = None, number: str | None = None) -> Item | None:
    """An item by its id or number."""
    return await named(info, Item, id, number=number)


async def plant(info: Info, id: Id = None, code: str | None = None) -> Plant | None:
    """A plant by its id or code."""
    return await named(info, Plant, id, code=code)


@steady
async def lot(info: Info, id: Id = None, item: Id = None, number: str | None = None) -> Lot | None:
    """A lot by its id, or by its item and number."""
    ctx: Context = info.context
    if id is not None:
        exactly_one(id=id, number=number)
        return await found(info, Lot, decode_as(id, Lot, "id", ctx.aliases))
    if item is None or number is None:
        raise RequestError(
            "Pass the id, or the item and the number.", hint="A lot number is unique per item only."
        )
    return await found(info, Lot, f"{decode_as(item, Item, 'item', ctx.aliases)}/{join_key(number)}")


async def source_systems(info: Info) -> list[SourceSystem]:
    """The connected systems and how they are."""
    ctx: Context = info.context
    return ctx.systems.all_systems()


@steady
async def production_order(
    info: Info, id: Id = None, key: ExternalKeyInput | None = None, freshness: Freshness | None = None
) -> ProductionOrder | None:
    """A production order by its id or by a system's own key."""
    bounded(info, freshness)
    exactly_one(id=id, key=key)
    if key is not None:
        row = await resolved(info, key, ProductionOrder)
        return row if isinstance(row, ProductionOrder) else None
    return await found(
        info, ProductionOrder, decode_as(id or "", ProductionOrder, "id", info.context.aliases)
    )


@steady
async def sales_order(
    info: Info,
    id: Id = None,
    number: str | None = None,
    customer_reference: str | None = None,
    freshness: Freshness | None = None,
) -> SalesOrder | None:
    """A sales order by its id, its number or the customer's reference (the first, where that is not unique)."""
    bounded(info, freshness)
    if customer_reference is None:
        return await named(info, SalesOrder, id, number=number)
    exactly_one(id=id, number=number, customerReference=customer_reference)
    return await first(info, SalesOrder, "customer_reference", customer_reference)


@steady
async def purchase_order(info: Info, id: Id = None, number: str | None = None) -> PurchaseOrder | None:
    """A purchase order by its id or number."""
    return await named(info, PurchaseOrder, id, number=number)


@steady
async def shipment(
    info: Info,
    id: Id = None,
    number: str | None = None,
    sscc: str | None = None,
    tracking_number: str | None = None,
    freshness: Freshness | None = None,
) -> Shipment | None:
    """A shipment by its id, its number, a pallet's SSCC or the carrier's tracking number."""
    bounded(info, freshness)
    if sscc is None and tracking_number is None:
        return await named(info, Shipment, id, number=number)
    exactly_one(id=id, number=number, sscc=sscc, trackingNumber=tracking_number)
    by = "sscc" if sscc is not None else "tracking"
    return await first(info, Shipment, by, sscc or tracking_number or "")


@steady
async def party(info: Info, id: Id = None, code: str | None = None) -> Party | None:
    """A business partner by its id or code."""
    return await named(info, Party, id, code=code)
