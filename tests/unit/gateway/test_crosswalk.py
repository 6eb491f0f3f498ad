"""The crosswalk's background work and its command line."""

import asyncio
import json
import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.app import make_crosswalk
from gateway.cli import app
from gateway.config import load_settings
from gateway.crosswalk.service import CrosswalkService
from gateway.crosswalk.store import Store
from gateway.crosswalk.table import make_table, touched
from gateway.crosswalk.waiting import Note, Waiting
from gateway.database import Database
from gateway.problems import SettingsError
from gateway.tomlfile import parse_toml
from schema.errors import ConfigError, CrossdockError
from schema.matching import Entry, Reason, Unmatched

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
ENTRY = Entry("MES", "Lot", "FG/L1-", "FG/L1-EU", at=NOW)


def stray(key: str = "FG/L9") -> Unmatched:
    """A key of the MES that nobody could match."""
    return Unmatched("MES", "Lot", key, key, Reason.UNASKED, (f"{key}A",))


class Broken(Store):
    """A store whose database comes and goes."""

    down = False

    def version(self) -> int:
        """The version, unless the database is gone."""
        if self.down:
            raise OSError("no route to host")
        return super().version()


async def until(true: Any) -> None:
    """Wait a little for something to become true."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 nothing tells
            await asyncio.sleep(0.005)


async def test_a_running_gateway_follows_the_table() -> None:
    """Another process's change is noticed by itself, without anybody telling."""
    service = CrosswalkService(Store(Database()), every=0.01)
    async with service.running():
        assert service.entry("MES", "Lot", "FG/L1-") is None
        service.store.add([ENTRY])
        await until(lambda: service.entry("MES", "Lot", "FG/L1-") is not None)
        service.report(stray())
        await until(lambda: service.store.unmatched())


async def test_what_waits_is_written_down_at_the_end(tmp_path: Path) -> None:
    """A gateway that stops loses no sighting."""
    url = f"sqlite:///{tmp_path}/c.db"
    service = CrosswalkService(Store(Database(url)), every=60)
    async with service.running():
        service.report(stray())
    store = Store(Database(url))
    assert [row.key for row in store.unmatched()] == ["FG/L9"]
    store.close()


async def test_a_database_that_goes_away_costs_nothing_but_news(caplog: pytest.LogCaptureFixture) -> None:
    """The table stays as it was; the trouble is told once, and once that it is over."""
    store = Broken(Database())
    service = CrosswalkService(store, every=0.01)
    async with service.running():
        store.add([ENTRY])
        await until(lambda: service.entry("MES", "Lot", "FG/L1-") is not None)
        with caplog.at_level(logging.WARNING, "crossdock.crosswalk"):
            store.down = True
            await until(lambda: caplog.records)
            await asyncio.sleep(0.1)
            assert service.entry("MES", "Lot", "FG/L1-") is not None
            store.down = False
            await until(lambda: len(caplog.records) == 2)
    assert [record.getMessage() for record in caplog.records] == [
        "the crosswalk is as it was: its database does not answer (OSError)",
        "the database of the crosswalk answers again",
    ]


async def test_without_its_database_a_gateway_does_not_start(tmp_path: Path) -> None:
    """Without the crosswalk it might show rows under the wrong keys."""
    service = CrosswalkService(Store(Database(f"sqlite:///{tmp_path}/none/c.db")))
    with pytest.raises(ConfigError, match="cannot be used"):
        async with service.running():
            pass


def test_sightings_are_coalesced_and_bounded() -> None:
    """The same key is one note; of too many different ones, those not seen for longest are forgotten."""
    moments = iter(NOW + timedelta(seconds=n) for n in range(100))
    waiting = Waiting(lambda: next(moments), most=3)
    for key in ("A", "B", "C", "A", "D", "E"):
        waiting.add(stray(key))
    assert [(note.key, note.count) for note in waiting.take()] == [("A", 2), ("D", 1), ("E", 1)]
    assert (waiting.dropped, waiting.take()) == (2, [])


def test_what_a_change_touches() -> None:
    """The ids of both sides of every entry that came, went or is surer now."""
    surer = Entry("MES", "Lot", "FG/L1-", "FG/L1-EU", confirmed=False)
    assert touched(make_table([ENTRY]), make_table([ENTRY])) == frozenset()
    assert touched(make_table([ENTRY]), make_table([surer])) == {"lot:FG/L1-", "lot:FG/L1-EU"}


