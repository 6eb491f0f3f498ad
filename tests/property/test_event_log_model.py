"""Any sequence of appends, reads and trims: each log does what a list does."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from gateway.events.log import EventLog, Logged, Position, ResyncRequired, Retention
from schema.events import Event
from tests.contract.event_logs import ISSUED, NOW, Making, event, file_logs, memory_logs, redis_logs
from tests.redis_server import RedisServer

KEEPS = Retention(timedelta(minutes=20), max_events=6)
SUBJECTS = ("po:1", "po:2")
OBJECTS = (*SUBJECTS, "lot:A/1", "item:A")
TYPES = (ISSUED, "mfg.lot.changed.v1")

events = st.builds(
    lambda id, fact, minutes, occurred, subject, touches, type: event(
        id,
        fact="" if fact is None else f"fact {fact}",
        minutes=minutes,
        occurred_at=NOW + timedelta(minutes=occurred),
        subject=subject,
        touches=tuple(touches),
        type=type,
    ),
    st.integers(0, 30),
    st.none() | st.integers(0, 20),
    st.integers(0, 60),
    st.integers(0, 5),
    st.sampled_from(SUBJECTS),
    st.lists(st.sampled_from(OBJECTS), max_size=3),
    st.sampled_from(TYPES),
)


class Model(RuleBasedStateMachine):
    """A list of events with their places, and where it was cut off."""

    making: Callable[[], Making]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.kept: list[tuple[int, Event]] = []
        self.last = self.trimmed = 0
        self.copies: dict[str, dict[str, int]] = {}

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        """Something of the log, done."""
        return self.runner.run(call)

    @initialize()
    def begin(self) -> None:
        """An empty log of one's own."""
        self.opening = type(self).making()(KEEPS)
        self.log: EventLog = self.run(self.opening.__aenter__())
        self.epoch = self.run(self.log.head()).epoch

    def teardown(self) -> None:
        """Close it."""
        if hasattr(self, "opening"):
            self.run(self.opening.__aexit__(None, None, None))
        self.runner.close()

    @rule(batch=st.lists(events, min_size=1, max_size=6))
    def append(self, batch: list[Event]) -> None:
        """What becomes of each event is what the list says."""
        wanted: list[tuple[int, str | None]] = []
        for each in batch:
            same = next((kept for kept in self.kept if kept[1].number == each.number), None)
            same = same or next((kept for kept in self.kept if each.fact and kept[1].fact == each.fact), None)
            if same is None:
                self.last += 1
                self.kept.append((self.last, each))
                wanted.append((self.last, None))
            else:
                told = self.copies.setdefault(same[1].number, {})
                told[each.number] = told.get(each.number, 0) + 1
                wanted.append((same[0], same[1].number))
        became = self.run(self.log.append(batch))
        assert [(each.position.sequence, each.duplicate_of) for each in became] == wanted

    @rule(minutes=st.integers(0, 70))
    def trim(self, minutes: int) -> None:
        """What goes is a beginning, and with it what points to it."""
        now: datetime = NOW + timedelta(minutes=minutes)
        gone = 0
        while self.kept:
            place, first = self.kept[0]
            young = first.received_at >= now - KEEPS.max_age
            if young and place > self.last - KEEPS.max_events:
                break
            self.copies.pop(first.number, None)
            self.trimmed = self.kept.pop(0)[0]
            gone += 1
        assert self.run(self.log.trim(now)) == gone

    @rule(after=st.integers(0, 60), limit=st.integers(1, 10))
    def read(self, after: int, limit: int) -> None:
        """From any place: the next ones, or that they are not kept."""
        position = Position(self.epoch, after)
        if after < self.trimmed or after > self.last:
            with pytest.raises(ResyncRequired):
                self.run(self.log.read(position, limit))
        else:
            found = self.run(self.log.read(position, limit))
            assert pairs(found) == [kept for kept in self.kept if kept[0] > after][:limit]

    @rule(id=st.sampled_from(OBJECTS), first=st.integers(1, 5), after=st.integers(0, 30))
    def about(self, id: str, first: int, after: int) -> None:
        """What touches an object."""
        found = self.run(self.log.about(id, first, Position(self.epoch, min(after, self.last))))
        touching = [
            kept
            for kept in self.kept
            if kept[0] > min(after, self.last) and id in (kept[1].subject, *kept[1].touches)
        ]
        assert pairs(found) == touching[:first]

    @rule(subject=st.sampled_from(OBJECTS), type=st.none() | st.sampled_from(TYPES))
    def latest(self, subject: str, type: str | None) -> None:
        """The last of a subject."""
        own = [k for k in self.kept if k[1].subject == subject and type in (None, k[1].type)]
        found = self.run(self.log.latest(subject, type))
        wanted = max(own, key=lambda kept: (kept[1].occurred_at, kept[0]), default=None)
        assert (None if found is None else pairs([found])[0]) == wanted

    @rule(id=st.integers(0, 30))
    def find(self, id: int) -> None:
        """One by its number, and who told it again."""
        number = event(id).number
        (found,) = self.run(self.log.find([number]))
        wanted = next((kept for kept in self.kept if kept[1].number == number), None)
        assert (None if found is None else pairs([found])[0]) == wanted
        copies = {each.number: each.count for each in self.run(self.log.duplicates(number))}
        assert copies == self.copies.get(number, {})

    @invariant()
    def head(self) -> None:
        """The end is where the list says."""
        if hasattr(self, "log"):
            assert self.run(self.log.head()) == Position(self.epoch, self.last)


def pairs(found: list[Logged]) -> list[tuple[int, Event]]:
    """Events with their places."""
    return [(each.position.sequence, each.event) for each in found]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One Redis; each example has a namespace of its own in it."""
    with RedisServer() as server:
        yield server


@pytest.mark.parametrize("kind", ["memory", "file", "redis"])
def test_a_log_is_a_list(kind: str, server: RedisServer) -> None:
    """Whatever is done to it, in whatever order."""
    with TemporaryDirectory() as folder:
        count = 0

        def making() -> Making:
            nonlocal count
            count += 1
            if kind == "redis":
                return redis_logs(server.url)
            return memory_logs() if kind == "memory" else file_logs(Path(folder, f"{count}.db"))

        machine = type("Machine", (Model,), {"making": staticmethod(making)})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=40,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
