"""The root over stock positions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strawberry.types import Info

from resolvers.context import Context
from resolvers.freshness import Loads, at, bounded
from resolvers.inputs import Freshness, InventoryFilter
from resolvers.loaders import joined
from resolvers.paging import Connection, cut
from resolvers.positions import positions_of
from resolvers.sieves import Filters
from resolvers.sourcing import lacking
from schema.base import Plant, SourceStatus, join_key, split_key
from schema.errors import RequestError
from schema.material import (
    InventoryBalance,
    InventoryPosition,
    Item,
    Location,
    Lot,
    ReconcileVerdict,
)
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
    bounded(info, freshness)
    wanted = stock_wanted(info.context, filter)
    found, said = await wanted.positions(at(info), wanted.items)
    page = cut(info.context, found, f"inventoryPositions {filter}", first, after)
    page.sources = said
    page.partial = any(lacking(status) for status in page.sources)
    return page


@dataclass(frozen=True, slots=True)
class StockWanted:
    """Which stock a filter means: of these items, of the positions those that pass."""

    items: tuple[str, ...]
    keep: Callable[[InventoryBalance], bool]
    verdicts: Sequence[ReconcileVerdict] | None

    async def positions(
        self, loads: Loads, items: Sequence[str]
    ) -> tuple[list[InventoryPosition], list[SourceStatus]]:
        """The positions of some of the items, and how the systems answered."""
        found, said = await positions_of(loads, items, self.keep)
        if self.verdicts is not None:
            found = [position for position in found if position.verdict in self.verdicts]
        return found, said


def stock_wanted(ctx: Context, filter: InventoryFilter) -> StockWanted:
    """What a filter means. Raises RequestError where it names neither items nor lots, or too many."""
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

    return StockWanted(items, keep, filter.verdicts)


def _named(values: Filter | None) -> tuple[str, ...] | None:
    return values if isinstance(values, tuple) else None
