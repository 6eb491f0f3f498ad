"""Field specifications compiled into functions: (row, rows around it, context) → value of the attribute."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin
from zoneinfo import ZoneInfo

from schema.base import ConversionRule, Provenance, Quantity, Scalar, join_key
from sources.rest.conditions import compile_where
from sources.rest.config import check_zone
from sources.rest.environment import Context, Environment, Getter
from sources.rest.paths import compile_path
from sources.rest.spec import HOLE, FieldSpec, ProvenanceSpec
from sources.rest.times import day_and_clock, day_reader, duration_reader, instant_reader
from sources.rest.values import (
    Convert,
    boolean,
    coded_text,
    enum_reader,
    integer,
    multiplied,
    text,
    unit_reader,
)
from sources.spelling import inward, same


@dataclass(frozen=True, slots=True)
class Kind:
    """What an attribute holds: its class, the name of its scalar, and whether it may be None."""

    base: Any
    scalar: str | None = None
    optional: bool = False


def kind_of(annotation: Any) -> Kind:
    """An annotation without Annotated and Optional."""
    scalar, optional = None, False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *notes = get_args(annotation)
            scalar = next((note.name for note in notes if isinstance(note, Scalar)), scalar)
        elif origin in (Union, types.UnionType):
            optional = True
            annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
        else:
            return Kind(annotation, scalar, optional)


def compile_field(spec: FieldSpec, kind: Kind, env: Environment, place: str) -> Getter:
    """The function that makes one attribute; None means: nothing there."""
    if kind.base is Quantity:
        return _quantity(spec, env, place)
    if get_origin(kind.base) is tuple:
        return _list(spec, kind_of(get_args(kind.base)[0]), env, place)
    if kind.base is datetime and spec.time is not None:
        return _day_and_time(spec, env, place)
    raw = compile_raw(spec, env, place)
    if spec.rules is not None:
        return _constants(raw, checked_const(kind, env, place))
    return _converted(raw, converter(spec, kind, env, place), default_of(spec, kind, env, place))


def _converted(raw: Getter, convert: Convert, default: Any) -> Getter:
    def get(row: Any, up: Any, ctx: Context) -> Any:
        value = raw(row, up, ctx)
        return default if value is None else convert(value)

    return get


def _constants(raw: Getter, convert: Convert) -> Getter:
    def get(row: Any, up: Any, ctx: Context) -> Any:
        value = raw(row, up, ctx)
        return None if value is None else convert(value)

    return get


def checked_const(kind: Kind, env: Environment, place: str) -> Convert:
    """The function from a value that the table itself gives."""
    if isinstance(kind.base, type) and issubclass(kind.base, Enum):
        return enum_reader(kind.base, None, env, place)
    return text if kind.base is str else lambda value: value


def default_of(spec: FieldSpec, kind: Kind, env: Environment, place: str) -> Any:
    """What the table says where nothing is there; None where it says nothing."""
    if spec.default is None:
        return None
    try:
        return checked_const(kind, env, place)(spec.default)
    except ValueError as error:
        env.fail(place, f"default {spec.default!r}: {error}")


def compile_raw(spec: FieldSpec, env: Environment, place: str) -> Getter:
    """The function that finds the raw value; empty text and the field's ``null`` values are None."""
    if spec.const is not None:
        constant = spec.const
        return lambda row, up, ctx: constant
    if spec.rules is not None:
        return _rules(spec)
    if spec.template is not None:
        return _template(spec.template)
    if spec.ref is not None:
        return _ref(spec.ref, env, place)
    if spec.path is None:
        env.fail(place, "says nothing: name a path, or const, template, ref, rules, quantity or each")
    getters = [compile_path(path) for path in ((spec.path,) if isinstance(spec.path, str) else spec.path)]
    null = frozenset(spec.null)

    def first(row: Any, up: Any, ctx: Context) -> Any:
        for get in getters:
            value = get(row, up, ctx)
            if value is not None and value != "" and not (null and _hashable(value) in null):
                return value
        return None

    return first


def _hashable(value: Any) -> Any:
    return None if isinstance(value, (dict, list)) else value


def _rules(spec: FieldSpec) -> Getter:
    rules = [(compile_where(rule.when), rule.then) for rule in spec.rules or ()]
    default = spec.default

    def decide(row: Any, up: Any, ctx: Context) -> Any:
        for holds, then in rules:
            if holds is None or holds(row, up, ctx):
                return then
        return default

    return decide


