"""CPU time a row from payload bytes to canonical rows, generated and by the reference, over payloads of the demo.

    .venv/bin/python benchmarks/rest_mapping.py [runs]

The whole of a read behind the wire: decoding, mapping, assembling. The first column of times is with nothing remembered
from earlier rows (every converter's memory empty); the second is the steady state.
"""

import asyncio
import gc
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from schema.production import Operation, OrderPlanning, OrderPosting, ProductionOrder
from sources.base import Batch
from sources.http import Answer, Heard, Request
from sources.plant.knobs import Knobs
from sources.plant.systems import SYSTEMS
from sources.plant.world.build import build_world
from sources.rest.config import RestConfig
from sources.rest.source import Rest

ROOT = Path(__file__).parents[1]
TABLES: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "gateway" / "demo.toml").read_text())["systems"]
ROWS = 50
CASES = {
    "ERP orders, 4 parts": ("SAP_PRD", "orders", (ProductionOrder, OrderPlanning, OrderPosting, Operation)),
    "ERP orders, all parts": ("SAP_PRD", "orders", ()),
    "MES executions": ("MES_KAS", "executions", ()),
    "WMS stock by item": ("WMS_CEN", "stock_by_item", ()),
}


@dataclass
class Replay:
    """Answers with what was recorded, or from the simulated system where nothing is."""

    app: Any
    bodies: dict[str, bytes] = field(default_factory=dict)

    async def __call__(self, request: Request, heard: Heard) -> Answer:
        if request.url not in self.bodies:
            async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app)) as client:
                said = await client.request(
                    request.method, request.url, headers=dict(request.headers), content=request.body
                )
            self.bodies[request.url] = said.content
        return Answer(200, {}, self.bodies[request.url])


def asked(name: str, world: Any) -> tuple[str, ...]:
    """Keys of the read."""
    if "item" in name:
        return tuple(world.items)[:ROWS]
    plant = [order for order in world.orders.values() if order.plant == "1710"]
    return tuple(f"{order.plant}/{order.number}" for order in plant)[:ROWS]


async def measured(source: Rest, replay: Replay, read: Any, batch: Batch, runs: int) -> float:
    """Best CPU seconds of one read out of several rounds."""
    best = float("inf")
    gc.collect()
    gc.freeze()
    for _ in range(5):
        began = time.process_time()
        for _ in range(runs):
            await read.fetch(batch)
        best = min(best, (time.process_time() - began) / runs)
    return best


async def main(runs: int) -> None:
    """One line a case."""
    world = build_world()
    print(f"{'CPU µs a key':24}{'bytes':>9}{'keys':>6}{'reference':>11}{'cold':>8}{'steady':>8}{'gain':>7}")
    for title, (code, name, classes) in CASES.items():
        replay = Replay(SYSTEMS[code](world, Knobs()))
        config, keys, times = RestConfig(code=code, **TABLES[code]), asked(name, world), []
        for reference in (True, False):
            source = Rest(config, replay, reference=reference)
            await source.open()
            read = next(one for one in source.reads() if one.name == name)
            wants = frozenset(classes or [part.type for part in read.parts])
            batch = Batch(keys, wants, time.monotonic() + 600)
            await read.fetch(batch)
            source.env.forget()
            began = time.process_time()
            await read.fetch(batch)
            cold = time.process_time() - began
            times += [cold, await measured(source, replay, read, batch, runs)]
            await source.close()
        _, plain, cold, steady = (each / len(keys) * 1e6 for each in times)
        print(
            f"{title:24}{sum(map(len, replay.bodies.values())):9}{len(keys):6}{plain:11.0f}{cold:8.0f}{steady:8.0f}{plain / steady:6.1f}x"
        )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
