"""Which event log the settings ask for, what an operator is told of it, and that it runs with the gateway."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.config import load_settings, warnings_of
from gateway.events.log import Retention
from gateway.events.making import RunningLog, make_event_log
from gateway.events.redis import RedisLog
from gateway.events.sqlite import SqliteLog
from gateway.problems import SettingsError
from schema.errors import ConfigError
from tests.contract.event_logs import NOW, event, opened


def settings(**variables: str) -> Any:
    """Settings from the environment alone."""
    return load_settings(None, {f"CROSSDOCK_{name}": value for name, value in variables.items()})


def sentences(**variables: str) -> list[str]:
    """What an operator is told about events."""
    return [sentence for sentence in warnings_of(settings(**variables)) if "Events" in sentence]


def test_without_any_setting_events_are_in_memory_and_that_is_said() -> None:
    """Nothing needs a disk; that a restart costs the events is said, and with workers that each has its own."""
    log = make_event_log(settings())
    assert isinstance(log, SqliteLog)
    assert log.path is None
    (said,) = sentences()
    assert "gone after a restart" in said
    assert "workers" not in said
    (said,) = sentences(WORKERS="2")
    assert "each of the workers" in said


def test_a_file_is_taken_where_one_is_named(tmp_path: Path) -> None:
    """With a path there is nothing to warn of."""
    path = str(tmp_path / "events.db")
    log = make_event_log(settings(EVENTS__PATH=path))
    assert isinstance(log, SqliteLog)
    assert log.path == Path(path)
    assert sentences(EVENTS__PATH=path, WORKERS="2") == []


def test_with_redis_events_are_there() -> None:
    """As the cache is; a path is then of no use, which is said."""
    assert isinstance(make_event_log(settings(REDIS_URL="redis://localhost:1")), RedisLog)
    assert sentences(REDIS_URL="redis://localhost:1") == []
    (said,) = sentences(REDIS_URL="redis://localhost:1", EVENTS__PATH="/tmp/events.db")
    assert "not used" in said


async def test_the_settings_bound_what_is_kept() -> None:
    """Age, events and parked messages."""
    made = make_event_log(settings(EVENTS__MAX_AGE="3600", EVENTS__MAX_EVENTS="100", EVENTS__MAX_PARKED="1"))
    async with opened(made) as log:
        await log.append([event(number, minutes=0 if number < 10 else 30) for number in range(140)])
        assert await log.trim(NOW) == 40
        assert await log.trim(NOW + timedelta(minutes=91)) == 100


@pytest.mark.parametrize("variable", ["EVENTS__MAX_AGE", "EVENTS__MAX_EVENTS", "EVENTS__MAX_PARKED"])
def test_keeping_next_to_nothing_is_refused(variable: str) -> None:
    """A bound of nought would keep nothing at all."""
    with pytest.raises(SettingsError):
        settings(**{variable: "0"})


def test_the_gateway_opens_the_log_and_closes_it(tmp_path: Path) -> None:
    """The file is there while it runs, and whole when it is over."""
    path = tmp_path / "events.db"
    with TestClient(create_app(settings(EVENTS__PATH=str(path)))):
        assert path.exists()
        assert path.with_name("events.db-wal").exists()
    assert not path.with_name("events.db-wal").exists()


def test_a_log_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """At once and with the reason, not at the first event."""
    path = str(tmp_path / "nowhere" / "events.db")
    with (
        pytest.raises(ConfigError, match=r"events\.path"),
        TestClient(create_app(settings(EVENTS__PATH=path))),
    ):
        pass


async def until(true: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


async def test_a_running_log_is_trimmed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """From time to time, by the clock; what goes wrong once is tried again, and said if nobody else says it."""

    class Trying(SqliteLog):
        """Counts; fails the second time."""

        trims = 0

        async def trim(self, now: Any) -> int:
            self.trims += 1
            if self.trims == 2:
                raise ValueError("something")
            return await super().trim(now)

    log = Trying(tmp_path / "events.db", Retention(timedelta(hours=1)))
    later = NOW + timedelta(hours=2)
    async with RunningLog(log, lambda: later, every=0.01).running():
        await log.append([event(1)])
        await until(lambda: log.trims > 3)
        assert await log.latest(event(1).subject) is None
    trims = log.trims
    await asyncio.sleep(0.05)
    assert log.trims == trims
    assert caplog.text.count("cannot be trimmed") == 1
