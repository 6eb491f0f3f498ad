"""A real Tryton server for these tests: installed once under .cache/tryton, started on a free port."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from sources.tryton.config import TrytonConfig
from sources.tryton.demo import TrytonServer, running
from sources.tryton.source import Tryton

CACHE = Path(__file__).parents[3] / ".cache" / "tryton"


@pytest.fixture(scope="session")
def tryton() -> Iterator[TrytonServer]:
    """The server; the first start on a machine installs it, which takes a minute or two."""
    with running(CACHE) as server:
        yield server


def settings(server: TrytonServer, api: str, **more: Any) -> dict[str, Any]:
    """The ``[systems.ERP]`` table for one of the two interfaces."""
    table = server.table() | {"code": "ERP", "timeout_ms": 20_000}
    if api == "rpc":
        table["auth"] = {"type": "basic", "username": server.user, "password": {"value": server.password}}
    return table | more


def made(server: TrytonServer, api: str, **more: Any) -> Tryton:
    """A source as the gateway makes it."""
    return Tryton(TrytonConfig.model_validate(settings(server, api, **more)))


@pytest.fixture(params=["rest", "rpc"])
async def source(tryton: TrytonServer, request: pytest.FixtureRequest) -> AsyncIterator[Tryton]:
    """The adapter, open, over each of Tryton's two interfaces."""
    found = made(tryton, request.param)
    await found.open()
    try:
        yield found
    finally:
        await found.close()