def test_entries_that_cannot_be_are_left_out() -> None:
    """A table written by other means cannot break an answer: keys of the wrong number of parts, unknown kinds."""
    wrong = [
        Entry("MES", "Lot", "L1", "FG/L1"),
        Entry("MES", "Lot", "FG/L1", "L1"),
        Entry("MES", "Spoon", "A", "B"),
    ]
    assert make_table([*wrong, ENTRY]).entries == {ENTRY}


SETTINGS = """
database_url = "sqlite:///{folder}/c.db"
[plants.1710]
name = "Kassel"
time_zone = "Europe/Berlin"
[systems.MES]
adapter = "rest"
kind = "MES"
base_url = "http://127.0.0.1:1"
spellings = {{ lot = {{ case = "upper", send_case = "lower", cut = 10 }} }}
rows = {{ lot = {{ LotMaster = {{ item = "item", lot = {{ path = "lot", key = "lot" }} }} }} }}
reads = {{ lots = {{ row = "lot", parts = ["LotMaster"], path = "/lots", keys = {{ param = "lot" }} }} }}
[systems.MES.keys]
ProductionOrder = {{ number = {{ prefix = "MO-", pad = 9 }} }}
"""


class Program:
    """The command line over a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "gateway.toml"
        self.config.write_text(SETTINGS.format(folder=folder))

    def run(self, *arguments: str) -> str:
        """What a command prints; raises what it raises."""
        where = ["--config", str(self.config)]
        command, *rest = arguments
        result = CliRunner().invoke(app, ["crosswalk", command, *where, *rest], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    def json(self, *arguments: str) -> Any:
        """The same for programs."""
        return json.loads(self.run(*arguments, "--json"))

    def refused(self, *arguments: str) -> str:
        """What a command says that is refused."""
        with pytest.raises(CrossdockError) as caught:
            self.run(*arguments)
        return f"{caught.value} {caught.value.hint or ''}"

    def note(self, notes: Iterable[Note]) -> None:
        """Put sightings into the queue, as a gateway does."""
        store = Store(Database(f"sqlite:///{self.folder}/c.db"))
        store.open()
        store.note(notes)
        store.close()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A program with an empty store."""
    return Program(tmp_path)


def test_from_the_queue_to_an_entry(program: Program) -> None:
    """What is unmatched is listed; saying what it is normalises the key, and takes it out of the queue."""
    program.note(
        [Note("MES", "Lot", "FG/L2409-07A-", "l2409-07a-", Reason.TRUNCATED, 7, NOW, NOW, ("FG/X",))]
    )
    [row] = program.json("unmatched")
    assert (row["raw"], row["count"], row["candidates"], row["reason"]) == (
        "l2409-07a-",
        7,
        ["FG/X"],
        "TRUNCATED",
    )
    assert "l2409-07a-" in program.run("unmatched", "--system", "MES", "--kind", "lot")
    said = program.run(
        "add", "MES", "lot", "FG/l2409-07a-", "lot:FG/L2409-07A-EU", "--note", "label read", "--by", "ada"
    )
    assert said == "Added: MES Lot FG/L2409-07A- = FG/L2409-07A-EU\n"
    assert program.run("unmatched") == "Nothing is unmatched.\n"
    [entry] = program.json("list")
    assert (entry["theirs"], entry["ours"], entry["by"], entry["confirmed"], entry["matched_by"]) == (
        "FG/L2409-07A-",
        "FG/L2409-07A-EU",
        "ada",
        True,
        "MANUAL",
    )
    assert program.run("add", "MES", "Lot", "FG/l2409-07a-", "FG/L2409-07A-EU").startswith("There already")
    assert program.run("remove", "MES", "Lot", "FG/L2409-07A-").startswith("Removed: MES Lot")
    assert program.run("list") == "The table is empty.\n"


def test_a_table_from_a_spreadsheet(program: Program) -> None:
    """Commas or semicolons, a byte order mark, blanks; a second import of the same lines adds nothing."""
    file = program.folder / "lots.csv"
    head = "\ufeffSystem;Kind;Theirs;Ours;Confirmed;Note\n"
    file.write_text(
        head + "MES;Lot;FG/l1 ;FG/L1-EU;no;guess\nMES;ProductionOrder;1710/MO-000001040;1710/77;;\n", "utf-8"
    )
    assert program.json("import", str(file)) == {"added": 2, "already": 0}
    assert program.run("import", str(file)) == "0 added, 2 there already.\n"
    found = {(e["kind"], e["theirs"], e["ours"], e["confirmed"]) for e in program.json("list")}
    assert found == {("Lot", "FG/L1", "FG/L1-EU", False), ("ProductionOrder", "1710/1040", "1710/77", True)}


