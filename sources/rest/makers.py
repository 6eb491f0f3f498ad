"""The generated functions of one table: of a canonical class, of some values of it, and of the provenance of a row."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from schema.base import Provenance
from sources.rest.environment import Environment, Getter
from sources.rest.fields import Kind
from sources.rest.generate import OBJECTS, Attribute, Build, Reach, Writer
from sources.rest.spec import ProvenanceSpec


def constructor(
    cls: type,
    attributes: Sequence[Attribute],
    provenance: Getter | None,
    env: Environment,
    place: str,
    reach: Reach = OBJECTS,
) -> Build:
    """The function that makes a canonical row."""
    writer = Writer(env, reach)
    given: dict[str, str] = {}
    for one in attributes:
        target = writer.fresh("a")
        if one.filled is not None:
            target = f"key[{one.filled}]"
        elif one.kind.base is Provenance:
            made = "ctx.provenance" if provenance is None else f"{writer.constant(provenance)}(row, up, ctx)"
            target = made
        elif one.get is None:
            continue
        elif one.direct is not None:
            writer.line(f"{target} = {writer.constant(one.direct)}(row, up, ctx, None)")
        elif one.spec is None or one.spec.fields is not None:
            writer.interpreted(target, one.fallback, one.get)
        else:
            writer.place = f"{place}.{one.name}"
            writer.field(target, one.spec, one.kind, one.fallback, one.get)
        given[one.name] = target
    writer.make("made", cls, given)
    writer.line("return made")
    build: Build = writer.finish("row, up, ctx, key")
    return build


def values_maker(
    attributes: Sequence[Attribute], env: Environment, place: str, reach: Reach = OBJECTS
) -> Getter:
    """The function that makes some attributes alone, as a tuple; None where nothing is there."""
    writer = Writer(env, reach)
    given = ""
    for one in attributes:
        target = writer.fresh("a")
        given += f"{target}, "
        if one.spec is not None and one.get is not None:
            writer.place = f"{place}.{one.name}"
            writer.field(target, one.spec, one.kind, None, one.get)
    writer.line(f"return ({given})")
    told: Getter = writer.finish("row, up, ctx")
    return told


def provenance_maker(
    spec: ProvenanceSpec,
    getters: Mapping[str, Getter],
    env: Environment,
    place: str,
    reach: Reach = OBJECTS,
) -> Getter:
    """The function that makes the provenance of a raw row."""
    writer = Writer(env, reach)
    kinds = {"source_key": Kind(str), "updated_at": Kind(datetime), "version": Kind(str)}
    for name, kind in kinds.items():
        told = getattr(spec, name)
        if told is None:
            writer.line(f"{name} = None")
        else:
            writer.place = f"{place}.{name}"
            writer.field(name, told, kind, None, getters[name])
    given = {
        "system": writer.constant(env.system),
        "fetched_at": "ctx.fetched_at",
        "source_key": "source_key",
        "source_updated_at": "updated_at",
        "version": "version",
    }
    writer.make("made", Provenance, given)
    writer.line("return made")
    made: Getter = writer.finish("row, up, ctx")
    return made
