"""The demo's plant tells what happens: five systems in their own ways, one that is asked, doubled and out of order."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from tests.program import CROSSDOCK, Program, started

TELLING = {"SAP_PRD", "MES_KAS", "WMS_CEN", "QMS_LAB", "TMS_ONE"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A demo in which ten minutes are a second."""
    log = tmp_path_factory.mktemp("demo") / "out.txt"
    with started(log, "demo", "--port", "0", "--systems-port", "0", "--speed", "600") as program:
        yield program
        program.stop()


def root(demo: Program) -> str:
    """The address of the gateway."""
    return demo.url().removesuffix("/graphql")


def system(demo: Program, code: str) -> str:
    """The address of a simulated system, as the demo says it."""
    line = next(line for line in demo.said().splitlines() if line.split()[:1] == [code])
    return "/".join(line.split()[-1].split("/")[:3])


def events(demo: Program, **asked: str) -> list[dict[str, Any]]:
    """The latest events."""
    answer = httpx2.get(f"{root(demo)}/admin/events", params={"first": "1000", **asked}, timeout=10)
    found: list[dict[str, Any]] = answer.json()["events"]
    return found


def until_told(demo: Program, sources: set[str]) -> list[dict[str, Any]]:
    """Wait until all of these systems told something."""
    seen: dict[str, dict[str, Any]] = {}
    end = time.monotonic() + 60
    while not sources <= {event["source"] for event in seen.values()}:
        assert time.monotonic() < end, Counter(event["source"] for event in seen.values())
        seen |= {event["number"]: event for event in events(demo)}
        time.sleep(0.5)
    return list(seen.values())


def test_five_systems_tell_in_their_own_ways_and_everything_is_understood(demo: Program) -> None:
    """Nothing is parked for people, and every event has its place in the model."""
    told = until_told(demo, TELLING)
    parked = httpx2.get(f"{root(demo)}/admin/events/parked", timeout=10).json()["parked"]
    assert [one["reason"] for one in parked if one["reason"] != "WAITING"] == []
    assert {event["type"] for event in told} >= {
        "mfg.production-order.changed.v1",
        "mfg.material.issued.v1",
        "mfg.inventory.moved.v1",
        "mfg.shipment.tracked.v1",
    }


def test_doubled_and_out_of_order_everything_is_told_once(demo: Program) -> None:
    """The knobs of the systems make it worse; the log is none the worse for it."""
    for code in ("SAP_PRD", "WMS_CEN", "MES_KAS"):
        knobs = {"tell_twice": True, "tell_shuffled": 10}
        assert httpx2.post(f"{system(demo, code)}/__knobs", json=knobs, timeout=10).status_code == 200
    time.sleep(5)
    told = events(demo)
    assert max(Counter(event["number"] for event in told).values()) == 1
    facts = Counter(
        (event["type"], event["source"], event["data"]["document"])
        for event in told
        if "document" in event["data"]
    )
    assert max(facts.values()) == 1


def test_the_log_is_listed_on_the_command_line(demo: Program, tmp_path: Path) -> None:
    """What happened, what is parked, in lines and as JSON."""
    until_told(demo, {"SAP_PRD"})
    for arguments in (["list", "--json"], ["parked", "--json"]):
        log = tmp_path / f"{arguments[0]}.txt"
        with started(log, "events", *arguments, "--url", root(demo)) as program:
            assert program.process.wait(30) == 0, program.said()
            assert isinstance(orjson.loads(program.said()), list)
    log = tmp_path / "lines.txt"
    with started(log, "events", "list", "--first", "3", "--url", root(demo)) as program:
        assert program.process.wait(30) == 0, CROSSDOCK
        assert len(program.said().splitlines()) == 3
    with started(log, "events", "replay", "--url", root(demo)) as program:
        assert program.process.wait(30) == 2
        assert "--system, or --all" in program.said()
