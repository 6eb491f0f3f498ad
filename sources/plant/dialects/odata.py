"""A small part of OData V2's $filter: eq ne gt ge lt le, and, or, parentheses, substringof, datetime literals."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sources.plant.asgi import Refusal, Row

MOST_TERMS = 200
Test = Callable[[Row], bool]
_TOKEN = re.compile(
    r"\s*(?:(?P<word>and|or|eq|ne|gt|ge|lt|le|substringof)\b|(?P<text>datetime'[^']*'|'(?:[^']|'')*')|"
    r"(?P<bool>true|false)\b|(?P<number>-?\d+(?:\.\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<mark>[(),]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "ne": lambda a, b: bool(a != b),
    "gt": lambda a, b: bool(a > b),
    "ge": lambda a, b: bool(a >= b),
    "lt": lambda a, b: bool(a < b),
    "le": lambda a, b: bool(a <= b),
}


class Filter:
    """A parsed filter: `matches` tests a row, `keys` says which values of a property can match at all."""

    def __init__(self, source: str) -> None:
        self._tokens = _tokens(source)
        self._at = 0
        self._terms = 0
        self.matches, self._needs = self._either()
        if self._at < len(self._tokens):
            raise Refusal(400, f"$filter: unexpected {self._tokens[self._at][1]!r}")

    def keys(self, name: str) -> list[str] | None:
        """The values of a property that can match, or None when it may be anything."""
        values = self._needs.get(name)
        return None if values is None else list(values)

    def _either(self) -> tuple[Test, dict[str, dict[str, None]]]:
        test, needs = self._both()
        tests = [test]
        while self._take("word", "or"):
            more, theirs = self._both()
            tests.append(more)
            needs = {name: needs[name] | theirs[name] for name in needs if name in theirs}
        return (tests[0] if len(tests) == 1 else lambda row: any(t(row) for t in tests)), needs

    def _both(self) -> tuple[Test, dict[str, dict[str, None]]]:
        test, needs = self._term()
        tests = [test]
        while self._take("word", "and"):
            more, theirs = self._term()
            tests.append(more)
            needs = theirs | needs
        return (tests[0] if len(tests) == 1 else lambda row: all(t(row) for t in tests)), needs

    def _term(self) -> tuple[Test, dict[str, dict[str, None]]]:
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise Refusal(400, f"$filter: at most {MOST_TERMS} terms")
        if self._take("mark", "("):
            inner = self._either()
            self._must("mark", ")")
            return inner
        if self._take("word", "substringof"):
            return self._substring(), {}
        name = self._must("name")
        word = self._must("word")
        kind, literal = self._next()
        if word not in _COMPARE or kind not in ("text", "number", "bool"):
            raise Refusal(400, f"$filter: cannot read {name} {word} {literal}")
        wanted, compare = _literal(literal), _COMPARE[word]
        needs = {name: {wanted: None}} if word == "eq" and isinstance(wanted, str) else {}
        return lambda row: name in row and compare(_comparable(row[name], wanted), wanted), needs

    def _substring(self) -> Test:
        self._must("mark", "(")
        wanted = str(_literal(self._must("text"))).lower()
        self._must("mark", ",")
        name = self._must("name")
        self._must("mark", ")")
        return lambda row: wanted in str(row.get(name, "")).lower()

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise Refusal(400, "$filter: ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, kind: str, value: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == (kind, value):
            self._at += 1
            return True
        return False

    def _must(self, kind: str, value: str | None = None) -> str:
        found, text = self._next()
        if found != kind or value not in (None, text):
            raise Refusal(400, f"$filter: expected {value or kind}, found {text!r}")
        return text


def _tokens(source: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    source = source.rstrip()
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            raise Refusal(400, f"$filter: cannot read {source[at : at + 20]!r}")
        kind = str(match.lastgroup)
        tokens.append((kind, match.group(kind)))
        at = match.end()
    return tokens


def _literal(source: str) -> Any:
    if source.startswith("datetime'"):
        try:
            at = datetime.fromisoformat(source[9:-1])
        except ValueError as error:
            raise Refusal(400, f"$filter: not a time: {source}") from error
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    if source.startswith("'"):
        return source[1:-1].replace("''", "'")
    return source == "true" if source in ("true", "false") else float(source)


def _comparable(value: Any, wanted: Any) -> Any:
    """A row's value as the literal's kind: /Date(ms)/ as a number, text numbers as numbers."""
    if isinstance(wanted, str) or isinstance(value, bool):
        return "" if value is None else value
    digits = re.sub(r"[^0-9.-]", "", str(value))
    return float(digits) if digits else float("-inf")
