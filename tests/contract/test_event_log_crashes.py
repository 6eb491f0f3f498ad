"""Processes die, Redis dies, files are broken: what was acknowledged is there, and what is lost is said."""

import asyncio
import logging
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from gateway.events.log import EventLog, EventLogDown, Logged, Position, ResyncRequired
from gateway.events.redis import RedisLog
from gateway.events.sqlite import SqliteLog
from schema.errors import ConfigError
from tests.contract.event_logs import event, ids, opened
from tests.contract.event_writer import log_at
from tests.proxy import Proxy
from tests.redis_server import RedisServer

ROOT = Path(__file__).parents[2]
ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")


class Writer:
    """A process that appends; ``acknowledged`` is what it said, up to its end."""

    def __init__(self, where: str, name: str, callers: int) -> None:
        command = [sys.executable, "-m", "tests.contract.event_writer", where, name, str(callers)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.acknowledged: dict[str, int] = {}

    def hear(self, lines: int | None = None) -> None:
        """Listen to so many acknowledgements, or to all until the end; half a line is none."""
        assert self.process.stdout is not None
        heard = 0
        while (lines is None or heard < lines) and (line := self.process.stdout.readline()):
            if line.endswith("\n"):
                caller, number, position = line.split()
                self.acknowledged[f"{caller}/{number}"] = int(position)
            heard += 1

    def kill(self) -> None:
        """End it with kill -9, and hear what it had still said. Once more does nothing."""
        assert self.process.stdout is not None
        if not self.process.stdout.closed:
            self.process.kill()
            self.hear()
            self.process.stdout.close()
        self.process.wait(10)


@contextmanager
def writing(where: str, name: str, callers: int = 4) -> Iterator[Writer]:
    """A writer, dead at the end whatever happens."""
    writer = Writer(where, name, callers)
    try:
        yield writer
    finally:
        writer.kill()


async def everything(log: EventLog) -> list[Logged]:
    """All that is kept."""
    found: list[Logged] = []
    after = Position((await log.head()).epoch, 0)
    while batch := await log.read(after):
        found += batch
        after = batch[-1].position
    return found


def whole(found: list[Logged], acknowledged: dict[str, int]) -> None:
    """Everything that was acknowledged is where it was said, once, and each caller's events are in order."""
    places = {each.event.id: each.position.sequence for each in found}
    assert len(places) == len(found), "an event is there twice"
    assert [each.position.sequence for each in found] == list(range(1, len(found) + 1))
    assert {id: places.get(id) for id in acknowledged} == acknowledged
    for caller in {id.split("/")[0] for id in places}:
        own = [int(id.split("/")[1]) for id in ids(found) if id.startswith(f"{caller}/")]
        assert own == list(range(len(own)))


@pytest.fixture
def always() -> Iterator[RedisServer]:
    """A Redis that writes everything to its disk before it says so."""
    with RedisServer(*ALWAYS) as server:
        yield server


async def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    """A process that appends to a file is killed again and again at random points; nothing that it said was kept is lost."""
    path, acknowledged = tmp_path / "events.db", dict[str, int]()
    chance = random.Random(1710)
    for life in range(6):
        with writing(str(path), f"life{life}-") as writer:
            writer.hear(chance.randrange(1, 400))
        acknowledged |= writer.acknowledged
        async with opened(SqliteLog(path)) as log:
            found = await everything(log)
            whole(found, acknowledged)
            assert len(await log.about(f"lot:life{life}-0/1", 10_000)) >= len(
                [id for id in writer.acknowledged if id.startswith(f"life{life}-0/")]
            )
    assert len(acknowledged) > 100


@pytest.mark.parametrize("kind", ["file", "redis"])
async def test_processes_that_share_a_log(kind: str, tmp_path: Path, always: RedisServer) -> None:
    """Two processes write, two logs of a third follow; one writer is killed. All see the same, whole and in order."""
    where = str(tmp_path / "events.db") if kind == "file" else f"{always.url} {uuid4().hex}"
    async with opened(log_at(where)) as here, opened(log_at(where)) as there:
        after = await here.head()
        followed: list[list[Logged]] = [[], []]

        async def follow(log: EventLog, found: list[Logged]) -> None:
            async for batch in log.tail(after):
                found += batch

        tails = [asyncio.ensure_future(follow(log, followed[n])) for n, log in enumerate((here, there))]
        with writing(where, "one") as one, writing(where, "two") as two:
            await asyncio.to_thread(one.hear, 200)
            await asyncio.to_thread(one.kill)
            await asyncio.to_thread(two.hear, 200)
            await asyncio.to_thread(two.kill)
        acknowledged = one.acknowledged | two.acknowledged
        found = await everything(here)
        whole(found, acknowledged)
        await until(lambda: all(len(each) >= len(found) for each in followed))
        assert followed == [found, found]
        for tail in tails:
            tail.cancel()
        await asyncio.gather(*tails, return_exceptions=True)


async def until(true: Callable[[], Any], seconds: float = 15.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.005)


def redis_log(port: int, **settings: Any) -> RedisLog:
    """A log over the Redis at a port."""
    settings = {"timeout": 0.5, "pause": 0.2} | settings
    return RedisLog(f"redis://127.0.0.1:{port}/0", **settings)


async def patiently(call: Callable[[], Awaitable[Any]]) -> Any:
    """Until the log is there again, as a sender does."""
    end = time.monotonic() + 15
    while True:
        try:
            return await call()
        except EventLogDown:
            assert time.monotonic() < end, "the log did not come back"
            await asyncio.sleep(0.02)


def said(caplog: pytest.LogCaptureFixture, words: str) -> int:
    """How many lines of the log have these words."""
    return sum(words in record.getMessage() for record in caplog.records)


async def test_redis_that_writes_everything_dies_and_nothing_is_lost(
    always: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Kill -9 of Redis in the middle of appends: senders are told and send again, readers go on where they were."""
    found: list[Logged] = []
    refused = 0
    async with opened(redis_log(always.port)) as log:
        after = await log.head()

        async def follow() -> None:
            async for batch in log.tail(after):
                found.extend(batch)

        async def send(caller: int) -> None:
            nonlocal refused
            for number in range(60):
                while True:
                    try:
                        await log.append([event(f"{caller}/{number}")])
                        break
                    except EventLogDown:
                        refused += 1
                        await asyncio.sleep(0.02)
                await asyncio.sleep(0.005)

        tail = asyncio.ensure_future(follow())
        senders = [asyncio.ensure_future(send(caller)) for caller in range(8)]
        await until(lambda: len(found) > 50)
        always.kill()
        await asyncio.sleep(0.4)
        assert refused > 0
        always.start()
        await asyncio.gather(*senders)
        await until(lambda: len(found) >= 480)
        assert (await log.head()).epoch == after.epoch
        whole(found, {f"{caller}/{n}": seq for (caller, n), seq in places(found).items()})
        assert len(found) == 480
        assert found == await everything(log)
        tail.cancel()
        await asyncio.gather(tail, return_exceptions=True)
    assert (said(caplog, "is down"), said(caplog, "is up again")) == (1, 1)
    assert said(caplog, "appendonly no") + said(caplog, "every second") == 0


def places(found: list[Logged]) -> dict[tuple[str, str], int]:
    """Where each caller's events are."""
    return {tuple(each.event.id.split("/")): each.position.sequence for each in found}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "kept", "warning"),
    [
        ((), 0, "appendonly no"),
        (("--appendonly", "yes", "--appendfsync", "everysec"), 3, "every second"),
    ],
)
async def test_redis_that_may_have_lost_something_says_so(
    options: tuple[str, ...], kept: int, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    """After a restart that may have cost events, a reader is told to begin anew; the operator was warned before."""
    with RedisServer(*options) as server:
        async with opened(redis_log(server.port)) as log:
            assert said(caplog, warning) == 1
            told = await log.append([event(number) for number in range(3)])
            tail = log.tail(told[0].position)
            assert ids(await anext(tail)) == ["1", "2"]
            waiting = asyncio.ensure_future(anext(tail))
            if kept:
                # Sooner, kill -9 does cost them now and then: a write waits while the last one is on its way to the disk.
                await asyncio.sleep(2.5)
            server.restart()
            with pytest.raises(ResyncRequired):
                async with asyncio.timeout(15):
                    await waiting
            head = await patiently(log.head)
            assert head.epoch != told[0].position.epoch
            assert len(await log.about("item:FG-1050", 10)) == kept
            (again,) = await log.append([event(2)])
            assert again.duplicate_of == (event(2).number if kept else None)
            assert again.position.epoch == head.epoch
            with pytest.raises(ResyncRequired):
                await log.read(told[2].position)
            assert said(caplog, warning) == 1


async def test_an_emptied_redis_is_another_log(always: RedisServer) -> None:
    """FLUSHALL while it runs: the next append begins a new epoch, and readers of the old one are told."""
    async with opened(redis_log(always.port)) as log, Redis.from_url(always.url) as client:
        told = await log.append([event(number) for number in range(3)])
        await client.flushall()
        (first,) = await log.append([event(9)])
        assert (first.position.sequence, first.duplicate_of) == (1, None)
        assert first.position.epoch != told[0].position.epoch
        for old in (told[0].position, told[2].position):
            with pytest.raises(ResyncRequired):
                await log.read(old)


async def test_a_redis_that_comes_back_shorter_than_it_was_seen(always: RedisServer) -> None:
    """Whatever it promises: where fewer events are there than a gateway has seen, the epoch ends."""
    async with opened(redis_log(always.port)) as log, Redis.from_url(always.url) as client:
        told = await log.append([event(number) for number in range(3)])
        # A copy of yesterday, say: the same epoch, fewer events.
        await client.hset("cd:crossdock:ev:state", "last", "1")
        await client.xtrim("cd:crossdock:ev:stream", maxlen=0)
        epoch = told[0].position.epoch
        end = time.monotonic() + 10
        while (await log.head()).epoch == epoch:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)


