"""Redis is killed and started again while clients go on asking: none of them notices."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from tests.e2e.cache.gateways import gateway_over
from tests.e2e.demo.plant import RunningPlant
from tests.redis_server import RedisServer

CLIENTS = 6
OUTAGES = 3
LONG = {"*": {"max_age": 300, "stale_while_revalidate": 0}}
LONGEST = 2.0
"""Seconds for any answer, in the middle of an outage too. A call to Redis may take 0.25; the rest is a busy machine."""
CARD = """{ productionOrder(id: "po:%s") { number execution { percentComplete provenance { stale } } inspections { number }
    shipments { number } sources { system { code } group outcome } } }"""


@dataclass
class Load:
    """Clients that ask for one order after the other until they are told to stop, and what they were told."""

    url: str
    orders: list[str]
    answers: int = 0
    from_l2: int = 0
    longest: float = 0.0
    wrong: list[Any] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self, client_number: int) -> None:
        """One client."""
        with httpx2.Client(timeout=30) as client:
            turn = client_number
            while not self.stopped.is_set():
                turn += CLIENTS
                self.ask(client, self.orders[turn % len(self.orders)])

    def ask(self, client: httpx2.Client, order: str) -> None:
        """One question; whatever is not as it should be is kept."""
        body = {"query": CARD % order, "extensions": {"crossdock": {"trace": True}}}
        began = time.perf_counter()
        answer = client.post(f"{self.url}/graphql", json=body)
        self.longest = max(self.longest, time.perf_counter() - began)
        self.answers += 1
        said = answer.json()
        found = (said.get("data") or {}).get("productionOrder") or {}
        outcomes = {source["outcome"] for source in found.get("sources", [])}
        stale = (found.get("execution") or {}).get("provenance", {}).get("stale")
        if answer.status_code != 200 or "errors" in said or outcomes != {"OK"} or stale is not False:
            self.wrong.append((answer.status_code, said))
            return
        self.from_l2 += sum(hop["l2"] for hop in said["extensions"]["crossdock"]["hops"])

    def hit(self, cells: int = 200, seconds: float = 30.0) -> None:
        """Wait until many values come out of Redis."""
        before, end = self.from_l2, time.monotonic() + seconds
        while self.from_l2 < before + cells:
            assert time.monotonic() < end, f"Redis gave too little within {seconds:.0f} s"
            time.sleep(0.01)


def test_no_client_notices_that_redis_is_killed(
    plant: RunningPlant, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Kill -9 and restart, several times: only good answers, none late, two log lines an outage, and L2 is back."""
    orders = [f"{one.plant}/{one.number}" for one in plant.world.orders.values() if one.plant == "1710"][:20]
    settings: dict[str, Any] = {"redis_url": redis.url, "cache": {"max_entries": 0, "types": LONG}}
    with gateway_over(plant, **settings) as gateway, ThreadPoolExecutor(CLIENTS) as pool:
        load = Load(gateway.url, orders)
        clients = [pool.submit(load.run, number) for number in range(CLIENTS)]
        try:
            load.hit()
            for _ in range(OUTAGES):
                redis.kill()
                before, l2 = load.answers, load.from_l2
                time.sleep(1.0)
                assert load.answers > before + CLIENTS, "clients stood still without Redis"
                assert load.from_l2 <= l2 + 20 * CLIENTS, "values came out of a dead Redis"
                redis.start()
                load.hit()
        finally:
            load.stopped.set()
        for client in clients:
            client.result()
    print(f"{load.answers} answers, the longest after {load.longest:.3f} s, {load.from_l2} cells out of L2")
    assert load.wrong == []
    assert load.longest < LONGEST
    lines = [
        r.getMessage()
        for r in caplog.records
        if r.levelno >= logging.WARNING and "Redis at" in r.getMessage()
    ]
    assert ["down" if " is down: " in line else "up" for line in lines] == ["down", "up"] * OUTAGES
