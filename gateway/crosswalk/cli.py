"""``crossdock crosswalk``: see what could not be matched, and say what belongs together."""

import csv
import dataclasses
import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from gateway.app import make_crosswalk, make_sources
from gateway.config import Settings, load_settings
from gateway.crosswalk.store import CrosswalkError, Store
from gateway.problems import did_you_mean
from schema.base import KEYS, PREFIXES, MatchRule, join_key, split_key
from schema.errors import ConfigError
from schema.matching import Entry
from sources.base import Source
from sources.matching import named
from sources.references import KINDS

COLUMNS = ("system", "kind", "theirs", "ours")
FURTHER = ("confirmed", "note", "by")
MOST_PROBLEMS = 20
_WORDS = {"": True, "true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

crosswalk_app = typer.Typer(
    help="Keys that systems and we name differently: what is unmatched, and the table that settles it.",
    no_args_is_help=True,
)

Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="CROSSDOCK_CONFIG", help="The TOML file of settings and systems."),
]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
By = Annotated[str | None, typer.Option(help="Who says so; the user of this machine, if not given.")]
OnlySystem = Annotated[str | None, typer.Option("--system", help="Of this system only.")]
OnlyKind = Annotated[str | None, typer.Option("--kind", help="Of this kind only, such as Lot.")]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works with: the store, and the systems with their spellings."""

    store: Store
    sources: dict[str, Source]

    def system(self, code: str) -> Source:
        """A system by its code."""
        if code not in self.sources:
            raise CrosswalkError(
                f"system: no system {code!r}.", hint=_sentence(did_you_mean(code, self.sources))
            )
        return self.sources[code]

    def entry(self, system: str, kind: str, theirs: str, ours: str, **more: Any) -> Entry:
        """An entry as it is kept: the system's key normalised by its own spelling, ours canonical."""
        source, cls = self.system(system), kind_of(kind)
        key = named(source, cls, parts_of("theirs", cls, theirs))
        our = join_key(*parts_of("ours", cls, ours.removeprefix(f"{PREFIXES[cls]}:")))
        return Entry(source.code, cls.__name__, key, our, **more)


@contextmanager
def opened(config: Path) -> Iterator[Desk]:
    """The desk over the store that the settings name; raises ConfigError where they name none."""
    settings: Settings = load_settings(config)
    if settings.database_url is None:
        raise ConfigError(
            "database_url is not set: the crosswalk is kept nowhere.",
            hint='Set it, for example database_url = "sqlite:////var/lib/crossdock/crossdock.db", '
            "for the gateway and for this command alike.",
        )
    store = make_crosswalk(settings).store
    store.open()
    try:
        yield Desk(store, {source.code: source for source in make_sources(settings)})
    finally:
        store.close()


def kind_of(text: str) -> type:
    """A kind of keys by the name of its class, in any case."""
    known = {name.lower(): cls for name, cls in KINDS.items()}
    if text.lower() not in known:
        raise CrosswalkError(f"kind: no kind of key {text!r}.", hint=_sentence(did_you_mean(text, KINDS)))
    return known[text.lower()]


def parts_of(name: str, cls: type, text: str) -> tuple[str, ...]:
    """The parts of a key as written on the command line; a slash inside a part is written %2F."""
    attributes = KEYS[cls]["id"]
    parts = (text,) if len(attributes) == 1 and "/" in text else split_key(text)
    if len(parts) != len(attributes) or not all(part.strip() for part in parts):
        raise CrosswalkError(
            f"{name}: {text!r} is no key of {cls.__name__}.", hint=f"Write {'/'.join(attributes)}."
        )
    return parts


@crosswalk_app.command()
def unmatched(
    config: Config,
    system: OnlySystem = None,
    kind: OnlyKind = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows.")] = 100,
    as_json: Json = False,
) -> None:
    """List the keys that could not be matched, the latest first."""
    with opened(config) as desk:
        notes = desk.store.unmatched(system, kind and kind_of(kind).__name__, limit)
    shown = ("system", "kind", "key", "raw", "reason", "count", "last_seen", "candidates")
    _print(notes, shown, as_json, "Nothing is unmatched.")


@crosswalk_app.command("list")
def list_entries(
    config: Config, system: OnlySystem = None, kind: OnlyKind = None, as_json: Json = False
) -> None:
    """List the entries of the table."""
    with opened(config) as desk:
        entries = desk.store.entries(system, kind and kind_of(kind).__name__)
    _print(entries, (*COLUMNS, "matched_by", "confirmed", "by", "at", "note"), as_json, "The table is empty.")


@crosswalk_app.command()
def add(
    config: Config,
    system: Annotated[str, typer.Argument(help="Code of the system.")],
    kind: Annotated[str, typer.Argument(help="What the keys are of, such as Lot.")],
    theirs: Annotated[str, typer.Argument(help="The system's key, as it spells it: ITEM/LOT for a lot.")],
    ours: Annotated[str, typer.Argument(help="Our key, or the id of the gateway.")],
    note: Annotated[str, typer.Option(help="Why.")] = "",
    by: By = None,
    unconfirmed: Annotated[bool, typer.Option(help="A guess: shown as confirmed: false.")] = False,
    as_json: Json = False,
) -> None:
    """Say that a system's key and ours are the same thing. It leaves the queue of unmatched keys."""
    with opened(config) as desk:
        more = {"note": note, "by": by or _user(), "at": datetime.now(UTC), "confirmed": not unconfirmed}
        entry = desk.entry(system, kind, theirs, ours, **more)
        added = desk.store.add([entry])
    _done(as_json, f"{'Added' if added else 'There already'}: {_said(entry)}", added=added, entry=entry)


