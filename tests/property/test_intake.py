"""However messages come, doubled, shuffled, in any batches, replayed after a restart, with clocks ahead: the log tells the
same facts, each once, and its last word about every order is the same.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.events.sqlite import SqliteLog
from schema.events import Event
from sources.events import Message
from tests.unit.gateway.events.house import house, state

STATES = ("CREATED", "RELEASED", "IN_PROGRESS", "ON_HOLD", "COMPLETED")


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Message], list[list[Message]]]:
    """Facts in their true order, and the batches in which they come: each at least once, some again, some renamed."""
    facts = []
    for order in range(draw(st.integers(1, 3))):
        for version in range(1, draw(st.integers(1, 5)) + 1):
            facts.append(state(str(order), draw(st.sampled_from(STATES)), version, f"{order}.{version}"))
    again = draw(st.lists(st.sampled_from(facts), max_size=6))
    resent = [
        Message(one.body, f"{one.id}-by-hand-{n}") for n, one in enumerate(again) if draw(st.booleans())
    ]
    coming = draw(st.permutations([*facts, *again, *resent]))
    batches: list[list[Message]] = [[]]
    for message in coming:
        if draw(st.booleans()):
            batches.append([])
        batches[-1].append(message)
    return facts, [batch for batch in batches if batch]


async def after(batches: Sequence[Sequence[Message]], skew: int | None, restart: int) -> list[Event]:
    """What the log holds after all of them, the gateway restarted in between and everything before sent again."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "events.db"
        async with house(SqliteLog(file), skew=skew) as at:
            for batch in batches[:restart]:
                await at.intake.take("MES", batch)
        async with house(SqliteLog(file), skew=skew) as at:
            for batch in batches:
                await at.intake.take("MES", batch)
            return await at.told()


def fact_and_state(events: Sequence[Event]) -> tuple[list[tuple[str, str, str]], dict[str, tuple[int, str]]]:
    """What was told, in no order; and the state of every order as one knows it who passes over what is late."""
    told = sorted((event.subject, str(event.version), event.data["status"]) for event in events)
    last: dict[str, tuple[int, str]] = {}
    for event in events:
        if not event.late:
            last[event.subject] = (int(event.version or 0), event.data["status"])
    return told, last


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(streams(), st.sampled_from([None, 0, 540_000, -540_000]), st.integers(0, 4))
def test_the_order_of_coming_decides_nothing(
    stream: tuple[list[Message], list[list[Message]]], skew: int | None, restart: int
) -> None:
    """The same facts, each once; the same last state; and what is late is exactly what a newer one was known before."""
    facts, batches = stream
    events = asyncio.run(after(batches, skew, restart))
    told, last = fact_and_state(events)
    assert told == sorted(
        (f"po:P1/{one.body['order']}", str(one.body["version"]), one.body["status"]) for one in facts
    )
    expected: dict[str, tuple[int, str]] = {}
    for one in facts:
        expected[f"po:P1/{one.body['order']}"] = (one.body["version"], one.body["status"])
    assert last == expected
    newest: dict[str, int] = {}
    for event in events:
        version = int(event.version or 0)
        assert event.late == (version < newest.get(event.subject, 0))
        newest[event.subject] = max(version, newest.get(event.subject, 0))
