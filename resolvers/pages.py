"""Pages of the systems' own lists, asked for once an operation."""

import time
from functools import partial
from operator import itemgetter

from resolvers.context import Context
from resolvers.eager import once
from resolvers.hops import Call
from resolvers.loaders import Listed, Loaders
from schema.errors import SourceError
from sources.base import Lister, Page, Query


async def same_page(ctx: Context, loaders: Loaders, listed: Listed) -> bool:
    """Whether a system's page is the very one that it was; where it is, its rows are known to the loaders."""
    lister, asked, was = listed
    bounds, need = ctx.bounds, loaders.need
    limits = (bounds.deadline, bounds.scope, bounds.lane, need, bounds.tally(need))
    try:
        page = await asked_page(
            ctx, lister, Query(asked.filters, asked.first, asked.cursor, asked.wants, *limits)
        )
    except SourceError:
        return False
    if page.keys is not was.keys or page.stale is not None or page.bundle.keys() != was.bundle.keys():
        return False
    if not all(page.bundle[cls] is column for cls, column in was.bundle.items()):
        return False
    if loaders.given is not None:
        loaders.given.append(listed)
    loaders.prime(lister, page)
    return page.cursor == was.cursor and page.total == was.total


async def asked_page(ctx: Context, lister: Lister, query: Query) -> Page:
    """A page of a system; raises SourceError.

    An operation that asks anew, or twice at once, is told what it was told before.
    """
    filters = tuple(sorted(query.filters.items(), key=itemgetter(0)))
    place = (lister.system, lister.search.name, filters, query.first, query.cursor, query.wants, query.need)
    said = await once(ctx.memo, place, partial(_live, ctx, lister, query))
    if isinstance(said, SourceError):
        raise said
    return said


async def _live(ctx: Context, lister: Lister, query: Query) -> Page | SourceError:
    began = time.perf_counter()
    try:
        return await lister.call(query)
    except SourceError as error:
        return error
    finally:
        spent = time.perf_counter() - began
        ctx.calls.append(Call(lister.system, lister.search.name, 0, spent, query.tally))
