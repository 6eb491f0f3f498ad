"""Messages of a system to facts, by the tables ``[systems.CODE.events]``. Pure: compiled once, no input or output."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, TypeAlias, TypeVar

from schema.base import KEYS, PREFIXES, Provenance, Quantity, plain
from schema.errors import MappingError
from schema.events import TYPES as EVENTS
from sources.events import Fact, Hint, Message, Named, Told
from sources.rest.conditions import Predicate, compile_where
from sources.rest.environment import Context, Environment, Getter
from sources.rest.fields import Kind, compile_field
from sources.rest.mapping import TYPES, sample
from sources.rest.paths import compile_path
from sources.rest.spec import EventSpec, FieldSpec, NamedSpec

T = TypeVar("T")
Place: TypeAlias = tuple[Any, Any]
"""A raw row and the rows around it."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_WRONG = (ValueError, TypeError, AttributeError, ArithmeticError, LookupError)


class Events:
    """All that a system's messages may say. Raises ConfigError where the tables cannot be followed."""

    def __init__(self, specs: Mapping[str, EventSpec], env: Environment) -> None:
        self._rules = [_Rule(name, spec, env) for name, spec in specs.items()]
        self._context = Context(_BEGINNING, Provenance(env.system, _BEGINNING))

    def told(self, message: Message) -> Sequence[Told] | None:
        """What a message says by every table that matches it; None where none does. Raises MappingError."""
        matching = [rule for rule in self._rules if rule.matches(message.body, self._context)]
        if not matching:
            return None
        found = [told for rule in matching for told in rule.told(message.body, self._context)]
        if len(found) == 1 and isinstance(found[0], Fact) and found[0].id is None:
            return [replace(found[0], id=message.id)]
        return found


class _Rule:
    """One table: one kind of message."""

    def __init__(self, name: str, spec: EventSpec, env: Environment) -> None:
        self._env, self.place = env, f"events.{name}"
        self._spec = spec
        self._match = _needed(compile_where(spec.match))
        self._where = compile_where(spec.where)
        self._each = tuple(map(compile_path, spec.lists()))
        if spec.type is not None and spec.type not in EVENTS:
            env.fail(f"{self.place}.type", f"{spec.type!r} is no canonical event", EVENTS)
        self._reads = tuple(_class(name, env, f"{self.place}.reads") for name in spec.reads)
        self._subject = _Naming(spec.subject, env, f"{self.place}.subject", absent=spec.type is None)
        self._touches = [_Naming(one, env, f"{self.place}.touches") for one in spec.touches]
        self._fact = [self._text(one, "fact") for one in spec.fact]
        self._times = {
            "occurred_at": self._maybe(spec.occurred_at, Kind(datetime), "occurred_at"),
            "recorded_at": self._maybe(spec.recorded_at, Kind(datetime), "recorded_at"),
        }
        self._texts = {
            name: self._maybe(getattr(spec, name), Kind(str), name)
            for name in ("id", "version", "correlation")
        }
        self._data = {name: _value(one, env, f"{self.place}.data.{name}") for name, one in spec.data.items()}

    def matches(self, body: Any, ctx: Context) -> bool:
        """Whether a message is of this kind; one that has not the form is not."""
        try:
            return self._match(body, None, ctx)
        except _WRONG:
            return False

    def told(self, body: Any, ctx: Context) -> Iterator[Told]:
        """What it says, one for each element."""
        try:
            for row, up in _rows(self._each, (body, None), ctx):
                if self._where is None or self._where(row, up, ctx):
                    yield self._one(row, up, ctx)
        except _WRONG as error:
            said = (
                str(error)
                if isinstance(error, ValueError)
                else f"it is not as expected ({type(error).__name__})"
            )
            raise MappingError(
                f"systems.{self._env.system}.{self.place}: {said}; in {sample(body)}"
            ) from error

    def _one(self, row: Any, up: Any, ctx: Context) -> Told:
        subjects = list(self._subject.named(row, up, ctx))
        if len(subjects) != 1:
            raise ValueError(f"subject: {len(subjects)} objects, not one")
        times = {name: get(row, up, ctx) for name, get in self._times.items()}
        if self._reads:
            return Hint(subjects[0], self._reads, times["occurred_at"])
        touches = [named for naming in self._touches for named in naming.named(row, up, ctx)]
        texts = {name: get(row, up, ctx) for name, get in self._texts.items()}
        told = {name: get(row, up, ctx) for name, get in self._data.items()}
        parts = tuple(_filled(get(row, up, ctx), "fact") for get in self._fact)
        return Fact(
            type=str(self._spec.type),
            subject=subjects[0],
            touches=tuple(touches),
            parts=parts,
            data=_flat(told),
            **times,
            **texts,
        )

    def _text(self, spec: FieldSpec, name: str) -> Getter:
        return compile_field(spec, Kind(str), self._env, f"{self.place}.{name}")

    def _maybe(self, spec: FieldSpec | None, kind: Kind, name: str) -> Getter:
        if spec is None:
            return lambda row, up, ctx: None
        return compile_field(spec, kind, self._env, f"{self.place}.{name}")