def _template(template: str) -> Getter:
    paths, fill = template_filler(template)
    getters = [compile_path(path) for path in paths]
    return lambda row, up, ctx: fill([get(row, up, ctx) for get in getters])


def template_filler(template: str) -> tuple[list[str], Convert]:
    """The paths of a template, and the function from their values to its text; None where one is missing."""
    pieces = HOLE.split(template)
    fixed = pieces[::2]

    def fill(values: Any) -> Any:
        if any(value is None or value == "" for value in values):
            return None
        return "".join(a + b for a, b in zip(fixed, [*map(text, values), ""], strict=True))

    return pieces[1::2], fill


def _ref(parts: tuple[str, ...], env: Environment, place: str) -> Getter:
    paths, join = ref_joiner(parts, env, place)
    getters = [compile_path(path) for path in paths]
    return lambda row, up, ctx: join([get(row, up, ctx) for get in getters])


def ref_joiner(parts: tuple[str, ...], env: Environment, place: str) -> tuple[list[str], Convert]:
    """The paths of a key of keys, and the function from their values to it; None where one is missing.

    A part is ``path``, ``path:spelling`` or ``=constant``.
    """
    paths = [part.partition(":")[0] for part in parts if not part.startswith("=")]
    spelled = [None if part.startswith("=") else _speller(part, env, place) for part in parts]

    def join(values: Any) -> Any:
        told, keys = iter(values), list[Any]()
        for part, spell in zip(parts, spelled, strict=True):
            value = part[1:] if spell is None else next(told)
            there = value is not None and value != ""
            keys.append(value if spell is None else spell(text(value)) if there else None)
        return None if None in keys else join_key(*keys)

    return paths, _single_join(parts, spelled, join) if len(paths) == 1 else join


def _single_join(parts: tuple[str, ...], spelled: Sequence[Convert | None], join: Convert) -> Convert:
    """The same where all parts but one are constants: what is around it is written once."""
    [place] = [place for place, spell in enumerate(spelled) if spell is not None]
    spell = spelled[place] or same
    before = "".join(f"{join_key(part[1:])}/" for part in parts[:place])
    after = "".join(f"/{join_key(part[1:])}" for part in parts[place + 1 :])

    def join_one(values: Any) -> Any:
        value = values[0]
        if value.__class__ is not str or value == "":
            return join(values)
        key = spell(value)
        return f"{before}{join_key(key) if '/' in key or '%' in key else key}{after}"

    return join_one


def _speller(part: str, env: Environment, place: str) -> Convert:
    named = part.partition(":")[2]
    return inward(env.spelling(named, place)) if named else same


def converter(spec: FieldSpec, kind: Kind, env: Environment, place: str) -> Convert:
    """The function from a raw scalar to the attribute's class."""
    base = kind.base
    codes = None if spec.codes is None else env.coding(spec.codes, place)
    if isinstance(base, type) and issubclass(base, Enum):
        return enum_reader(base, codes, env, place)
    if base in (datetime, date):
        return _time(spec, base, env, place)
    if base is bool:
        return boolean(spec.true, spec.invert)
    if base is int:
        return integer
    if kind.scalar == "Decimal":
        return multiplied(spec.times)
    if kind.scalar == "Duration":
        return duration_reader(spec.duration or "iso")
    if kind.scalar == "UnitCode":
        unit = unit_reader(env)
        return lambda value: unit(value)[1]
    if base is not str:
        env.fail(place, f"a {getattr(base, '__name__', base)} cannot be mapped from a scalar")
    return _text(spec, codes, env, place)


def _text(spec: FieldSpec, codes: Any, env: Environment, place: str) -> Convert:
    if spec.key is not None:
        spell = inward(env.spelling(spec.key, place))
        return lambda value: spell(text(value))
    return text if codes is None else coded_text(codes, env, place)


def _zone(spec: FieldSpec, env: Environment, place: str) -> ZoneInfo | None:
    if spec.zone is None:
        return env.zone
    try:
        return check_zone(spec.zone)
    except ValueError as error:
        env.fail(place, str(error))


def _formats(spec: FieldSpec) -> tuple[str, ...]:
    return (spec.format,) if isinstance(spec.format, str) else spec.format or ()


def _time(spec: FieldSpec, base: Any, env: Environment, place: str) -> Convert:
    make = instant_reader if base is datetime else day_reader
    try:
        return make(_formats(spec), _zone(spec, env, place))
    except ValueError as error:
        env.fail(place, str(error))


