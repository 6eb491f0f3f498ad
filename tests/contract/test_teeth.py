"""The suite bites: each way to break the contract is found by the test that is there for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from schema.base import Plant
from schema.errors import SourceError
from sources.base import Batch, Bundle, Page, Part, Query, Source, batch, search
from sources.guard import Guard
from tests.contract import test_sources as contract
from tests.contract.cases.tiny import CASE, Tiny
from tests.contract.conftest import Rig, made
from tests.contract.faults import Faults
from tests.proxy import Mode, Proxy
from tests.serving import serving


class ServersOrder(Tiny):
    """Passes on the rows as the server sent them."""

    @batch(Part(Plant), max_keys=200)
    async def plants(self, asked: Batch) -> Bundle:
        """Plants by code."""
        cells = (await super().plants(asked))[Plant]
        return {Plant: sorted(cells, key=lambda plant: plant.code if plant else "", reverse=True)}


class OneByOne(Tiny):
    """Asks for each key by itself."""

    @batch(Part(Plant), max_keys=200)
    async def plants(self, asked: Batch) -> Bundle:
        """Plants by code."""
        bundles = [await super(OneByOne, self).plants(replace(asked, keys=(key,))) for key in asked.keys]
        return {Plant: [bundle[Plant][0] for bundle in bundles]}


class Patient(Tiny):
    """Waits as long as it takes."""

    @batch(Part(Plant), max_keys=200)
    async def plants(self, asked: Batch) -> Bundle:
        """Plants by code."""
        return await super().plants(replace(asked, deadline=asked.deadline + 60))


class Leftover(Tiny):
    """Leaves a task behind when its caller goes away."""

    @batch(Part(Plant), max_keys=200)
    async def plants(self, asked: Batch) -> Bundle:
        """Plants by code."""
        self.left = asyncio.ensure_future(super().plants(asked))
        return await asyncio.shield(self.left)


class Overlapping(Tiny):
    """Sends the last row of a page again as the first of the next."""

    @search(Part(Plant), read="plants", max_page=100)
    async def all_plants(self, query: Query) -> Page:
        """Every plant."""
        page = await super().all_plants(query)
        return replace(page, cursor=str(int(page.cursor) - 1) if page.cursor else None)


class Sloppy(Tiny):
    """Lets the errors of its libraries through."""

    @batch(Part(Plant), max_keys=200)
    async def plants(self, asked: Batch) -> Bundle:
        """Plants by code."""
        try:
            return await super().plants(asked)
        except SourceError as error:
            raise LookupError("rows") from error


class Talkative(Tiny):
    """Logs what it sends."""

    @batch(Part(Plant), max_keys=200)
    async def plants(self, asked: Batch) -> Bundle:
        """Plants by code."""
        logging.getLogger(__name__).debug("with token %s", self.config.token.get_secret_value())
        return await super().plants(asked)


Check = Callable[[Rig, pytest.LogCaptureFixture], Awaitable[Any]]
BITES: dict[type[Source], Check] = {
    ServersOrder: lambda rig, _: contract.test_rows_come_in_the_order_of_the_keys(rig),
    OneByOne: lambda rig, _: contract.test_five_hundred_keys_cost_batches_not_rows(rig),
    Patient: lambda rig, _: contract.test_the_adapter_itself_keeps_the_deadline(rig),
    Leftover: lambda rig, _: contract.test_cancelling_leaves_no_task(rig),
    Overlapping: lambda rig, _: contract.test_pages_walk_the_whole_list_once(rig, "small"),
    Sloppy: lambda rig, _: contract.test_wrong_answers_are_the_right_errors(rig, "500"),
    Talkative: lambda rig, caplog: contract.test_secrets_are_never_in_logs(rig, caplog),
}


@pytest.mark.parametrize("adapter", BITES, ids=lambda adapter: adapter.__name__)
async def test_a_broken_adapter_is_found(adapter: type[Source], caplog: pytest.LogCaptureFixture) -> None:
    """An adapter that breaks the contract in one way fails the test of that clause; the honest one passes it."""
    faults = Faults(CASE.sim())
    with serving(faults) as url, Proxy.of(url) as proxy:
        await _passes(Tiny, faults, proxy, BITES[adapter], caplog)
        faults.reset()
        proxy.mode = Mode.PASS
        proxy.up()
        with pytest.raises((AssertionError, TimeoutError)):
            await _passes(adapter, faults, proxy, BITES[adapter], caplog)


async def _passes(
    adapter: type[Source], faults: Faults, proxy: Proxy, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    case = replace(CASE, source=adapter)
    source = made(case, proxy.url, case.secret)
    await source.open()
    try:
        await check(Rig(case, source, Guard(source.config), faults, proxy), caplog)
    finally:
        await source.close()
        for left in [task for task in asyncio.all_tasks() if task is getattr(source, "left", None)]:
            left.cancel()
            await asyncio.wait([left])
