"""The gateway is killed with kill -9 at random points, and every write that it accepted is done exactly once all the same."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import httpx2

from gateway.commands.records import Write
from gateway.commands.store import WriteStore
from gateway.database import Database
from schema.integration import TransactionState as State
from tests.contract.owner import BROKEN, KEYED, LOST, OK, PROBED, RESET, Owner, owning, table
from tests.postgres_server import PostgresServer
from tests.program import started

MUTATION = """mutation W($order: ID!, $amount: Decimal!, $key: String!) {
  rescheduleProductionOrder(input: {order: $order, quantity: {value: $amount, unit: "H87"},
    options: {idempotencyKey: $key, waitFor: RECEIVED}}) { outcome userErrors { message } transaction { id } } }"""


class Sender:
    """A client that sends writes one after the other; ``accepted`` is what it was told was kept."""

    def __init__(self, name: str) -> None:
        self.name, self.number = name, 0
        self.accepted: dict[str, int] = {}

    async def send(self, url: str) -> None:
        """Writes until the gateway is gone. What was not answered is sent again later under its key."""
        async with httpx2.AsyncClient(timeout=5) as client:
            while True:
                key = f"{self.name}-{self.number}"
                variables = {"order": f"po:P1/{self.name}", "amount": str(self.number + 1), "key": key}
                try:
                    answer = await client.post(url, json={"query": MUTATION, "variables": variables})
                except httpx2.HTTPError:
                    return
                said = answer.json()["data"]["rescheduleProductionOrder"]
                if said["transaction"] is not None:
                    self.accepted[said["transaction"]["id"].removeprefix("tx:")] = self.number + 1
                    self.number += 1


async def life(
    folder: Path, number: int, seconds: float | None, senders: list[Sender], **settings: Any
) -> None:
    """One process of the gateway, which is killed after so many seconds of writes."""
    with started(
        folder / f"life{number}.log", "serve", "-c", str(folder / "crossdock.toml"), **settings
    ) as program:
        url = await asyncio.to_thread(program.url)
        if seconds is None:
            return
        jobs = [asyncio.create_task(sender.send(url)) for sender in senders]
        await asyncio.sleep(seconds)
        program.process.kill()
        await asyncio.gather(*jobs)


async def settled(url: str, numbers: list[str], seconds: float) -> dict[str, Write]:
    """The writes once nothing is under way."""
    store, until = WriteStore(Database(url)), time.monotonic() + seconds
    try:
        while True:
            found = {number: await asyncio.to_thread(store.write, number) for number in numbers}
            writes = {number: write for number, write in found.items() if write is not None}
            if all(write.parked or write.came_to(State.APPLIED) for write in writes.values()):
                return writes
            assert time.monotonic() < until, [write for write in writes.values() if not write.parked]
            await asyncio.sleep(0.1)
    finally:
        store.close()


async def through_deaths(folder: Path, url: str, owner: Owner, extra: str, lives: int) -> None:
    """Lives and deaths of a gateway, and what came of all that was accepted."""
    (folder / "crossdock.toml").write_text(table(owner, extra, settle=0.3))
    chance = random.Random(1710)
    senders = [Sender(name) for name in ("1", "2", "3")]
    settings = {"port": "0", "database_url": url, "log_format": "console"}
    for number in range(lives):
        await life(folder, number, chance.uniform(0.05, 0.6), senders, **settings)
    numbers = [number for sender in senders for number in sender.accepted]
    with started(folder / "last.log", "serve", "-c", str(folder / "crossdock.toml"), **settings) as program:
        await asyncio.to_thread(program.url)
        writes = await settled(url, numbers, 40)
        # What was accepted in the moment of a death, and never answered, is carried too.
        await asyncio.sleep(1.5)
    assert set(writes) == set(numbers), "what was accepted is not there"
    assert {write.state for write in writes.values()} <= {State.APPLIED, State.RECONCILED}
    references = [done.reference for done in owner.done]
    assert len(references) == len(set(references)), "a write was carried out twice"
    assert set(numbers) <= set(references), "an accepted write was not carried out"
    for sender in senders:
        goods = [int(done.body["good"]) for done in owner.done if done.order == sender.name]
        assert goods == sorted(goods), "the order of an object was not kept"
    assert len(numbers) > lives


async def test_every_accepted_write_is_done_exactly_once_through_kill_9(tmp_path: Path) -> None:
    """Six deaths at random points under load, with an owner that fails now and then and honours keys."""
    chance = random.Random(42)
    faults = [OK] * 6 + [BROKEN, LOST, RESET]
    async with owning(fault=lambda: chance.choice(faults)) as owner:
        await through_deaths(tmp_path, f"sqlite:///{tmp_path}/writes.db", owner, KEYED, 6)


async def test_the_same_over_postgresql_with_an_owner_that_must_be_asked(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """Three deaths, with the writes in PostgreSQL, and an owner that honours no keys and is probed."""
    chance = random.Random(43)
    faults = [OK] * 6 + [BROKEN, LOST, RESET]
    async with owning(fault=lambda: chance.choice(faults), keyed=False) as owner:
        await through_deaths(tmp_path, postgres.database(), owner, PROBED, 3)
