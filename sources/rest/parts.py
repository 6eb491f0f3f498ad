"""Parts of a read, and whose key each raw row belongs to."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schema.base import KEYS, join_key, split_key
from schema.errors import MappingError
from sources.base import Part
from sources.rest.environment import Context, Environment, Getter
from sources.rest.generate import Build, Irregular
from sources.rest.mapping import TYPES, Maker, required, sample
from sources.spelling import Spelling, sound

_PART = re.compile(r"(\w+)(\*?)(?: by (\w+))?")


def parse_part(text: str, env: Environment, place: str) -> Part:
    """``Type``, ``Type*`` for many, ``Type* by order`` where the class is found under several keys."""
    match = _PART.fullmatch(text.strip())
    if match is None or match[1] not in TYPES:
        env.fail(place, f'{text!r} is not a part; write a class, such as "Operation* by order"', TYPES)
    cls, many, by = TYPES[match[1]], bool(match[2]), match[3]
    names = KEYS[cls]
    if by is None:
        others = [name for name in names if name != "id"]
        single = "id" if "id" in names and not many else None
        by = single or (others[0] if len(others) == 1 else None)
    if by not in names:
        env.fail(place, f'{text!r}: say by which key: "{text} by {next(iter(names))}"', names)
    return Part(cls, by, many)


@dataclass(frozen=True, slots=True)
class Linked:
    """A part with its maker. ``attributes`` make its key; the values at ``positions`` are read off the row."""

    part: Part
    maker: Maker
    attributes: tuple[str, ...]
    positions: tuple[int, ...]
    getters: tuple[Getter, ...]
    told: Getter
    build: Build
    cell: Callable[[Any, Context, tuple[str, ...]], Any]
    """All of a raw row in one go: the canonical row, or the list of them; raises where anything is not regular."""

    def make(self, row: Any, up: Any, ctx: Context, asked: "Asked", place: int) -> Any:
        """The canonical row that a raw one is for an asked key; raises MappingError."""
        key = asked.expected[place]
        if place not in asked.cut and len(key) == len(self.attributes):
            try:
                return self.build(row, up, ctx, key)
            except Exception:
                # Not regular: the reference makes it, or says what is wrong with it.
                return self.maker.make(row, up, ctx, fills(self, asked, place))
        return self.maker.make(row, up, ctx, fills(self, asked, place))

    def keys(self, row: Any, up: Any, ctx: Context) -> list[tuple[str, ...]]:
        """The keys this raw row speaks of, as far as it says; raises MappingError where it cannot be read."""
        try:
            values = self._values(row, up, ctx)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise MappingError(
                f"systems.{self.maker.env.system}.{self.maker.place}: "
                f"the key {'/'.join(self.attributes)} cannot be read ({type(error).__name__}); in {sample(row)}"
            ) from error
        if len(values) == 1 and isinstance(values[0], tuple):
            return [split_key(key) for key in values[0]]
        return [] if None in values else [tuple(values)]

    def _values(self, row: Any, up: Any, ctx: Context) -> Sequence[Any]:
        try:
            told: tuple[Any, ...] = self.told(row, up, ctx)
        except Exception:
            return [get(row, up, ctx) for get in self.getters]
        return told


def link(part: Part, makers: Mapping[type, Maker], env: Environment, place: str) -> Linked:
    """A part joined with the maker of its class."""
    maker = makers.get(part.type)
    if maker is None:
        env.fail(place, f"the row says nothing of {part.type.__name__}: add its table")
    attributes = KEYS[part.type][part.by]
    told = any(name in maker.mapped for name in attributes)
    positions = tuple(i for i, name in enumerate(attributes) if told and name in maker.getters)
    needed = [n for n in required(maker) if n not in maker.getters and n not in attributes]
    if needed:
        env.fail(maker.place, f"{part.type.__name__} needs {', '.join(needed)}")
    getters = tuple(maker.getters[attributes[i]] for i in positions)
    build = maker.builder({name: i for i, name in enumerate(attributes) if i not in positions})
    teller = maker.teller([attributes[i] for i in positions])
    return Linked(part, maker, attributes, positions, getters, teller, build, _cell(part, maker, build))


def _cell(part: Part, maker: Maker, build: Build) -> Callable[[Any, Context, tuple[str, ...]], Any]:
    if maker.each or maker.where is not None:

        def listed(row: Any, ctx: Context, key: tuple[str, ...]) -> Any:
            return [build(entry, around, ctx, key) for entry, around in maker.rows(row, None, ctx)]

        return listed if part.many else _none
    if part.many:
        return lambda row, ctx, key: [build(row, None, ctx, key)]
    return lambda row, ctx, key: build(row, None, ctx, key)


def _none(row: Any, ctx: Context, key: tuple[str, ...]) -> Any:
    raise Irregular


@dataclass(slots=True)
class Asked:
    """The keys of a call in our spelling, in the system's, and as they come back from it.

    ``cut`` are the places of those of which the system keeps less than they have.
    """

    ours: list[tuple[str, ...]]
    theirs: list[tuple[str, ...]]
    expected: list[tuple[str, ...]]
    cut: set[int] = field(default_factory=set)
    spellings: tuple[Spelling, ...] = ()
    _index: dict[tuple[int, ...], dict[tuple[str, ...], list[int]]] = field(default_factory=dict)
    _joined: dict[str, list[int]] = field(default_factory=dict)

    def find(self, positions: tuple[int, ...], values: tuple[str, ...]) -> list[int]:
        """Places of the asked keys that have these values at these positions."""
        index = self._index.get(positions)
        if index is None:
            index = self._index[positions] = {}
            whole = positions == (0,) and self.expected and len(self.expected[0]) > 1
            for place, key in enumerate(self.expected):
                known = key if whole else tuple(key[i] for i in positions)
                index.setdefault(known, []).append(place)
                if place in self.cut and not whole:
                    # A row may well say all of a key that is only cut when it is sent.
                    told = tuple(self.ours[place][i] for i in positions)
                    if told != known:
                        index.setdefault(told, []).append(place)
        return index.get(values, [])

    def single(self, positions: tuple[int, ...], size: int) -> dict[Any, int] | None:
        """The place of every key that no other has the same values as at these positions; a lone value as it is.

        None where keys have not ``size`` parts, or rows do not say them by their parts.
        """
        if (positions == (0,) and size > 1) or not {*map(len, self.expected)} <= {size}:
            return None
        told: list[Any] = self.expected
        if len(positions) == 1:
            told = [key[positions[0]] for key in self.expected]
        elif positions != tuple(range(size)):
            told = [tuple([key[i] for i in positions]) for key in self.expected]
        places = {value: place for place, value in enumerate(told)}
        if len(places) < len(told):
            seen: set[Any] = set()
            for value in told:
                if value in seen:
                    places.pop(value, None)
                seen.add(value)
        return places

    def several(self, keys: Any) -> list[int]:
        """The places of the asked keys among whole keys."""
        joined = self._joined
        if not joined:
            for place, key in enumerate(self.expected):
                joined.setdefault(join_key(*key), []).append(place)
        if len(keys) == 1 and (places := joined.get(keys[0])) is not None:
            return places
        found: dict[int, None] = {}
        for key in keys:
            found.update(dict.fromkeys(self.find((0,), split_key(key))))
        return list(found)

    def told(self, place: int, positions: tuple[int, ...], values: tuple[str, ...]) -> bool:
        """Whether these values say all of a cut key, so that there is no doubt."""
        key = self.ours[place]
        return len(positions) == len(key) and values == tuple(key[i] for i in positions)

    @property
    def simple(self) -> bool:
        """Whether a key is what it is: nothing is cut, and there are no check digits."""
        return not self.cut and all(how.check_digit == "ignore" for how in self.spellings)

    def sound(self, values: tuple[str, ...]) -> bool:
        """Whether a whole key of a row has the check digits it must have."""
        return all(sound(how, value) for how, value in zip(self.spellings, values, strict=False))

    def clashes(self) -> list[list[int]]:
        """Groups of places whose keys the system cannot tell apart, because it cuts them."""
        seen: dict[tuple[str, ...], list[int]] = {}
        for place, key in enumerate(self.theirs if self.cut else ()):
            seen.setdefault(key, []).append(place)
        return [places for places in seen.values() if len(places) > 1]


def fills(linked: Linked, asked: Asked, place: int) -> dict[str, str]:
    """Attributes of a row's key that the row does not say, or says cut.

    A cut one is as it was asked. Else it is as the row would say it: a key that somebody asked by in another spelling
    of ours must not become a second name of the same thing.
    """
    cut = place in asked.cut
    key = asked.ours[place] if cut else asked.expected[place]
    if len(key) != len(linked.attributes):
        return {}
    return {
        name: ours
        for i, (name, ours) in enumerate(zip(linked.attributes, key, strict=True))
        if i not in linked.positions or cut
    }