def test_a_wrong_file_is_refused_as_a_whole(program: Program) -> None:
    """Every wrong line is named with its mend, and no line is taken."""
    file = program.folder / "x.csv"
    file.write_text(
        "system,kind,theirs,ours,confirmed\nMES,Lot,FG/1,FG/2,\nMSE,Lot,A/1,A/2,\nMES,Lott,A/1,A/2,\nMES,Lot,L1,A/2,maybe\n"
    )
    said = program.refused("import", str(file))
    assert "x.csv:3: system: no system 'MSE'. Did you mean 'MES'?" in said
    assert "x.csv:4: kind: no kind of key 'Lott'. Did you mean 'Lot'?" in said
    assert "x.csv:5: confirmed: 'maybe' is neither true nor false." in said
    assert program.json("list") == []
    file.write_text("system,kind,theirs\n")
    assert "x.csv:1: the head lacks ours" in program.refused("import", str(file))
    file.write_text("system,kind,theirs,ours,colour\n")
    assert "the head has 'colour'" in program.refused("import", str(file))
    assert "cannot be read" in program.refused("import", str(program.folder / "none.csv"))


REFUSED = [
    (("add", "MSE", "Lot", "A/1", "A/2"), "no system 'MSE'. Did you mean 'MES'?"),
    (("add", "MES", "Batch", "A/1", "A/2"), "no kind of key 'Batch'"),
    (("add", "MES", "Lot", "L1", "A/2"), "theirs: 'L1' is no key of Lot. Write item/number."),
    (("add", "MES", "Lot", "A/1", "lot:A"), "ours: 'A' is no key of Lot. Write item/number."),
    (("remove", "MES", "Lot", "A/1"), "no entry for 'A/1'. See crossdock crosswalk list."),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=[" ".join(case[0]) for case in REFUSED])
def test_mistakes_are_named(program: Program, arguments: tuple[str, ...], words: str) -> None:
    """The value, what is wrong with it, and how it is written."""
    assert words in program.refused(*arguments)


def test_an_entry_outlives_its_system(program: Program) -> None:
    """A system that is gone from the settings can still be cleaned up."""
    store = Store(Database(f"sqlite:///{program.folder}/c.db"))
    store.open()
    store.add([Entry("OLD", "Item", "A", "B")])
    store.close()
    assert program.run("remove", "OLD", "Item", "A") == "Removed: OLD Item A = B\n"


def test_a_store_is_needed(program: Program) -> None:
    """Without a database an entry would be lost with the command."""
    program.config.write_text("host = '127.0.0.1'\n")
    said = program.refused("list")
    assert "database_url is not set" in said
    assert 'database_url = "sqlite:////' in said


def test_what_a_system_sent_cannot_write_on_the_terminal(program: Program) -> None:
    """Control characters of a key are not printed."""
    program.note([Note("MES", "Lot", "FG/\x1b[31m", "\x1b]0;x\x07", Reason.UNASKED, 1, NOW, NOW)])
    assert "\x1b" not in program.run("unmatched")


@pytest.mark.parametrize(
    "url", ["mysql://a:top-secret@h/d", "host=h password=top-secret", "postgres//top-secret"]
)
def test_a_database_url_that_is_none(url: str) -> None:
    """It is refused at the start, with its place and without its text."""
    with pytest.raises(SettingsError, match=r"gateway.toml:1: database_url = \(not shown\)") as caught:
        load_settings(parse_toml(f'database_url = "{url}"\n', "gateway.toml"), {})
    assert "top-secret" not in str(caught.value)


def test_the_url_is_a_secret_wherever_settings_are_shown() -> None:
    """Neither printing the settings nor dumping them shows it."""
    settings = load_settings(None, {"CROSSDOCK_DATABASE_URL": "postgresql://a:top-secret@h/d"})
    assert "top-secret" not in f"{settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert make_crosswalk(settings).store.database.url.password == "top-secret"
