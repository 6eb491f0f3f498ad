"""Conditions on raw rows: ``where`` and the ``when`` of rules, compiled once.

A condition is a path and what is expected there: a value, a list of values, ``"*"`` (something), ``"-"`` (nothing),
or a comparison with a number (``">0"``, ``">=1"``, ``"<5"``, ``"<=5"``, ``"!=0"``).
"""

import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from sources.rest.environment import Context
from sources.rest.paths import compile_path
from sources.rest.spec import Condition

Predicate: TypeAlias = Callable[[Any, Any, Context], bool]

_COMPARE = re.compile(r"(>=|<=|!=|>|<)\s*(-?\d+(?:\.\d+)?)")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


def word(value: Any) -> str:
    """A scalar as the text codes and conditions are written in."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def compile_where(conditions: Mapping[str, Condition]) -> Predicate | None:
    """A function that says whether all conditions hold; None where there are none."""
    tests = [(compile_path(path), test_of(expected)) for path, expected in conditions.items()]
    if not tests:
        return None

    def holds(row: Any, up: Any, ctx: Context) -> bool:
        return all(test(get(row, up, ctx)) for get, test in tests)

    return holds


def test_of(expected: Condition) -> Callable[[Any], bool]:
    """A function that says whether a value is as expected."""
    if expected == "*":
        return _something
    if expected == "-":
        return lambda value: not _something(value)
    match = _COMPARE.fullmatch(expected) if isinstance(expected, str) else None
    if match is not None:
        return _comparison(_OPERATORS[match[1]], Decimal(match[2]))
    chosen = words_of(expected)
    return lambda value: spoken(value) in chosen


def expected_words(expected: Condition) -> frozenset[str] | None:
    """The words of which a value must be one; None where more than words are compared."""
    if isinstance(expected, str) and (expected in ("*", "-") or _COMPARE.fullmatch(expected)):
        return None
    return words_of(expected)


def words_of(expected: Condition) -> frozenset[str]:
    """One expected value, or several, as words."""
    return frozenset(word(one) for one in (expected if isinstance(expected, tuple) else (expected,)))


def spoken(value: Any) -> str:
    """A value as a word; nothing is the empty one."""
    return word("" if value is None else value)


def _comparison(compare: Callable[[Any, Any], bool], bound: Decimal) -> Callable[[Any], bool]:
    def test(value: Any) -> bool:
        if value is None or value == "":
            return False
        try:
            return compare(Decimal(str(value)), bound)
        except InvalidOperation as error:
            raise ValueError(f"{value!r} is not a number") from error

    return test


def _something(value: Any) -> bool:
    return value is not None and value != "" and value != [] and value is not False