async def test_a_hole_in_redis_is_not_passed_over(always: RedisServer) -> None:
    """Where events are gone that nobody let go, a reader is told; what points to them does no harm."""
    async with opened(redis_log(always.port)) as log, Redis.from_url(always.url) as client:
        told = await log.append([event(number) for number in range(6)])
        await client.xdel("cd:crossdock:ev:stream", "4-1")
        assert ids(await log.read(told[0].position)) == ["1", "2"]
        with pytest.raises(ResyncRequired, match="missing"):
            await log.read(told[2].position)
        assert ids(await log.read(told[3].position)) == ["4", "5"]
        assert await log.find([event(3).number]) == [None]
        (again,) = await log.append([event("3 again", fact=event(3).fact)])
        assert again.duplicate_of is None
        await client.delete("cd:crossdock:ev:stream")
        with pytest.raises(ResyncRequired, match="missing"):
            await log.read(told[3].position)


async def test_a_redis_that_forgets_when_it_is_full_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """A policy that evicts what has no lifetime is told to the operator."""
    options = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with RedisServer(*ALWAYS, *options) as server:
        async with opened(redis_log(server.port)) as log:
            await log.head()
    assert said(caplog, "maxmemory-policy allkeys-lru") == 1


async def test_a_full_redis_takes_nothing_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """No event is accepted that has no room; when there is room again all goes on."""
    with RedisServer(*ALWAYS) as server:
        async with opened(redis_log(server.port)) as log, Redis.from_url(server.url) as client:
            await log.append([event(1)])
            await client.config_set("maxmemory", "1mb")
            with pytest.raises(EventLogDown):
                await log.append([event(2)])
            assert ids(await everything(log)) == ["1"]
            await client.config_set("maxmemory", "0")
            await patiently(lambda: log.append([event(2)]))
            assert ids(await everything(log)) == ["1", "2"]
    assert said(caplog, "refuses to append events") == 1


