"""The store of the crosswalk: one suite over SQLite in memory, SQLite on disk and a real PostgreSQL."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.crosswalk.store import CrosswalkError, Store
from gateway.crosswalk.waiting import MOST_CANDIDATES, Note, Waiting
from gateway.database import Database, parsed, shown
from schema.base import MatchRule
from schema.errors import ConfigError
from schema.matching import Entry, Reason, Unmatched
from tests.postgres_server import PASSWORD, PostgresServer

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
ENTRY = Entry("MES", "Lot", "FG/L1-", "FG/L1-EU", MatchRule.MANUAL, True, "ada", NOW, "label read")
Make = Callable[..., Store]


@pytest.fixture(params=["memory", "file", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new database is."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        return server.database()
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/crossdock.db"


@pytest.fixture
def make(url: str) -> Iterator[Make]:
    """Makes stores over the same database (in memory: one of its own each)."""
    made: list[Store] = []

    def make(**bounds: int) -> Store:
        store = Store(Database(url), **bounds)
        store.open()
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(make: Make) -> Store:
    """An empty store."""
    return make()


def note(key: str = "FG/L9", seconds: int = 0, count: int = 1, **more: Any) -> Note:
    """A sighting so many seconds later."""
    at = NOW + timedelta(seconds=seconds)
    return Note("MES", "Lot", key, key[-2:], more.pop("reason", Reason.UNKNOWN), count, at, at, **more)


def test_an_entry_comes_back_as_it_was(store: Store) -> None:
    """Every column is kept, times in UTC; asked by system and kind, only those."""
    other = Entry("WMS", "Item", "X", "Y", MatchRule.XREF_TABLE, False, "import", NOW)
    assert store.add([ENTRY, other]) == 2
    assert store.entries() == [ENTRY, other]
    assert store.entries("WMS") == [other]
    assert store.entries(kind="Lot") == [ENTRY]


def test_the_version_rises_with_every_change_and_only_then(store: Store) -> None:
    """Adding and removing raise it; adding what is there and removing what is not do not."""
    seen = [store.version()]
    for change in (
        lambda: store.add([ENTRY]),
        lambda: store.add([ENTRY]),
        lambda: store.remove("MES", "Lot", "FG/L1-"),
        lambda: store.remove("MES", "Lot", "FG/L1-"),
    ):
        change()
        seen.append(store.version())
    assert [b - a for a, b in pairwise(seen)] == [1, 0, 1, 0]


@pytest.mark.parametrize(("theirs", "ours"), [("FG/L1-", "FG/L1-US"), ("FG/L2", "FG/L1-EU")])
def test_a_key_has_one_partner(store: Store, theirs: str, ours: str) -> None:
    """Neither side may be paired twice; the refusal names the other pair and how to take it out; nothing is added."""
    store.add([ENTRY])
    version = store.version()
    with pytest.raises(CrosswalkError, match="'FG/L1-' is 'FG/L1-EU'") as caught:
        store.add([Entry("MES", "Lot", "FG/OK", "FG/OK"), Entry("MES", "Lot", theirs, ours)])
    assert "crosswalk remove MES Lot FG/L1-" in str(caught.value.hint)
    assert (store.entries(), store.version()) == ([ENTRY], version)
    assert store.add([Entry("WMS", "Lot", theirs, ours), Entry("MES", "Item", theirs, ours)]) == 2


def test_lines_of_one_import_may_not_contradict_each_other(store: Store) -> None:
    """The same pair twice is one; two partners for one key are refused, and then none is there."""
    assert store.add([ENTRY, ENTRY]) == 1
    assert store.entries() == [ENTRY]
    with pytest.raises(CrosswalkError):
        store.add([Entry("MES", "Lot", "A/1", "A/2"), Entry("MES", "Lot", "A/1", "A/3")])
    assert store.entries() == [ENTRY]


def test_the_table_is_bounded(make: Make) -> None:
    """Every worker holds all of it: beyond the bound it is refused with the mend."""
    store = make(most=2)
    store.add([ENTRY, Entry("MES", "Lot", "A", "A")])
    with pytest.raises(CrosswalkError, match="2 entries and 1 more are too many") as caught:
        store.add([Entry("MES", "Lot", "B", "B")])
    assert "systems.CODE.keys" in str(caught.value.hint)


def test_sightings_add_up(store: Store) -> None:
    """The queue counts, remembers the first and the last time, and gathers candidates."""
    store.note([note(count=2, candidates=("FG/L9A",))])
    store.note([note(seconds=60, count=3, reason=Reason.TRUNCATED, candidates=("FG/L9B",))])
    [row] = store.unmatched()
    assert (row.count, row.first_seen, row.last_seen) == (5, NOW, NOW + timedelta(seconds=60))
    assert (row.reason, row.candidates) == (Reason.TRUNCATED, ("FG/L9A", "FG/L9B"))


def test_the_queue_is_bounded_and_the_latest_come_first(make: Make) -> None:
    """What was not seen for longest makes room, and before that what only clients asked for."""
    store = make(most_unmatched=3)
    store.note([note(f"FG/{n}", seconds=n) for n in range(5)])
    store.note([note("FG/2", seconds=9)])
    assert [row.key for row in store.unmatched()] == ["FG/2", "FG/4", "FG/3"]
    assert [row.key for row in store.unmatched(most=1)] == ["FG/2"]
    store.note([note("FG/S", reason=Reason.UNASKED)])
    assert [row.key for row in store.unmatched()] == ["FG/2", "FG/4", "FG/S"]
    assert store.unmatched("WMS") == store.unmatched(kind="Item") == []


def test_an_entry_leaves_the_queue(store: Store) -> None:
    """Saying what a key is settles it, for that system and kind only, and late sightings do not bring it back."""
    store.note([note("FG/L1-"), note("FG/L9")])
    store.add([ENTRY])
    assert [row.key for row in store.unmatched()] == ["FG/L9"]
    store.note([note("FG/L1-")])
    assert [row.key for row in store.unmatched()] == ["FG/L9"]


HOSTILE = ["'; DROP TABLE crosswalk; --", "a\x00b", "\ud800", "ключ/批", "%2F", "x" * 5000, ""]


@pytest.mark.parametrize("text", HOSTILE, ids=[repr(text)[:12] for text in HOSTILE])
def test_any_key_can_wait(store: Store, text: str) -> None:
    """Whatever systems and clients send as keys, the queue takes it and gives it back, cut to a bound."""
    waiting = Waiting(lambda: NOW)
    waiting.add(Unmatched("MES", "Lot", text, text, Reason.UNKNOWN, tuple(f"c{n}" for n in range(99))))
    store.note(waiting.take())
    [row] = store.unmatched()
    assert len(row.key) <= 200
    assert len(row.candidates) == MOST_CANDIDATES
    assert json.dumps(row.raw)


def test_two_gateways_share_it(url: str, make: Make) -> None:
    """What one adds the other sees by the version; opening again changes nothing. Memory is not shared."""
    first, second = make(), make()
    first.add([ENTRY])
    if url == "sqlite://":
        assert (second.version(), second.entries()) == (0, [])
        return
    assert (second.version(), second.entries()) == (first.version(), [ENTRY])


def test_many_writers_at_once(make: Make) -> None:
    """Threads that count the same keys and add different entries lose nothing."""
    store = make()

    def work(number: int) -> None:
        for turn in range(5):
            store.note([note("FG/A"), note("FG/B")])
            store.add([Entry("MES", "Lot", f"{number}-{turn}", f"ours {number}-{turn}")])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(row.count for row in store.unmatched()) == [20, 20]
    assert (len(store.entries()), store.version()) == (20, 20)


UNUSABLE = [
    "postgresql://ada:top-secret@127.0.0.1:1/crossdock",
    "postgresql://ada@127.0.0.1:1/crossdock?password=top-secret",
    "sqlite:////nowhere/at/all/crossdock.db",
]


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_database_that_cannot_be_used(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is named with the mend; password, user and parameters are shown nowhere."""
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError, match="cannot be used") as caught:
        Store(Database(url)).open()
    said = f"{caught.value} {caught.value.hint} {caplog.text} {shown(parsed(url))}"
    assert "top-secret" not in said
    assert "ada" not in said
    assert caught.value.__cause__ is None


def test_a_wrong_password_is_not_shown(postgres: PostgresServer) -> None:
    """Neither the right one nor the wrong one."""
    url = postgres.database().replace(PASSWORD, "wrong-secret")
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        Store(Database(url)).open()
    assert "secret" not in str(caught.value)
