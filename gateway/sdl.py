"""The schema as text, and what changed in it since it was committed."""

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from graphql import build_schema as parse_schema
from graphql.utilities import find_breaking_changes, find_dangerous_changes

from resolvers.graph import build_schema
from schema.errors import ConfigError

COMMITTED = Path("schema/schema.graphql")
EXCUSES = Path("schema/breaking.toml")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Changes from the committed schema to the present one; ``breaking`` has no excuse, ``excused`` has one."""

    same: bool
    breaking: tuple[str, ...]
    excused: tuple[str, ...]
    dangerous: tuple[str, ...]


def present_sdl() -> str:
    """The schema of this program, Federation directives included."""
    return build_schema().as_str().rstrip() + "\n"


def committed_sdl(path: Path | None = None) -> str:
    """The committed schema: a file, or the one this program was built with."""
    if path is None:
        packaged = files("schema").joinpath(COMMITTED.name)
        if not packaged.is_file():
            raise ConfigError(
                "this program was built without schema.graphql", hint="Name one with --against."
            )
        return packaged.read_text("utf-8")
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", hint="Name a schema file.") from error


def read_excuses(path: Path) -> dict[str, str]:
    """Breaking changes that were decided: the change's sentence → the reason. No file means none."""
    if not path.is_file():
        return {}
    table = tomllib.loads(path.read_text("utf-8"))
    bad = [change for change, reason in table.items() if not (isinstance(reason, str) and reason.strip())]
    if bad:
        raise ConfigError(f"{path}: {bad[0]!r} has no reason", hint='Write "change" = "why it had to be".')
    return table


def compare(committed: str, present: str, excuses: dict[str, str]) -> Comparison:
    """What a client of the committed schema would notice."""
    old = parse_schema(committed, assume_valid=True, assume_valid_sdl=True)
    new = parse_schema(present, assume_valid=True, assume_valid_sdl=True)
    breaking = [change.description for change in find_breaking_changes(old, new)]
    return Comparison(
        committed == present,
        tuple(text for text in breaking if text not in excuses),
        tuple(f"{text} ({excuses[text]})" for text in breaking if text in excuses),
        tuple(change.description for change in find_dangerous_changes(old, new)),
    )
