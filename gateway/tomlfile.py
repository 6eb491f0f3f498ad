"""TOML with line numbers: ``tomllib`` says what stands in a file, this says where."""

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from schema.errors import ConfigError

KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A file's content and the line of each of its keys."""

    name: str
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """``file:line`` of a key, or of the nearest table around it; the bare file if none is written there."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.name}:{self.lines[path]}" if path else self.name


def read_toml(path: Path) -> TomlFile:
    """The file's content; raises ConfigError naming the file, and the line if it is no TOML."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {reason}", hint="Name a readable TOML file.") from error
    return parse_toml(text, str(path))


def parse_toml(text: str, name: str) -> TomlFile:
    """As ``read_toml``, from a text."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = _error_line(str(error), text)
        message = str(error).partition(" (at ")[0]
        raise ConfigError(
            f"{name}:{line}: not valid TOML: {message}", hint="See https://toml.io/en/v1.0.0"
        ) from error
    return TomlFile(name, data, dict(_lines(text)))


def _error_line(message: str, text: str) -> int:
    after = message.partition("(at line ")[2].partition(",")[0]
    return int(after) if after.isdecimal() else text.rstrip().count("\n") + 1


def _lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Every key path of a valid text with the line that mentions it first."""
    table: KeyPath = ()
    arrays: Counter[KeyPath] = Counter()
    seen: set[KeyPath] = set()
    for line, statement in _statements(text):
        content = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _header(content, arrays, is_array=statement.lstrip().startswith("[["))
            found = [table[: i + 1] for i in range(len(table))]
        else:
            found = [table + path for path in _paths(content)]
        for path in found:
            if path not in seen:
                seen.add(path)
                yield path, line


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Headers and assignments with the line they start at. A statement is whole as soon as it parses by itself."""
    start, pending = 0, ""
    # Not splitlines(): only the line feed ends a line in TOML.
    for number, line in enumerate(text.split("\n"), 1):
        if not pending and not line.partition("#")[0].strip():
            continue
        start = start if pending else number
        pending += line + "\n"
        try:
            tomllib.loads(pending)
        except tomllib.TOMLDecodeError:
            continue
        yield start, pending
        pending = ""


def _header(content: dict[str, Any], arrays: Counter[KeyPath], *, is_array: bool) -> KeyPath:
    """The path a header opens; below an array of tables it is the array's latest element."""
    path: KeyPath = ()
    while content:
        key, inner = next(iter(content.items()))
        path += (key,)
        content = inner[0] if isinstance(inner, list) else inner
        if not content and is_array:
            arrays[path] += 1
        if path in arrays:
            path += (arrays[path] - 1,)
    return path


def _paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths(inner, (*path, index))
