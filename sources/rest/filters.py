"""Filters of a list, pushed down in the system's words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schema.base import split_key
from sources.base import Filter
from sources.rest.config import FilterSpec, SearchSpec, check_zone
from sources.rest.environment import Environment
from sources.rest.keys import HOLE, fill
from sources.rest.times import instant_writer
from sources.spelling import outward, same


@dataclass(slots=True)
class _Word:
    """One filter, compiled."""

    spec: FilterSpec
    spell: Any
    back: dict[str, list[str]] | None
    moment: Any

    def values(self, value: Filter) -> list[str]:
        """The filter's values in the system's words; empty where it has none for them."""
        if isinstance(value, datetime):
            return [self.moment(value)]
        given = (value,) if isinstance(value, str) else value
        if self.back is not None:
            return [theirs for one in given for theirs in self.back.get(one, ())]
        return list(dict.fromkeys(self.spell(self._part(one)) for one in given))

    def _part(self, value: str) -> str:
        each = self.spec.each
        if each is None:
            return value
        return fill(each, {str(i): part for i, part in enumerate(split_key(value))})


class Filters:
    """The compiled filters of one list."""

    def __init__(self, spec: SearchSpec, env: Environment, place: str) -> None:
        self._spec = spec
        self._words = {name: _word(one, env, f"{place}.filters.{name}") for name, one in spec.filters.items()}

    def params(self, filters: Mapping[str, Filter]) -> list[tuple[str, str]] | None:
        """Parameters for these filters; None where nothing can match, so that nobody need be asked."""
        params: list[tuple[str, str]] = []
        clauses: list[str] = []
        for name, value in filters.items():
            word = self._words.get(name)
            if word is None:
                continue
            values = word.values(value)
            if not values:
                return None
            if word.spec.clause is not None:
                quoted = [word.spec.clause.replace("{}", one.replace("'", "''")) for one in values]
                clauses.append(quoted[0] if len(quoted) == 1 else f"({' or '.join(quoted)})")
            elif word.spec.join is not None:
                params.append((word.spec.param or "", word.spec.join.join(values)))
            else:
                params += [(word.spec.param or "", one) for one in values]
        if clauses:
            params.append((self._spec.filter_param, self._spec.filter_join.join(clauses)))
        return params


def _word(spec: FilterSpec, env: Environment, place: str) -> _Word:
    if spec.each is not None and not set(HOLE.findall(spec.each)) <= {"0", "1", "2"}:
        env.fail(place, f"each = {spec.each!r}: parts of a key are {{0}}, {{1}} and {{2}}")
    spell = same if spec.key is None else outward(env.spelling(spec.key, place))
    back: dict[str, list[str]] | None = None
    if spec.codes is not None:
        back = {}
        for theirs, ours in env.coding(spec.codes, place).items():
            if theirs != "*":
                back.setdefault(ours, []).append(theirs)
    try:
        moment = instant_writer(spec.format, None if spec.zone is None else check_zone(spec.zone))
    except ValueError as error:
        env.fail(place, str(error))
    return _Word(spec, spell, back, moment)
