"""The root over stock positions."""

from strawberry.types import Info

from resolvers.context import Context
from resolvers.freshness import at, bounded
from resolvers.inputs import Freshness, InventoryFilter
from resolvers.loaders import joined
from resolvers.paging import Connection, cut
from resolvers.positions import positions_of
from resolvers.sieves import Filters
from resolvers.sourcing import lacking
from schema.base import Plant, join_key, split_key
from schema.errors import RequestError
from schema.material import InventoryBalance, InventoryPosition, Item, Location, Lot
from sources.base import Filter

MAX_ITEMS = 100
"""Most items compared in one request."""


async def inventory_positions(
    info: Info,
    filter: InventoryFilter,
    first: int = 50,
    after: str | None = None,
    freshness: Freshness | None = None,
) -> Connection[InventoryPosition]:
    """Stock by item, plant and lot: book, physical and work in progress side by side, and what they leave unexplained."""
    ctx: Context = info.context
    bounded(info, freshness)
    filters = Filters(ctx)
    filters.ids("plants", filter.plants, Plant)
    filters.ids("items", filter.items, Item)
    filters.ids("lots", filter.lots, Lot)
    filters.ids("locations", filter.locations, Location)
    items, chosen = _named(filters.found.get("items")), _named(filters.found.get("lots"))
    items = items or tuple(dict.fromkeys([split_key(lot)[0] for lot in chosen or ()]))
    if not items:
        raise RequestError("filter: name the items or lots to look at.", hint="Add 'items' or 'lots'.")
    if len(items) > MAX_ITEMS:
        raise RequestError(
            f"filter.items: {len(items)} items are too many at once.", hint=f"Ask for at most {MAX_ITEMS}."
        )
    plants, locations = _named(filters.found.get("plants")), _named(filters.found.get("locations"))

    def keep(balance: InventoryBalance) -> bool:
        return (
            (plants is None or balance.plant in plants)
            and (chosen is None or joined((balance.item, balance.lot)) in chosen)
            and (locations is None or join_key(balance.plant, balance.location) in locations)
            and (filter.stock_statuses is None or balance.stock_status in filter.stock_statuses)
        )

    found, said = await positions_of(at(info), items, keep)
    if filter.verdicts is not None:
        found = [position for position in found if position.verdict in filter.verdicts]
    page = cut(ctx, found, f"inventoryPositions {filter}", first, after)
    page.sources = said
    page.partial = any(lacking(status) for status in page.sources)
    return page


def _named(values: Filter | None) -> tuple[str, ...] | None:
    return values if isinstance(values, tuple) else None
