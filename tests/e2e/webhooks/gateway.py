"""A whole gateway with webhooks as a program, an ERP that it reads, and what a partner asks of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from aiohttp import web

from tests.e2e.events.conftest import tables
from tests.e2e.events.test_kill import toml
from tests.program import Program, started
from tests.unit.gateway.events.house import state

DOCUMENT = """subscription Changed($plants: [ID!]) { productionOrderChanged(filter: {plants: $plants}) {
  kind cursor event { cloudEventType } order { number status } } }"""
CREATE = """mutation($input: WebhookSubscriptionCreateInput!) { webhookSubscriptionCreate(input: $input) {
  webhook { number secret state cursor } userErrors { message } } }"""
SHOW = "{ webhookSubscriptions { number state reason waiting deadLettered } }"
DELIVERIES = """query($webhook: ID!) { webhookDeliveries(webhook: $webhook) {
  number state attempts lastStatus lastReason } }"""


@dataclass
class Erp:
    """Tells the state of orders."""

    status: dict[str, str] = field(default_factory=dict)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """The orders asked for."""
        rows = [
            {"no": no, "plant": "P1", "status": self.status[no], "version": 1, "qty": "5", "unit": "PC"}
            for no in request.query.get("no", "").split(",")
            if no in self.status
        ]
        return web.json_response({"rows": rows})


@asynccontextmanager
async def erp() -> AsyncIterator[Erp]:
    """An ERP on a port of this machine."""
    made = Erp()
    app = web.Application()
    app.router.add_get("/orders", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


def configured(path: Path, system: Erp, **more: Any) -> Path:
    """A configuration file over that ERP, with webhooks that may be sent to this machine."""
    data = tables(path / "events.db")
    data["systems"]["ERP"]["base_url"] = system.url
    data["webhooks"] = {
        "secret": {"value": "a secret of the tests"},
        "allow": ["127.0.0.0/8"],
        "allow_http": True,
        "timeout_ms": 2000,
    }
    data["database_url"] = f"sqlite:///{path}/crossdock.db"
    data |= more
    file = path / "gateway.toml"
    file.write_text("\n".join(f"{name} = {toml(value)}" for name, value in data.items()))
    return file


@dataclass
class Gateway:
    """A running gateway, as its partner and its systems see it."""

    program: Program
    url: str
    client: httpx2.AsyncClient

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = await self.client.post(f"{self.url}/graphql", json={"query": query, "variables": variables})
        said = answer.json()
        assert "errors" not in said, said
        return dict(said["data"])

    async def create(self, url: str, **more: Any) -> dict[str, Any]:
        """A new webhook."""
        asked = {"name": "ours", "url": url, "query": DOCUMENT} | more
        said = (await self.ask(CREATE, input=asked))["webhookSubscriptionCreate"]
        assert said["userErrors"] == [], said
        return dict(said["webhook"])

    async def tell(self, order: str, status: str, version: int) -> str:
        """The MES says what state an order is in; gives the number of the event."""
        answer = await self.client.post(
            f"{self.url}/ingest/MES_O", json=state(order, status, version, f"{order}-{version}").body
        )
        assert answer.status_code == 202, answer.text
        [became] = answer.json()["messages"]
        [number] = became["events"]
        return str(number)

    async def states(self) -> list[str]:
        """The states of all webhooks."""
        return [one["state"] for one in (await self.ask(SHOW))["webhookSubscriptions"]]

    async def shown(self) -> dict[str, Any]:
        """The only webhook."""
        [webhook] = (await self.ask(SHOW))["webhookSubscriptions"]
        return dict(webhook)

    async def deliveries(self, webhook: str) -> list[dict[str, Any]]:
        """The messages of a webhook, the newest first."""
        return list((await self.ask(DELIVERIES, webhook=webhook))["webhookDeliveries"])


@asynccontextmanager
async def running(log: Path, file: Path, *arguments: str) -> AsyncIterator[Gateway]:
    """A gateway as people start it."""
    with started(log, "serve", "--config", str(file), *arguments, log_level="info") as program:
        url = (await asyncio.to_thread(program.url)).removesuffix("/graphql")
        async with httpx2.AsyncClient(timeout=20) as client:
            async with asyncio.timeout(30):
                while not await ready(client, url):  # noqa: ASYNC110 it is in another process
                    await asyncio.sleep(0.05)
            try:
                yield Gateway(program, url, client)
            finally:
                # In order, so that its workers end with it; one that was killed is gone already.
                if program.process.poll() is None:
                    await asyncio.to_thread(program.stop)


async def ready(client: httpx2.AsyncClient, url: str) -> bool:
    """Whether the gateway answers."""
    with contextlib.suppress(httpx2.TransportError):
        return (await client.post(f"{url}/graphql", json={"query": "{ __typename }"})).status_code == 200
    return False


async def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 what is waited for is in another process
            await asyncio.sleep(0.02)
