"""What all mappings of one system share: its code, zone, units, codes and spellings."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn, TypeAlias
from zoneinfo import ZoneInfo

from schema.base import Provenance
from schema.errors import ConfigError
from sources.rest.config import RestConfig
from sources.rest.spec import UnitSpec
from sources.spelling import Spelling

log = logging.getLogger("crossdock.mapping")

Raw: TypeAlias = Any
Convert: TypeAlias = Callable[[Any], Any]
MEMORY = 8192
"""Results that one conversion remembers at most."""
Up: TypeAlias = "tuple[Raw, Up] | None"
"""The rows around a nested row, nearest first."""


@dataclass(slots=True)
class Context:
    """What holds for all canonical rows of one raw row."""

    fetched_at: datetime
    provenance: Provenance
    asked: tuple[str, ...] = ()


Getter: TypeAlias = Callable[[Raw, Any, Context], Any]
"""(row, rows around it, context) → value."""


@dataclass(slots=True)
class Environment:
    """Settings and memory of one system's mapping."""

    system: str
    zone: ZoneInfo | None
    plant: str | None
    units: Mapping[str, tuple[str, str]]
    codes: Mapping[str, Mapping[str, str]]
    spellings: Mapping[str, Spelling]
    reference: bool = False
    """Whether every row is made by the reference, so that tests can compare."""
    unmapped: set[tuple[str, str]] = field(default_factory=set)
    _memos: dict[Convert, Any] = field(default_factory=dict)

    def memo(self, convert: Convert) -> Convert:
        """A conversion that remembers its latest results; the same for all fields that convert alike.

        For pure ones, and for values that are not equal to others of another meaning: text and whole numbers, but not
        truth values. What is told once was told when the result was new.
        """
        found: Convert = self._memos.setdefault(convert, lru_cache(maxsize=MEMORY)(convert))
        return found

    def forget(self) -> None:
        """Empty the memories of all conversions, to measure what they save."""
        for memo in self._memos.values():
            memo.cache_clear()

    def unknown(self, place: str, code: str) -> None:
        """Tell once that a code has no place in the mapping."""
        if (place, code) not in self.unmapped and len(self.unmapped) < 1000:
            self.unmapped.add((place, code))
            log.warning("%s: code %r of %s is not mapped", self.system, code[:40], place)

    def spelling(self, named: str | Spelling, place: str) -> Spelling:
        """A spelling by name, or as it is."""
        if isinstance(named, Spelling):
            return named
        if named not in self.spellings:
            self.fail(
                place, f"spelling {named!r} is not in [systems.{self.system}.spellings]", self.spellings
            )
        return self.spellings[named]

    def coding(self, named: str | Mapping[str, str], place: str) -> Mapping[str, str]:
        """A map of codes by name, or as it is."""
        if not isinstance(named, str):
            return named
        if named not in self.codes:
            self.fail(place, f"codes {named!r} are not in [systems.{self.system}.codes]", self.codes)
        return self.codes[named]

    def fail(self, place: str, message: str, choices: Mapping[str, Any] | None = None) -> NoReturn:
        """Refuse the configuration, naming the place."""
        known = f"; there are {', '.join(sorted(choices)) or 'none'}" if choices is not None else ""
        raise ConfigError(f"systems.{self.system}.{place}: {message}{known}")


def environment(config: RestConfig, reference: bool = False) -> Environment:
    """What the mappings of a system share."""
    units = {
        written: (unit.unit, unit.factor) if isinstance(unit, UnitSpec) else (unit, "1")
        for written, unit in config.units.items()
    }
    return Environment(
        system=config.code,
        zone=None if config.time_zone is None else ZoneInfo(config.time_zone),
        plant=config.plants[0] if len(config.plants) == 1 else None,
        units=units,
        codes=config.codes,
        spellings=config.spellings,
        reference=reference,
    )