async def test_a_redis_that_is_not_there_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """The gateway starts without it; senders are told that nothing was accepted; later all is well."""
    with RedisServer(*ALWAYS) as server, Proxy(server.port) as proxy:
        proxy.down()
        async with opened(redis_log(proxy.port)) as log:
            began = time.monotonic()
            with pytest.raises(EventLogDown) as caught:
                await log.append([event(1)])
            assert caught.value.hint
            for call in (log.head(), log.parked(), log.find(["a"]), log.duplicates("a"), log.latest("po:1")):
                with pytest.raises(EventLogDown):
                    await call
            assert time.monotonic() - began < 1
            proxy.up()
            await patiently(lambda: log.append([event(1)]))
            assert ids(await everything(log)) == ["1"]
    assert (said(caplog, "is down"), said(caplog, "is up again")) == (1, 1)


async def test_an_append_whose_answer_is_lost_is_safe_to_repeat(always: RedisServer) -> None:
    """The connection is cut when Redis has the events already: the sender is told to repeat, and they are there once."""
    with Proxy(always.port) as proxy:
        async with opened(redis_log(proxy.port)) as log:
            for number in range(5):
                appending = asyncio.ensure_future(log.append([event(n) for n in range(number + 1)]))
                await asyncio.sleep(0.001 * number)
                proxy.down()
                await asyncio.gather(appending, return_exceptions=True)
                proxy.up()
            await patiently(lambda: log.append([event(n) for n in range(5)]))
            found = await everything(log)
            assert sorted(ids(found)) == ["0", "1", "2", "3", "4"]


