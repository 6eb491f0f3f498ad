"""A recording owner: a real HTTP server with orders that can be released and reported on, and that fails as it is told.

``came`` is every write that arrived, with its key; ``done`` is every write that was carried out. A fault decides for each
write that arrives what becomes of it: whether it is carried out, and whether its answer ever arrives.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from gateway.tomlfile import TomlFile, parse_toml

OK, BUSY, REFUSED, BROKEN, LOST, RESET, EARLY, HANG, LATE, SLOW = (
    "ok",
    "429",
    "200 with a refusal",
    "500 before",
    "500 after",
    "reset after the commit",
    "reset before it",
    "hang before",
    "hang after the commit",
    "commit after nobody waits any more",
)
TROUBLES = (BUSY, BROKEN, LOST, RESET, EARLY, HANG, LATE)
"""Everything that must not keep a write from being carried out exactly once."""


@dataclass
class Came:
    """A write that arrived."""

    action: str
    order: str
    key: str
    reference: str
    fault: str
    at: float
    body: dict[str, Any]


@dataclass
class Owner:
    """The state of the owner and what arrived. ``fault`` gives the trouble for the next write, ``down`` ends connections."""

    url: str = ""
    keyed: bool = True
    fault: Callable[[], str] = lambda: OK
    down: bool = False
    hang: float = 30.0
    came: list[Came] = field(default_factory=list)
    done: list[Came] = field(default_factory=list)
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    most_at_once: dict[str, int] = field(default_factory=dict)
    _running: dict[str, int] = field(default_factory=dict)

    def order(self, number: str) -> dict[str, Any]:
        """An order, created when it is first named."""
        new = {"no": number, "status": "CREATED", "version": 1, "good": 0}
        return self.orders.setdefault(number, new)

    async def read(self, request: web.Request) -> web.Response:
        """Orders by number."""
        self._broken(request)
        numbers = request.query["no"].split(",")
        return web.json_response({"rows": [dict(self.order(number)) for number in numbers]})

    async def journal(self, request: web.Request) -> web.Response:
        """What was carried out under a reference."""
        self._broken(request)
        wanted = request.query["reference"]
        found = [{"reference": d.reference, "doc": f"D{n}"} for n, d in enumerate(self.done)]
        return web.json_response({"rows": [row for row in found if row["reference"] == wanted]})

    async def write(self, request: web.Request) -> web.Response:
        """A release or a report."""
        self._broken(request)
        body, fault = await request.json(), self.fault()
        order, action = request.match_info["no"], request.match_info["action"]
        key = request.headers.get("Idempotency-Key", "")
        came = Came(action, order, key, body["reference"], fault, time.monotonic(), body)
        self.came.append(came)
        self._running[order] = self._running.get(order, 0) + 1
        self.most_at_once[order] = max(self.most_at_once.get(order, 0), self._running[order])
        try:
            return await self._answered(request, came, fault)
        finally:
            self._running[order] -= 1

    async def _answered(self, request: web.Request, came: Came, fault: str) -> web.Response:
        if self.keyed and came.key in self.seen:
            return web.json_response(self.seen[came.key])
        if fault == BUSY:
            return web.Response(status=429, headers={"Retry-After": "0.05"})
        if fault == REFUSED:
            said = {"type": "E", "code": "CO/101", "text": "components are missing"}
            return web.json_response({"message": said})
        if fault == BROKEN:
            return web.Response(status=500)
        if fault in (HANG, EARLY):
            await self._gone(request, fault)
        if fault == SLOW:
            await asyncio.sleep(self.hang)
        said = self._carry_out(came)
        if fault == LOST:
            return web.Response(status=500)
        if fault in (LATE, RESET):
            await self._gone(request, fault)
        return web.json_response(said)

    async def _gone(self, request: web.Request, fault: str) -> None:
        if fault in (HANG, LATE):
            await asyncio.sleep(self.hang)
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError

    def _broken(self, request: web.Request) -> None:
        if self.down and request.transport is not None:
            request.transport.abort()
            raise ConnectionResetError

    def _carry_out(self, came: Came) -> dict[str, Any]:
        order = self.order(came.order)
        if came.action == "release":
            order["status"] = "RELEASED"
        else:
            order["good"] += int(came.body["good"])
        order["version"] += 1
        self.done.append(came)
        said = {"doc": f"D{len(self.done) - 1}", "version": str(order["version"])}
        if self.keyed:
            self.seen[came.key] = said
        return said


@asynccontextmanager
async def owning(**options: Any) -> AsyncIterator[Owner]:
    """An owner on a port of this machine, for as long as it is needed."""
    owner = Owner(**options)
    app = web.Application()
    app.router.add_get("/orders", owner.read)
    app.router.add_get("/journal", owner.journal)
    app.router.add_post("/orders/{no}/{action}", owner.write)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    owner.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield owner
    finally:
        await runner.cleanup()


TABLE = """
[plants.P1]
name = "Plant"
time_zone = "Europe/Berlin"

[writes]
first_delay = 0.02
longest_delay = 0.1
settle = {settle}
reconcile_after = 0.05
lease = 0.5

[systems.ERP]
adapter = "rest"
kind = "ERP"
plants = ["P1"]
base_url = "{url}"
timeout_ms = 400
breaker_failures = 1000
retries = 0
units = {{ PC = "H87" }}

[systems.ERP.rows.order]
provenance = {{ version = "version" }}

[systems.ERP.rows.order.ProductionOrder]
number = "no"
item = {{ const = "ITEM" }}

[systems.ERP.rows.order.OrderPlanning]
quantity = {{ quantity = "good", unit = {{ const = "PC" }} }}
status = "status"

[systems.ERP.reads.orders]
row = "order"
parts = ["ProductionOrder", "OrderPlanning"]
path = "/orders"
keys = {{ param = "no", join = "," }}
rows = "rows"

[systems.ERP.commands.release_production_order]
path = "/orders/{{number}}/release"
body = {{ reference = "{{reference}}" }}
values = {{ reason = "text" }}
document = "doc"
version = "version"
refused = {{ path = "message.type", values = ["E", "A"], message = "message.text", code = "message.code", codes = {{ "CO/101" = "INSUFFICIENT_STOCK" }} }}
{extra}

[systems.ERP.commands.reschedule_production_order]
path = "/orders/{{number}}/report"
body = {{ reference = "{{reference}}" }}
values = {{ quantity = "good" }}
ignores = ["planned_start", "planned_end"]
document = "doc"
version = "version"
{extra}
"""
KEYED = 'key_header = "Idempotency-Key"'
PROBED = 'probe = { path = "/journal", params = { reference = "{reference}" }, rows = "rows", match = { reference = "{reference}" }, document = "doc" }'


def table(owner: Owner, extra: str, settle: float = 0.5) -> str:
    """The settings of a gateway over an owner; ``extra`` are further lines of its commands."""
    return TABLE.format(url=owner.url, extra=extra, settle=settle)


def parsed(owner: Owner, extra: str, settle: float = 0.5) -> TomlFile:
    """The same as the gateway reads it."""
    return parse_toml(table(owner, extra, settle), "owner.toml")
