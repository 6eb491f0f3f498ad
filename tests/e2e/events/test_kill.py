"""A gateway that is killed in the middle of its work loses nothing that it answered with 202."""

import asyncio
import signal
import threading
import time
import tomllib
from pathlib import Path

import httpx2
import pytest

from gateway.events.log import Parked
from gateway.events.sqlite import SqliteLog
from tests.e2e.events.conftest import tables
from tests.program import started
from tests.unit.gateway.events.house import state


def write(path: Path, log: Path) -> None:
    """The configuration as a file: JSON is TOML's own notation for inline tables but for the colon."""
    path.write_text("\n".join(f"{name} = {toml(value)}" for name, value in tables(log).items()))
    tomllib.loads(path.read_text())


def toml(value: object) -> str:
    """A value in TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{name}" = {toml(inner)}' for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else f'"{value}"'


class Sender:
    """Sends until the gateway is gone, and remembers what was answered with 202."""

    def __init__(self, url: str, number: int) -> None:
        self.url, self.number = url, number
        self.events: list[str] = []
        self.waiting: list[str] = []
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with httpx2.Client(timeout=10) as client:
            for count in range(100_000):
                order = f"{self.number}{count:05d}"
                messages = [state(order, "RELEASED", 1).body, state(order, "COMPLETED", 2).body]
                try:
                    told = client.post(f"{self.url}/ingest/MES_O", json=messages)
                    hint = client.post(f"{self.url}/ingest/ERP", json={"what": "changed", "order": order})
                except httpx2.HTTPError:
                    return
                assert (told.status_code, hint.status_code) == (202, 202)
                self.events += [number for one in told.json()["messages"] for number in one["events"]]
                self.waiting += [one["number"] for one in hint.json()["messages"]]


@pytest.mark.parametrize("many", [20, 300])
def test_everything_that_was_accepted_is_in_the_log(tmp_path: Path, many: int) -> None:
    """Told events are there, and what waits for a system that is down waits still."""
    log, file = tmp_path / "events.db", tmp_path / "gateway.toml"
    write(file, log)
    with started(tmp_path / "out.txt", "serve", "--config", str(file), log_level="info") as program:
        url = program.url().removesuffix("/graphql")
        senders = [Sender(url, number) for number in range(1, 5)]
        for sender in senders:
            sender.thread.start()
        end = time.monotonic() + 60
        while sum(len(sender.events) for sender in senders) < many:
            assert time.monotonic() < end, program.said()
            time.sleep(0.01)
        program.stop(signal.SIGKILL)
        for sender in senders:
            sender.thread.join(20)
    accepted = [number for sender in senders for number in sender.events]
    waiting = [number for sender in senders for number in sender.waiting]
    assert len(accepted) >= many
    assert waiting
    missing, parked = asyncio.run(kept_in(log, accepted))
    assert missing == []
    assert set(waiting) <= {one.number for one in parked}
    assert {one.reason for one in parked} == {"WAITING"}


async def kept_in(log: Path, accepted: list[str]) -> tuple[list[str], list[Parked]]:
    """Which of the accepted events a log has not, and what is parked in it."""
    kept = SqliteLog(log)
    await kept.open()
    try:
        found = await kept.find(accepted)
        missing = [number for number, one in zip(accepted, found, strict=True) if one is None]
        return missing, await kept.parked("ERP", 1_000_000)
    finally:
        await kept.close()