@crosswalk_app.command()
def remove(
    config: Config,
    system: Annotated[str, typer.Argument(help="Code of the system.")],
    kind: Annotated[str, typer.Argument(help="What the keys are of, such as Lot.")],
    theirs: Annotated[str, typer.Argument(help="The system's key, as it spells it or as listed.")],
    as_json: Json = False,
) -> None:
    """Take an entry out of the table."""
    with opened(config) as desk:
        # An entry outlives its system: that one may be gone from the settings and still be removed as listed.
        cls, parts = kind_of(kind), parts_of("theirs", kind_of(kind), theirs)
        source = desk.sources.get(system)
        key = join_key(*parts) if source is None else named(source, cls, parts)
        entry = desk.store.remove(system, cls.__name__, key)
    if entry is None:
        raise CrosswalkError(
            f"{system} {cls.__name__}: no entry for {key!r}.", hint="See crossdock crosswalk list."
        )
    _done(as_json, f"Removed: {_said(entry)}", removed=1, entry=entry)


@crosswalk_app.command("import")
def import_file(
    config: Config,
    file: Annotated[
        Path, typer.Argument(help="CSV with a head: system,kind,theirs,ours[,confirmed,note,by].")
    ],
    by: By = None,
    as_json: Json = False,
) -> None:
    """Put all lines of a CSV file into the table, or none of them. Lines that are there already are passed over."""
    with opened(config) as desk:
        entries = read_entries(desk, file, by or _user())
        added = desk.store.add(entries)
    _done(
        as_json,
        f"{added} added, {len(entries) - added} there already.",
        added=added,
        already=len(entries) - added,
    )


def read_entries(desk: Desk, file: Path, by: str) -> list[Entry]:
    """The entries of a CSV file; raises CrosswalkError with every line that is wrong."""
    lines = _lines(file)
    problems: list[str] = []
    entries: list[Entry] = []
    for number, line in lines:
        try:
            entries.append(_imported(desk, line, by))
        except CrosswalkError as error:
            problems.append(f"{file}:{number}: {error} {error.hint or ''}".rstrip())
    if problems:
        more = len(problems) - MOST_PROBLEMS
        rest = [f"… and {more} more"] if more > 0 else []
        raise CrosswalkError("\n".join([*problems[:MOST_PROBLEMS], *rest]), hint="Nothing was imported.")
    return entries


def _imported(desk: Desk, line: dict[str, str], by: str) -> Entry:
    confirmed = _WORDS.get(line.get("confirmed", "").lower())
    if confirmed is None:
        raise CrosswalkError(f"confirmed: {line['confirmed']!r} is neither true nor false.")
    return desk.entry(
        *[line[name] for name in COLUMNS],
        matched_by=MatchRule.XREF_TABLE,
        confirmed=confirmed,
        note=line.get("note", ""),
        by=line.get("by") or by,
        at=datetime.now(UTC),
    )


def _lines(file: Path) -> list[tuple[int, dict[str, str]]]:
    """The lines of the file with their numbers; commas or semicolons, as spreadsheets write them."""
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CrosswalkError(f"{file}: cannot be read.", hint="Give a CSV file in UTF-8.") from error
    head = text.partition("\n")[0]
    reader = csv.DictReader(
        text.splitlines(), delimiter=";" if ";" in head else ",", restval="", strict=False
    )
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    missing = [name for name in COLUMNS if name not in names]
    strange = [name for name in names if name not in (*COLUMNS, *FURTHER)]
    if missing or strange:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(map(repr, strange))}"
        hint = f"It is {','.join(COLUMNS)}, and if you like {','.join(FURTHER)}."
        raise CrosswalkError(f"{file}:1: the head {wrong}.", hint=hint)
    return [(reader.line_num, {k: (v or "").strip() for k, v in row.items() if k}) for row in reader]


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without the user's name
        return "unknown"


def _said(entry: Entry) -> str:
    return f"{entry.system} {entry.kind} {entry.theirs} = {entry.ours}"


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}" + ("" if clause.endswith("?") else ".")


def _done(as_json: bool, text: str, **facts: Any) -> None:
    typer.echo(orjson.dumps(facts).decode() if as_json else text)


def _print(rows: Sequence[Any], names: Sequence[str], as_json: bool, nothing: str) -> None:
    if as_json:
        typer.echo(orjson.dumps([dataclasses.asdict(row) for row in rows]).decode())
        return
    if not rows:
        typer.echo(nothing)
        return
    table = [
        [name.replace("_", " ") for name in names],
        *([_cell(getattr(r, n)) for n in names] for r in rows),
    ]
    widths = [max(len(line[i]) for line in table) for i in range(len(names))]
    for line in table:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    """A value on one line: what a system sent must not write on the operator's terminal."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