def _day_and_time(spec: FieldSpec, env: Environment, place: str) -> Getter:
    raw, at = compile_raw(spec, env, place), compile_path(spec.time or ".")
    read = day_and_clock(_formats(spec), _zone(spec, env, place))

    def get(row: Any, up: Any, ctx: Context) -> Any:
        value = raw(row, up, ctx)
        return None if value is None else read(value, at(row, up, ctx) or None)

    return get


def _quantity(spec: FieldSpec, env: Environment, place: str) -> Getter:
    if spec.quantity is None or spec.unit is None:
        env.fail(place, 'is a quantity: write {quantity = "path", unit = "path"} or unit = {const = "PC"}')
    amount, number = compile_path(spec.quantity), multiplied(spec.times)
    unit, read_unit = compile_raw(spec.unit, env, f"{place}.unit"), unit_reader(env)
    fallback, own = spec.unit.default, spec.factor

    def get(row: Any, up: Any, ctx: Context) -> Any:
        value = amount(row, up, ctx)
        if value is None or value == "":
            return None
        raw_unit = unit(row, up, ctx)
        if raw_unit is None:
            raw_unit = fallback
        if raw_unit is None:
            raise ValueError(f"amount {value!r:.20} has no unit")
        written, code, factor = read_unit(raw_unit)
        factor = own or factor
        if factor == "1":
            return Quantity(number(value), written, code)
        return Quantity(number(value), written, code, factor, ConversionRule.STANDARD)

    return get


def _list(spec: FieldSpec, element: Kind, env: Environment, place: str) -> Getter:
    if spec.flags is not None:
        return _flags(spec.flags)
    if is_dataclass(element.base) and element.base is not Quantity:
        env.fail(place, 'is a list of objects: write {each = "path", fields = {…}}')
    if spec.each is None:
        return _scalars(spec, element, env, place)
    listed = compile_path(spec.each)
    one = compile_field(spec.model_copy(update={"each": None}), element, env, place)

    def get(row: Any, up: Any, ctx: Context) -> Any:
        inner = (row, up)
        values = [one(entry, inner, ctx) for entry in listed(row, up, ctx) or ()]
        return tuple(dict.fromkeys(value for value in values if value is not None))

    return get


def _scalars(spec: FieldSpec, element: Kind, env: Environment, place: str) -> Getter:
    raw, convert = compile_raw(spec, env, place), converter(spec, element, env, place)
    separator = spec.split

    def get(row: Any, up: Any, ctx: Context) -> Any:
        value = raw(row, up, ctx)
        if value is None:
            return ()
        if separator is not None and isinstance(value, str):
            value = [part.strip() for part in value.split(separator)]
        values = value if isinstance(value, list) else [value]
        return tuple(dict.fromkeys(convert(one) for one in values if one is not None and one != ""))

    return get


def _flags(paths: tuple[str, ...]) -> Getter:
    getters, names = [compile_path(path) for path in paths], flags_set(paths)

    def get(row: Any, up: Any, ctx: Context) -> Any:
        return names([flag(row, up, ctx) for flag in getters])

    return get


def flags_set(paths: tuple[str, ...]) -> Convert:
    """A function from the values of flags to the names of those that are set."""
    names = [path.rpartition(".")[2] for path in paths]

    def read(values: Any) -> Any:
        return tuple(
            name
            for name, value in zip(names, values, strict=True)
            if value in (True, 1, "X", "x", "true", "1", "Y")
        )

    return read


def provenance_getters(spec: ProvenanceSpec, env: Environment, place: str) -> dict[str, Getter]:
    """Attribute of a provenance → the function that makes it."""
    return {
        "source_key": _optional(spec.source_key, Kind(str), env, f"{place}.source_key"),
        "updated_at": _optional(spec.updated_at, Kind(datetime), env, f"{place}.updated_at"),
        "version": _optional(spec.version, Kind(str), env, f"{place}.version"),
    }


def compile_provenance(getters: Mapping[str, Getter], env: Environment) -> Getter:
    """The function that makes the provenance of a row."""
    key, updated, version = getters["source_key"], getters["updated_at"], getters["version"]
    system = env.system

    def get(row: Any, up: Any, ctx: Context) -> Any:
        return Provenance(
            system, ctx.fetched_at, key(row, up, ctx), updated(row, up, ctx), version(row, up, ctx)
        )

    return get


def _optional(spec: FieldSpec | None, kind: Kind, env: Environment, place: str) -> Getter:
    if spec is None:
        return lambda row, up, ctx: None
    return compile_field(spec, kind, env, place)
