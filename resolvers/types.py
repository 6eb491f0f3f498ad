"""From the canonical classes and the edges to Strawberry types.

The canonical classes know nothing of the graph. For each exposed class a type of the same name is made here: its
visible attributes, its edges, facts and functions, and the interfaces it satisfies. All types are made empty first and
filled afterwards, so that they may refer to each other in any direction.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Optional, Union

import strawberry
from strawberry.types import Info
from strawberry.types.arguments import StrawberryArgumentAnnotation

from resolvers.eager import together
from resolvers.edges import EXPOSED, Edge, Exposed, Fact, Function, Interface, follow
from resolvers.freshness import heard, loaders_at, unless_withheld
from resolvers.ids import encode
from resolvers.paging import Connection, PageInfo
from resolvers.scalars import BY_NAME
from resolvers.words import ARGUMENTS, field_words
from schema.base import KEYS, PREFIXES, Hidden, Provenance, Scalar, SourceStatus

PLAIN = {str, int, bool, float, datetime, date, Decimal, strawberry.ID}


@strawberry.interface(description="An object with an id of its own. Ids are opaque and stable.")
class Node:
    """An object with an id of its own. Ids are opaque and stable; do not take them apart."""

    id: strawberry.ID = strawberry.field(description="Opaque id of this gateway.")

    @classmethod
    def resolve_type(cls, obj: Any, _info: Any, _type: Any) -> str:
        """The name of the concrete type."""
        return type(obj).__name__


class Types:
    """The Strawberry types of all exposed classes."""

    def __init__(self) -> None:
        self._made: dict[type, type] = {}
        self._connections: dict[type, type] = {}
        self.node = Node
        self.sourced = type("Sourced", (), {"__doc__": "Facts of one system, with their provenance."})

    def build(self) -> list[type]:
        """Make and fill every type; returns them for the schema."""
        for cls in EXPOSED:
            bases = self._interfaces(cls)
            self._made[cls] = type(cls.__name__, bases, {"__doc__": cls.__doc__, "__module__": __name__})
        _described(self.sourced, {"provenance": self._made[Provenance]})
        self.sourced.resolve_type = Node.resolve_type  # type: ignore[attr-defined]
        strawberry.interface(self.sourced, description=self.sourced.__doc__)
        for cls, exposed in EXPOSED.items():
            self._fill(cls, exposed)
        return list(self._made.values())

    def graph(self, annotation: Any) -> Any:
        """The annotation Strawberry understands for a canonical annotation."""
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            return self._annotated(annotation)
        if origin in (Union, types.UnionType):
            members = [
                self.graph(member) for member in typing.get_args(annotation) if member is not type(None)
            ]
            return Optional[members[0]] if len(members) == 1 else Optional[Union[tuple(members)]]  # noqa: UP007, UP045
        if origin is Connection:
            return self._connection(typing.get_args(annotation)[0])
        if origin in (list, tuple):
            return list[self.graph(typing.get_args(annotation)[0])]  # type: ignore[misc]
        return self._made.get(annotation, annotation)

    def _connection(self, cls: type) -> type:
        made = self._connections.get(cls)
        if made is None:
            node = self._made[cls]
            edge = _described(type(f"{cls.__name__}Edge", (), {}), {"cursor": str, "node": node})
            told = f"A {cls.__name__} and its place in the list."
            strawberry.federation.type(edge, description=told, shareable=True)
            annotations: dict[str, Any] = {
                "edges": list[edge],  # type: ignore[valid-type]
                "nodes": list[node],  # type: ignore[valid-type]
                "page_info": self._made[PageInfo],
                "total_count": int | None,
                "partial": bool,
                "sources": list[self._made[SourceStatus]],  # type: ignore[name-defined]
            }
            made = _described(type(f"{cls.__name__}Connection", (), {}), annotations)
            told = f"A page of {cls.__name__} rows, and who could not be asked."
            strawberry.federation.type(made, description=told, shareable=True)
            self._connections[cls] = made
        return made

    def function(self, resolve: Callable[..., Any]) -> Callable[..., Any]:
        """A resolver whose annotations are those of the graph, for a function written in canonical classes."""
        signature = inspect.signature(resolve)
        hints = typing.get_type_hints(resolve, include_extras=True)
        parameters = []
        for name, parameter in signature.parameters.items():
            if name in ("row", "root"):
                parameters.append(parameter.replace(name="root", annotation=Any))
            elif name == "info":
                parameters.append(parameter.replace(annotation=Info))
            else:
                parameters.append(parameter.replace(annotation=_told(name, self.graph(hints[name]))))
        named = [p.name for p in parameters]
        takes_row, takes_info = "root" in named, "info" in named

        async def direct(row: Any, info: Any, arguments: Mapping[str, Any]) -> Any:
            if takes_row:
                found = await (resolve(row, info, **arguments) if takes_info else resolve(row, **arguments))
            else:
                found = await (resolve(info, **arguments) if takes_info else resolve(**arguments))
            return found if found is not None or not takes_info else unless_withheld(info, found)

        async def resolver(*args: Any, **kwargs: Any) -> Any:
            given = dict(zip(named, args, strict=False)) | kwargs
            row, info = given.pop("root", None), given.pop("info", None)
            return await direct(row, info, given)

        direct.__dict__["steady"] = getattr(resolve, "steady", False)
        resolver.direct = direct  # type: ignore[attr-defined]  # for the plan, which asks without Strawberry

        returns = self.graph(hints["return"])
        resolver.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [p.replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) for p in parameters],
            return_annotation=returns,
        )
        resolver.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": returns}
        resolver.__name__ = resolve.__name__
        return resolver

    def _interfaces(self, cls: type) -> tuple[type, ...]:
        bases: tuple[type, ...] = (self.node,) if cls in PREFIXES else ()
        if typing.get_type_hints(cls).get("provenance") is Provenance:
            bases = (*bases, self.sourced)
        above = [self._made[base] for base in cls.__mro__[1:] if base in EXPOSED and EXPOSED[base].interface]
        return (*bases, *above)

    def _fill(self, cls: type, exposed: Exposed) -> None:
        made = self._made[cls]
        annotations: dict[str, Any] = {}
        if cls in PREFIXES:
            annotations["id"] = strawberry.ID
            made.id = strawberry.field(resolver=_id_resolver, description="Opaque id.")  # type: ignore[attr-defined]
        for name, annotation in _visible(cls).items():
            if name not in exposed.fields:
                annotations[name] = self.graph(annotation)
        _described(made, annotations)
        for name, attached in exposed.fields.items():
            if not (isinstance(attached, Edge | Fact) and attached.hidden):
                setattr(made, name, self._field(cls, attached))
        description = inspect.getdoc(cls)
        if exposed.interface:
            made.resolve_type = Node.resolve_type  # type: ignore[attr-defined]
            strawberry.interface(made, description=description)
            return
        made.is_type_of = classmethod(lambda _made, row, _info: type(row) is cls)  # type: ignore[attr-defined]
        shared = cls is PageInfo
        strawberry.federation.type(made, keys=federation_keys(cls), description=description, shareable=shared)

    def _field(self, cls: type, attached: Edge | Fact | Function) -> Any:
        if isinstance(attached, Edge):
            told = attached.description or field_words(cls.__name__, attached.name)
            return strawberry.field(
                resolver=_edge_resolver(attached, self._edge_type(attached)), description=told
            )
        if isinstance(attached, Fact):
            needs = [EXPOSED[cls].fields[need] for need in attached.needs]
            returns = self.graph(typing.get_type_hints(attached.compute, include_extras=True)["return"])
            doc = inspect.getdoc(attached.compute)
            return strawberry.field(resolver=_fact_resolver(attached, needs, returns), description=doc)
        return strawberry.field(
            resolver=self.function(attached.resolve), description=inspect.getdoc(attached.resolve)
        )

    def _edge_type(self, edge: Edge) -> Any:
        target = self._made[edge.target]
        if edge.each is not None:
            return list[target]  # type: ignore[valid-type]
        kind: Any = list[target] if edge.many else target  # type: ignore[valid-type]
        return kind if edge.required else Optional[kind]  # noqa: UP045

    def _annotated(self, annotation: Any) -> Any:
        inner, *marks = typing.get_args(annotation)
        if any(isinstance(mark, Interface) for mark in marks):
            return self.node
        scalar = next((mark.name for mark in marks if isinstance(mark, Scalar)), None)
        graph = BY_NAME[scalar] if scalar is not None else self.graph(inner)
        told = tuple(mark for mark in marks if isinstance(mark, StrawberryArgumentAnnotation))
        return Annotated[graph, told[0]] if told else graph


def _described(made: type, annotations: dict[str, Any]) -> type:
    """Give a type its plain fields, each with what its name means."""
    made.__annotations__ = annotations
    for name in annotations:
        if name not in made.__dict__:
            setattr(made, name, strawberry.field(description=field_words(made.__name__, name)))
    return made


def _told(name: str, annotation: Any) -> Any:
    """The annotation of an argument, with what it means where it does not say so itself."""
    marks = getattr(annotation, "__metadata__", ())
    if any(isinstance(mark, StrawberryArgumentAnnotation) for mark in marks) or name not in ARGUMENTS:
        return annotation
    return Annotated[annotation, strawberry.argument(description=ARGUMENTS[name])]


def federation_keys(cls: type) -> list[str]:
    """The keys by which other subgraphs may refer to a class: its id, and its number or code where that is unique."""
    if cls not in PREFIXES:
        return []
    natural = KEYS[cls]["id"]
    return ["id", natural[0]] if len(natural) == 1 and natural[0] in _visible(cls) else ["id"]


def _visible(cls: type) -> dict[str, Any]:
    if not is_dataclass(cls):
        return {}
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in dataclass_fields(cls) if not _is_hidden(hints[f.name])}


def _is_hidden(annotation: Any) -> bool:
    return any(isinstance(mark, Hidden) for mark in getattr(annotation, "__metadata__", ()))


def _id_resolver(root: Any) -> strawberry.ID:
    return strawberry.ID(encode(root))


def _edge_resolver(edge: Edge, returns: Any) -> Callable[..., Any]:
    async def resolver(root: Any, info: Info) -> Any:
        answer = heard(info, await follow(edge, root, loaders_at(info)))
        return answer.value if answer.value is not None else unless_withheld(info, None)

    resolver.__annotations__ = {"root": Any, "info": Info, "return": returns}
    resolver.__name__ = edge.name
    return resolver


def _fact_resolver(fact: Fact, needs: list[Any], returns: Any) -> Callable[..., Any]:
    names = fact.needs
    moments = fact.moments

    async def resolver(root: Any, info: Info) -> Any:
        given: dict[str, Any] = info.context.moments(moments) if moments else {}
        for name, need in zip(names, await gathered(needs, root, info) if needs else (), strict=True):
            given[name] = need
        return fact.compute(root, **given)

    resolver.__annotations__ = {"root": Any, "info": Info, "return": returns}
    resolver.__name__ = fact.name
    return resolver


async def gathered(edges: list[Edge], row: Any, info: Any) -> list[Any]:
    """The answers of several edges of one row, loaded together."""
    loaders = loaders_at(info)
    answers = await together([follow(edge, row, loaders) for edge in edges])
    return [heard(info, answer) for answer in answers]
