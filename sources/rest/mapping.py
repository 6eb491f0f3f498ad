"""Raw rows to canonical rows. Pure: compiled once from the tables, no input or output."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, is_dataclass, replace
from difflib import get_close_matches
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

import msgspec

from schema import commerce, equipment, logistics, material, production, quality
from schema.base import KEYS, Provenance
from schema.errors import MappingError
from sources.rest.conditions import Predicate, compile_where
from sources.rest.environment import Context, Environment, Getter
from sources.rest.fields import compile_field, compile_provenance, kind_of, provenance_getters
from sources.rest.generate import NEEDED, Attribute, Build
from sources.rest.makers import constructor, provenance_maker, values_maker
from sources.rest.paths import compile_path
from sources.rest.spec import FieldSpec, ProvenanceSpec, RowSpec, TypeSpec

MODULES = (commerce, equipment, logistics, material, production, quality)
TYPES = {cls.__name__: cls for cls in KEYS if cls.__module__ in {module.__name__ for module in MODULES}}
"""Name in a table → canonical class."""
SAMPLE = 80


@dataclass(slots=True)
class Maker:
    """Makes one canonical class from one raw row. ``keys`` are the attributes the asked key may fill."""

    cls: type
    place: str
    getters: dict[str, Getter]
    fallbacks: dict[str, Any]
    each: tuple[Getter, ...]
    where: Predicate | None
    provenance: Getter | None
    mapped: frozenset[str]
    env: Environment
    spec: TypeSpec
    attributes: tuple[Attribute, ...] = ()

    def builder(self, filled: Mapping[str, int]) -> Build:
        """The generated function that makes regular rows; ``filled`` are the places of attributes in the asked key."""
        attributes = [replace(one, filled=filled.get(one.name)) for one in self.attributes]
        return constructor(self.cls, attributes, self.provenance, self.env, self.place)

    def teller(self, names: Sequence[str]) -> Getter:
        """The generated function that reads attributes off a regular row: a tuple of them."""
        known = {one.name: one for one in self.attributes}
        return values_maker([known[name] for name in names], self.env, self.place)

    def rows(self, row: Any, up: Any, ctx: Context) -> Iterable[tuple[Any, Any]]:
        """The raw rows this class is made from, with what is around them."""
        found = [(row, up)]
        for each in self.each:
            found = [(entry, inner) for inner in found for entry in _entries(each(*inner, ctx))]
        where = self.where
        if where is None:
            return found
        return (inner for inner in found if where(*inner, ctx))

    def make(self, row: Any, up: Any, ctx: Context, filled: Mapping[str, str]) -> Any:
        """One canonical row; raises MappingError naming table, field and a sample."""
        values: dict[str, Any] = {}
        name = ""
        try:
            for name, get in self.getters.items():
                value = get(row, up, ctx)
                if value is None:
                    value = filled.get(name, self.fallbacks[name])
                    if value is NEEDED:
                        raise ValueError("nothing is there, and it is needed")
                values[name] = value
            for name, value in filled.items():
                values[name] = value
            if self.provenance is not None:
                values["provenance"] = self.provenance(row, up, ctx)
            elif "provenance" in self.fallbacks:
                values["provenance"] = ctx.provenance
        except (ValueError, TypeError, AttributeError, ArithmeticError, LookupError) as error:
            self._refuse(name, error, row)
        return self.cls(**values)

    def _refuse(self, name: str, error: Exception, row: Any) -> NoReturn:
        shown = (
            str(error)
            if isinstance(error, ValueError)
            else f"the row is not as expected ({type(error).__name__})"
        )
        raise MappingError(
            f"systems.{self.env.system}.{self.place}.{name}: {shown}; in {sample(row)}",
        ) from error


def _entries(found: Any) -> list[Any]:
    if isinstance(found, dict):
        return [found]
    if found is not None and not isinstance(found, list):
        raise ValueError("a list of rows was expected")
    return found or []


def sample(row: Any) -> str:
    """The beginning of a raw row."""
    written = msgspec.json.encode(row)[: SAMPLE * 2].decode("utf-8", "replace")
    return written if len(written) <= SAMPLE else f"{written[: SAMPLE - 1]}…"


def compile_row(name: str, spec: RowSpec, env: Environment) -> tuple[dict[type, Maker], Getter]:
    """The makers of all classes a raw row speaks of, and the maker of its provenance."""
    place = f"rows.{name}"
    makers = {}
    for type_name, type_spec in spec.types().items():
        cls = TYPES.get(type_name)
        if cls is None:
            env.fail(place, f"{type_name!r} is not a canonical class{_meant(type_name, TYPES)}")
        makers[cls] = _maker(cls, type_spec, env, f"{place}.{type_name}")
    if not makers:
        env.fail(place, "maps no canonical class")
    return makers, _provenance(spec.provenance, env, f"{place}.provenance")


def _provenance(spec: ProvenanceSpec, env: Environment, place: str) -> Getter:
    """The maker of a provenance: generated, the reference where it raises."""
    getters = provenance_getters(spec, env, place)
    quick, plain = provenance_maker(spec, getters, env, place), compile_provenance(getters, env)

    def get(row: Any, up: Any, ctx: Context) -> Any:
        try:
            return quick(row, up, ctx)
        except Exception:
            return plain(row, up, ctx)

    return get


def _maker(cls: type, spec: TypeSpec, env: Environment, place: str) -> Maker:
    attributes = tuple(_attributes(cls, spec.attributes(), env, place))
    return Maker(
        cls=cls,
        place=place,
        getters={one.name: one.get for one in attributes if one.get is not None},
        fallbacks={one.name: one.fallback for one in attributes},
        each=tuple(map(compile_path, spec.lists())),
        where=compile_where(spec.where),
        provenance=(
            None if spec.provenance is None else _provenance(spec.provenance, env, f"{place}.provenance")
        ),
        mapped=frozenset(spec.attributes()),
        env=env,
        spec=spec,
        attributes=attributes,
    )


def _attributes(
    cls: type, specs: Mapping[str, FieldSpec], env: Environment, place: str
) -> Iterator[Attribute]:
    """Per attribute how it is made and what it is where nothing is there."""
    hints = get_type_hints(cls, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name in specs:
        if name not in fields:
            env.fail(place, f"{name!r} is not an attribute of {cls.__name__}{_meant(name, fields)}")
    for name, field in fields.items():
        spec = specs.get(name) or _implied(name, env)
        kind = kind_of(hints[name])
        absent = None if kind.optional else NEEDED
        fallback = field.default if field.default is not MISSING else absent
        if kind.base is Provenance or spec is None:
            yield Attribute(name, kind, fallback)
        else:
            yield _attribute(Attribute(name, kind, fallback, spec), hints[name], env, f"{place}.{name}")


def _implied(name: str, env: Environment) -> FieldSpec | None:
    if name == "plant" and env.plant is not None:
        return FieldSpec(const=env.plant)
    return FieldSpec(const=env.system) if name == "system" else None


def _attribute(one: Attribute, annotation: Any, env: Environment, place: str) -> Attribute:
    """How an attribute is made."""
    spec = one.spec or FieldSpec()
    kind = kind_of(annotation)
    inner = kind_of(get_args(kind.base)[0]).base if get_origin(kind.base) is tuple else kind.base
    if spec.fields is None or not is_dataclass(inner) or not isinstance(inner, type):
        if spec.fields is not None:
            env.fail(place, "is not an object: it has no fields")
        return replace(one, get=compile_field(spec, kind, env, place))
    maker = _maker(inner, _nested(spec), env, place)
    missing = [name for name in required(maker) if name not in maker.getters]
    if missing:
        env.fail(place, f"{inner.__name__} needs {', '.join(missing)}")
    build = maker.builder({})
    if get_origin(kind.base) is tuple:
        return replace(one, get=_objects(maker, build), maker=maker)
    direct = None if maker.each or maker.where is not None else build
    return replace(one, get=_object(maker, build), direct=direct, maker=maker)


def _nested(spec: FieldSpec) -> TypeSpec:
    return TypeSpec.model_validate({"each": spec.each, **(spec.fields or {})})


def _objects(maker: Maker, build: Build) -> Getter:
    make = _made(maker, build)

    def get(row: Any, up: Any, ctx: Context) -> Any:
        return tuple([make(entry, around, ctx) for entry, around in maker.rows(row, up, ctx)])

    return get


def _object(maker: Maker, build: Build) -> Getter:
    make = _made(maker, build)

    def get(row: Any, up: Any, ctx: Context) -> Any:
        for entry, around in maker.rows(row, up, ctx):
            return make(entry, around, ctx)
        return None

    return get


def _made(maker: Maker, build: Build) -> Getter:
    """Objects in a row: generated, the reference where it raises."""

    def make(row: Any, up: Any, ctx: Context) -> Any:
        try:
            return build(row, up, ctx, None)
        except Exception:
            return maker.make(row, up, ctx, {})

    return make


def required(maker: Maker) -> list[str]:
    """Attributes that must be mapped or filled."""
    return [name for name, value in maker.fallbacks.items() if value is NEEDED and name != "provenance"]


def _meant(name: str, choices: Mapping[str, Any]) -> str:
    close = get_close_matches(name, choices, n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(choices))}"
