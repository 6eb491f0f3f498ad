"""A partner's server: takes webhooks, verifies them by the independent library, and answers as it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook


@dataclass
class Receiver:
    """What came, in order, and how it is answered: ``answer`` gives the status for a message, or hangs."""

    url: str = ""
    secrets: list[str] = field(default_factory=list)
    came: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Every attempt: the message's id and its body."""
    taken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """What was answered with success."""
    signatures: list[str] = field(default_factory=list)
    answer: Callable[[str, dict[str, Any]], int] = lambda _id, _body: 204
    headers: dict[str, str] = field(default_factory=dict)
    hanging: bool = False

    async def take(self, request: web.Request) -> web.Response:
        """One attempt."""
        raw = await request.read()
        for secret in self.secrets:
            Webhook(secret).verify(raw, dict(request.headers))
        said, number = json.loads(raw), request.headers["webhook-id"]
        self.came.append((number, said))
        self.signatures.append(request.headers["webhook-signature"])
        if self.hanging:
            await asyncio.sleep(60)
        status = self.answer(number, said)
        if 200 <= status < 300:
            self.taken.append((number, said))
        return web.Response(status=status, headers=self.headers)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A partner's server on a port of this machine, for as long as it is needed."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