class _Naming:
    """How an object is named. With ``absent`` its plant may be missing."""

    def __init__(self, spec: NamedSpec, env: Environment, place: str, *, absent: bool = False) -> None:
        self._cls = _class(spec.type, env, place)
        if self._cls not in PREFIXES:
            env.fail(place, f"{spec.type} has no ids of its own", {cls.__name__: cls for cls in PREFIXES})
        names, given = KEYS[self._cls]["id"], spec.attributes()
        for name in given:
            if name not in names:
                env.fail(place, f"{name!r} is no part of the key of {spec.type}", dict.fromkeys(names))
        self._each = tuple(map(compile_path, spec.lists()))
        self._parts: list[tuple[str, Getter | None]] = []
        for name in names:
            part = given.get(name) or _implied(name, env)
            if part is None and not (absent and name == "plant"):
                env.fail(place, f"{name} of {spec.type} is missing")
            getter = None if part is None else compile_field(part, Kind(str), env, f"{place}.{name}")
            self._parts.append((name, getter))

    def named(self, row: Any, up: Any, ctx: Context) -> Iterator[Named]:
        """The objects; one of a list or of further ones of which nothing is there is passed over."""
        for inner, around in _rows(self._each, (row, up), ctx):
            parts = [None if get is None else get(inner, around, ctx) for _, get in self._parts]
            missing = [
                name
                for (name, get), part in zip(self._parts, parts, strict=True)
                if part is None and get is not None
            ]
            if not missing:
                yield Named(self._cls, tuple(parts))


def _rows(each: Sequence[Getter], place: Place, ctx: Context) -> list[Place]:
    found = [place]
    for list_of in each:
        found = [(entry, inner) for inner in found for entry in _entries(list_of(*inner, ctx))]
    return found


def _entries(found: Any) -> list[Any]:
    if found is not None and not isinstance(found, list):
        raise ValueError("a list was expected")
    return found or []


def _class(name: str, env: Environment, place: str) -> type:
    if name not in TYPES:
        close = get_close_matches(name, TYPES, n=1)
        env.fail(place, f"{name!r} is not a canonical class{f'; did you mean {close[0]}?' if close else ''}")
    return TYPES[name]


def _implied(name: str, env: Environment) -> FieldSpec | None:
    if name == "plant" and env.plant is not None:
        return FieldSpec(const=env.plant)
    return FieldSpec(const=env.system) if name == "system" else None


def _value(spec: FieldSpec, env: Environment, place: str) -> Getter:
    """A value of ``data`` as JSON: what the options of its field say it is."""
    if spec.each is not None:
        listed, one = compile_path(spec.each), _value(spec.model_copy(update={"each": None}), env, place)
        return lambda row, up, ctx: [
            value for entry in listed(row, up, ctx) or () if (value := one(entry, (row, up), ctx)) is not None
        ]
    if spec.fields is not None:
        inner = {name: _value(field, env, f"{place}.{name}") for name, field in spec.fields.items()}
        return lambda row, up, ctx: _flat({name: get(row, up, ctx) for name, get in inner.items()})
    if spec.quantity is not None:
        return compile_field(spec, Kind(Quantity), env, place)
    if spec.format is not None or spec.time is not None:
        return _then(compile_field(spec, Kind(datetime), env, place), instant)
    if spec.true is not None or spec.invert:
        return compile_field(spec, Kind(bool), env, place)
    if spec.times is not None:
        return compile_field(spec, Kind(str, "Decimal"), env, place)
    return compile_field(spec, Kind(str), env, place)


def _flat(told: Mapping[str, Any]) -> dict[str, Any]:
    """Data without what is not there; an amount is a number, and its unit stands beside it."""
    data: dict[str, Any] = {}
    for name, value in told.items():
        if isinstance(value, Quantity):
            data[name] = plain(value.value)
            data.setdefault("unit", value.unit)
        elif value is not None:
            data[name] = value
    return data


def instant(value: datetime) -> str:
    """An instant as events tell it: ISO 8601 in UTC."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _then(get: Getter, write: Callable[[Any], Any]) -> Getter:
    def made(row: Any, up: Any, ctx: Context) -> Any:
        value = get(row, up, ctx)
        return None if value is None else write(value)

    return made


def _needed(predicate: Predicate | None) -> Predicate:
    return predicate or (lambda row, up, ctx: True)


def _filled(value: T | None, name: str) -> T:
    if value is None:
        raise ValueError(f"{name}: nothing is there, and it is needed")
    return value
