"""The smallest adapter that keeps the contract: a few lines of HTTP over a few lines of server."""

import json
import time
from typing import Any
from urllib.parse import parse_qs

import httpx2
from pydantic import SecretStr

from schema.base import Plant
from schema.errors import (
    MappingError,
    SourceForbidden,
    SourceRefused,
    SourceThrottled,
    SourceTimeout,
    SourceUnavailable,
)
from sources.base import Batch, Bundle, Page, Part, Query, Source, batch, search
from sources.settings import SystemConfig
from tests.contract.case import Case
from tests.contract.faults import Message, Receive, Send

SECRET = "tiny-secret-7f3a"
PLANTS = {f"17{n}0": f"Plant {n}" for n in range(1, 8)}


class TinyConfig(SystemConfig):
    """Where it is and how to get in."""

    base_url: str
    token: SecretStr


class Tiny(Source):
    """Plants by code, and a list of them."""

    Config = TinyConfig

    async def open(self) -> None:
        """Make the client; nothing is sent."""
        self._client = httpx2.AsyncClient(
            base_url=self.config.base_url,
            headers={"authorization": f"Bearer {self.config.token.get_secret_value()}"},
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def ping(self) -> None:
        """Ask for no plant at all."""
        await self._get({"codes": ""}, time.monotonic() + 2)

    @batch(Part(Plant), max_keys=200)
    async def plants(self, asked: Batch) -> Bundle:
        """Plants by code."""
        found = {
            row["code"]: _plant(row)
            for row in (await self._get({"codes": ",".join(asked.keys)}, asked.deadline))["rows"]
        }
        return {Plant: [found.get(key) for key in asked.keys]}

    @search(Part(Plant), read="plants", max_page=100)
    async def all_plants(self, query: Query) -> Page:
        """Every plant."""
        start = int(query.cursor or 0)
        params = {"from": str(start), "size": str(query.first)}
        answer = await self._get(params, query.deadline)
        rows = [_plant(row) for row in answer["rows"]]
        end = start + len(rows)
        more = str(end) if end < answer["total"] else None
        return Page([row.code for row in rows], {Plant: rows}, more, answer["total"])

    async def _get(self, params: dict[str, str], deadline: float) -> Any:
        try:
            timeout = max(0.001, deadline - time.monotonic())
            answer = await self._client.get("/plants", params=params, timeout=timeout)
        except httpx2.TimeoutException as error:
            raise SourceTimeout(f"{self.code} did not answer in time") from error
        except httpx2.HTTPError as error:
            raise SourceUnavailable(f"{self.code}: {type(error).__name__}") from error
        status = answer.status_code
        if status in (401, 403):
            raise SourceForbidden(f"{self.code} refused our credentials ({status})")
        if status == 429:
            raise SourceThrottled(f"{self.code} is busy", retry_after=float(answer.headers["retry-after"]))
        if status >= 500:
            raise SourceUnavailable(f"{self.code} answered {status}")
        if status != 200:
            raise SourceRefused(f"{self.code} answered {status}")
        try:
            return json.loads(answer.content)
        except ValueError as error:
            raise MappingError(f"{self.code} answered with something that is not JSON") from error


def _plant(row: dict[str, str]) -> Plant:
    return Plant(row["code"], row["name"], "Europe/Berlin")


async def server(scope: Message, receive: Receive, send: Send) -> None:
    """Plants over HTTP."""
    if scope["type"] == "lifespan":
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})
        return
    query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
    if dict(scope["headers"]).get(b"authorization") != f"Bearer {SECRET}".encode():
        await _answer(send, 401, {"error": "who are you?"})
    elif "from" in query:
        start = int(query["from"])
        codes = list(PLANTS)[start : start + int(query["size"])]
        await _answer(send, 200, {"rows": _rows(codes), "total": len(PLANTS)})
    else:
        # In an order of its own, as databases answer.
        codes = sorted(set(query.get("codes", "").split(",")) & set(PLANTS), reverse=True)
        await _answer(send, 200, {"rows": _rows(codes)})


def _rows(codes: list[str]) -> list[dict[str, str]]:
    return [{"code": code, "name": PLANTS[code]} for code in codes]


async def _answer(send: Send, status: int, body: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def _settings(base_url: str, secret: str) -> dict[str, Any]:
    return {"code": "TINY", "adapter": "tiny", "kind": "ERP", "base_url": base_url, "token": secret}


CASE = Case(
    name="tiny",
    source=Tiny,
    sim=lambda: server,
    settings=_settings,
    secret=SECRET,
    read="plants",
    keys=tuple(PLANTS)[:5],
    unknown=lambda n: f"X{n}",
    search="all_plants",
    total=len(PLANTS),
)