async def test_a_file_that_another_has_to_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Senders are told, once it is said in the log; when it is free again all goes on, and that is said too."""
    path = tmp_path / "events.db"
    async with opened(SqliteLog(path, busy=0.1)) as log:
        await log.append([event(1)])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        results = await asyncio.gather(*[log.append([event(n)]) for n in range(2, 5)], return_exceptions=True)
        assert [type(each) for each in results] == [EventLogDown] * 3
        assert len({id(each) for each in results}) == 3
        assert ids(await everything(log)) == ["1"]
        other.execute("ROLLBACK")
        other.close()
        await log.append([event(2)])
        assert ids(await everything(log)) == ["1", "2"]
    assert (said(caplog, "cannot be used"), said(caplog, "takes events again")) == (1, 1)


@pytest.mark.parametrize("spoilt", ["no folder", "text", "another database", "folder", "later release"])
async def test_a_file_that_cannot_be_it_is_said_at_the_start(tmp_path: Path, spoilt: str) -> None:
    """The message names the setting and the mend, and the file is left alone."""
    path = tmp_path / "events.db"
    if spoilt == "no folder":
        path = tmp_path / "nowhere" / "events.db"
    elif spoilt == "text":
        path.write_text("not a database " * 500)
    elif spoilt == "folder":
        path.mkdir()
    else:
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE orders (number TEXT)")
            if spoilt == "later release":
                other.execute("PRAGMA application_id=1128547670")
                other.execute("PRAGMA user_version=2")
        other.close()
    with pytest.raises(ConfigError, match=r"events\.path") as caught:
        await SqliteLog(path).open()
    assert caught.value.hint
    if spoilt == "another database":
        other = sqlite3.connect(path)
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("orders",)]
        other.close()


async def test_the_file_is_for_the_gateway_only(tmp_path: Path) -> None:
    """Others on the machine read neither the events nor what could not become one."""
    async with opened(SqliteLog(tmp_path / "events.db")) as log:
        await log.append([event(1)])
        assert rights(tmp_path) == ["0o600"] * 3


def rights(folder: Path) -> list[str]:
    """Who may do what with the files in a folder."""
    return [oct(path.stat().st_mode & 0o777) for path in folder.iterdir()]


async def test_several_open_a_new_file_at_once(tmp_path: Path) -> None:
    """Workers that start together find one log with one epoch."""
    path = tmp_path / "events.db"
    logs = [SqliteLog(path) for _ in range(6)]
    await asyncio.gather(*[log.open() for log in logs])
    assert len({(await log.head()).epoch for log in logs}) == 1
    for log in logs:
        await log.close()


async def test_the_log_speaks_as_its_own(always: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """One Redis may be behind cache and event log: each says which of the two has lost it."""
    caplog.set_level(logging.WARNING)
    async with opened(redis_log(always.port)) as log:
        await log.head()
        always.kill()
        await until(lambda: said(caplog, "is down"))
    assert said(caplog, "Redis (event log) at 127.0.0.1") == 1


async def test_a_redis_that_did_not_write_everything_for_a_while(always: RedisServer) -> None:
    """What it promises after a restart does not count, where it promised less before."""
    async with opened(redis_log(always.port)) as log, Redis.from_url(always.url) as client:
        (told,) = await log.append([event(1)])
        await client.config_set("appendfsync", "everysec")
        end = time.monotonic() + 10
        while await client.hget("cd:crossdock:ev:state", "sure") != b"0":
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        always.restart()
        assert (await patiently(lambda: other_epoch(log, told.position.epoch))).sequence == 1


async def other_epoch(log: EventLog, epoch: str) -> Position:
    """The end of a log once it is another one's."""
    head = await log.head()
    if head.epoch == epoch:
        raise EventLogDown("it is still the same")
    return head


async def test_a_replica_that_took_over_may_lack_the_last_events(always: RedisServer) -> None:
    """It has them all as far as anybody knows; but nobody knows, so the epoch ends."""
    with (
        Proxy(always.port) as proxy,
        RedisServer(*ALWAYS, "--replicaof", "127.0.0.1", str(always.port)) as replica,
    ):
        async with opened(redis_log(proxy.port)) as log, Redis.from_url(replica.url) as client:
            told = await log.append([event(number) for number in range(3)])
            end = time.monotonic() + 15
            while await client.hget("cd:crossdock:ev:state", "last") != b"3":
                assert time.monotonic() < end
                await asyncio.sleep(0.05)
            proxy.down()
            await client.replicaof("NO", "ONE")
            proxy.target = replica.port
            proxy.up()
            head = await patiently(lambda: other_epoch(log, told[0].position.epoch))
            assert head.sequence == 3
            (again, new) = await log.append([event(2), event(3)])
            assert (again.duplicate_of, new.position.sequence) == (event(2).number, 4)
