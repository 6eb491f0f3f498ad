"""Federation: the entities other subgraphs refer to, resolved in batches."""

from collections.abc import Mapping
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.federation.schema import FederationAny
from strawberry.types import Info

from resolvers.ids import decode
from resolvers.lookup import found_set
from resolvers.types import federation_keys
from schema.base import PREFIXES, join_key
from schema.errors import BadPage, CrossdockError

MAX_REPRESENTATIONS = 500
NUMBERED = {cls.__name__: cls for cls in PREFIXES}


class FederatedSchema(strawberry.federation.Schema):
    """The schema as a subgraph, with an entity resolver that batches and says clearly what is wrong."""

    async def entities_resolver(  # type: ignore[override]
        self, info: Info, representations: list[FederationAny]
    ) -> list[FederationAny]:
        """The entities asked for, in order, duplicates kept; one batch a class."""
        if len(representations) > MAX_REPRESENTATIONS:
            raise BadPage(
                f"representations: {len(representations)} are too many at once.",
                hint=f"Ask for at most {MAX_REPRESENTATIONS}.",
            )
        wanted: list[Any] = [_place(info, number, each) for number, each in enumerate(representations)]
        good = {number: place for number, place in enumerate(wanted) if isinstance(place, tuple)}
        rows = await found_set(info, good)
        return [rows.get(number, place) for number, place in enumerate(wanted)]


def _place(info: Info, number: int, representation: Any) -> tuple[type, str] | GraphQLError:
    """The class and key a representation means, or what is wrong with it."""
    try:
        return _read(info, number, representation)
    except CrossdockError as error:
        return GraphQLError(str(error), original_error=error, extensions={"code": error.code})


def _read(info: Info, number: int, representation: Any) -> tuple[type, str]:
    where = f"representations[{number}]"
    if not isinstance(representation, Mapping):
        raise BadRepresentation(f"{where} must be an object with __typename and a key.")
    name = representation.get("__typename")
    cls = NUMBERED.get(name) if isinstance(name, str) else None
    if cls is None:
        raise BadRepresentation(f"{where}.__typename: {str(name)[:40]!r} is not an entity of this subgraph.")
    if "id" not in representation:
        return cls, _natural(where, cls, representation)
    key = representation["id"]
    if not isinstance(key, str):
        raise BadRepresentation(f"{where}: the key of {name} is its id, a string.")
    found, text = decode(key, info.context.aliases, f"{where}.id")
    if found is not cls:
        raise BadRepresentation(f"{where}.id: {key[:60]!r} is the id of a {found.__name__}, not of a {name}.")
    return cls, text


def _natural(where: str, cls: type, representation: Mapping[str, Any]) -> str:
    """The canonical key from a unique number or code."""
    *_, name = federation_keys(cls)
    value = representation.get(name)
    if name == "id" or not isinstance(value, str) or not value:
        keys = " or ".join(federation_keys(cls))
        raise BadRepresentation(f"{where}: the key of a {cls.__name__} is its {keys}, a string.")
    return join_key(value)


class BadRepresentation(CrossdockError):
    """A representation that names no entity of this subgraph."""

    code = "BAD_REPRESENTATION"
