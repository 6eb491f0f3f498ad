"""Gateways over the simulated plant as these tests want them: in this process, or as programs that share a Redis."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2

from gateway.app import create_app
from gateway.demo import FIRST_PORT, demo_file
from tests.e2e.demo.conftest import Demo, settings_over
from tests.e2e.demo.plant import RunningPlant
from tests.program import started
from tests.serving import serving

PATIENT = {"deadline_ms": 30_000}
"""A machine that is busy with other tests is not what is tested."""


@contextmanager
def gateway_over(
    plant: RunningPlant, ports: Mapping[str, int] | None = None, **settings: Any
) -> Iterator[Demo]:
    """A gateway in this process, with further settings; systems with a port of their own are asked there."""
    app = create_app(settings_over(plant, ports, **(PATIENT | settings)))
    with serving(app) as url, httpx2.Client(timeout=60) as client:
        yield Demo(plant, url, client)


@contextmanager
def programs_over(plant: RunningPlant, folder: Path, count: int, **settings: Any) -> Iterator[list[str]]:
    """So many gateways, each a `crossdock serve` of its own with further settings; yields their addresses."""
    file = folder / "gateway.toml"
    file.write_text(_configuration(plant))
    said = {name: _said(value) for name, value in (PATIENT | settings).items()}
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                started(folder / f"log{number}", "serve", "--config", str(file), "--port", "0", **said)
            )
            for number in range(count)
        ]
        yield [one.url().removesuffix("/graphql") for one in running]


def _configuration(plant: RunningPlant) -> str:
    """The demo's file, at the ports of this plant."""
    file = demo_file()
    text = Path(file.name).read_text("utf-8")
    for number, code in enumerate(file.data["systems"]):
        text = re.sub(rf"127\.0\.0\.1:{FIRST_PORT + number}\b", f"127.0.0.1:{plant.ports[code]}", text)
    return text


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


async def ask(client: httpx2.AsyncClient, url: str, query: str) -> Any:
    """The answer to a query, which must be one."""
    answer = await client.post(f"{url}/graphql", json={"query": query})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert "errors" not in body, body["errors"]
    return body


def ask_at_once(urls: Sequence[str], queries: Sequence[str]) -> list[Any]:
    """Every query at the same time, spread evenly over the gateways; the answers in order."""

    async def all_of_them() -> list[Any]:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx2.AsyncClient(limits=limits, timeout=60) as client:
            asked = [ask(client, urls[i % len(urls)], query) for i, query in enumerate(queries)]
            return await asyncio.gather(*asked)

    return asyncio.run(all_of_them())
