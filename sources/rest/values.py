"""Raw scalars to canonical scalars. Every function raises ValueError with what is wrong and a sample."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, TypeAlias

from schema.base import plain
from sources.rest.conditions import word
from sources.rest.environment import Environment
from sources.rest.paths import kind

Convert: TypeAlias = Callable[[Any], Any]

_TRUTH = {"true": True, "false": False, "1": True, "0": False, "X": True, "": False}
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?").fullmatch


def text(value: Any) -> str:
    """A scalar as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, (dict, list)):
        raise ValueError(f"text was expected, not a {kind(value)}")
    return word(value)


def decimal_text(value: Any) -> str:
    """A number as the source wrote it, without exponent; SAP's trailing minus is understood."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"a number was expected, not {value!r:.40}")
    written = str(value).strip()
    if _PLAIN(written):
        return written
    if written.endswith("-") and _PLAIN(written[:-1]):
        return f"-{written[:-1]}"
    try:
        number = Decimal(written)
    except InvalidOperation as error:
        raise ValueError(f"{written!r:.40} is not a number") from error
    if not number.is_finite() or abs(number.adjusted()) > 60:
        raise ValueError(f"{written!r:.40} is not a number")
    return plain(number)


def multiplied(factor: str | None) -> Convert:
    """A function from a raw number to decimal text, times a factor."""
    if factor is None:
        return decimal_text
    by = Decimal(factor)
    return lambda value: plain(Decimal(decimal_text(value)) * by)


def integer(value: Any) -> int:
    """A whole number."""
    number = Decimal(decimal_text(value))
    if number != number.to_integral_value():
        raise ValueError(f"{value!r:.40} is not a whole number")
    return int(number)


def boolean(true: tuple[str | int | bool, ...] | None, invert: bool) -> Convert:
    """A function from a raw flag to a truth value."""
    if true is not None:
        yes = frozenset(word(value) for value in true)
        return lambda value: (word(value) in yes) is not invert

    def read(value: Any) -> bool:
        said = _TRUTH.get(word(value))
        if said is None:
            raise ValueError(f"{value!r:.40} is neither true nor false: name the values that are (true)")
        return said is not invert

    return read


def enum_reader(
    kind_of: type[Enum], codes: Mapping[str, str] | None, env: Environment, place: str
) -> Convert:
    """A function from a raw code to a member; codes without a place become UNKNOWN and are told once.

    A code ``"*"`` says what all others become. Without codes the raw value is the name of a member.
    """
    members = kind_of.__members__
    table = dict(members) if codes is None else {}
    for code, name in (codes or {}).items():
        if name not in members:
            env.fail(place, f"{name!r} is not a {kind_of.__name__}", members)
        table[code] = members[name]
    rest = table.get("*", members.get("UNKNOWN"))

    def read(value: Any) -> Any:
        code = word(value)
        found = table.get(code)
        if found is None:
            if "*" in table:
                return rest
            env.unknown(place, code)
            if rest is None:
                raise ValueError(f"code {code!r:.40} is not mapped")
            return rest
        return found

    return read


def coded_text(codes: Mapping[str, str], env: Environment, place: str) -> Convert:
    """A function from a raw code to the text it stands for; others pass as they are and are told once."""

    def read(value: Any) -> str:
        code = word(value)
        if code in codes:
            return codes[code]
        if "*" in codes:
            return codes["*"]
        env.unknown(place, code)
        return code

    return read


def unit_reader(env: Environment) -> Callable[[Any], tuple[str, str, str]]:
    """A function from a raw unit to (as written, UN/ECE code, factor)."""
    units = env.units

    def read(value: Any) -> tuple[str, str, str]:
        written = text(value).strip()
        found = units.get(written)
        if found is None:
            env.unknown("units", written)
            raise ValueError(f"unit {written!r:.40} is not in [systems.{env.system}.units]")
        return written, found[0], found[1]

    return read
