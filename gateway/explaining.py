"""``crossdock explain``: the hops of a query over the systems of a configuration, without asking any of them."""

import json
from collections.abc import Iterator
from typing import Any

from graphql import GraphQLError, parse, validate

from gateway.app import make_catalog
from gateway.config import Settings
from resolvers.explain import explain
from resolvers.graph import graphql_schema
from schema.errors import RequestError


def explained(text: str, settings: Settings, variables: str | None = None) -> Iterator[str]:
    """The explanation of a query, line by line; ``variables`` are JSON. Raises RequestError where either is not valid."""
    schema = graphql_schema()
    try:
        document = parse(text)
    except GraphQLError as error:
        raise RequestError(f"The query cannot be read: {error.message}") from None
    errors = validate(schema, document)
    if errors:
        raise RequestError(f"The query is not valid: {errors[0].message}")
    values = _values(variables or "{}")
    yield from explain(schema, make_catalog(settings), document, values, aliases=settings.aliases).lines()


def _values(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise RequestError("The variables are no JSON object.", hint="Write --variables '{\"first\": 50}'.")
    return values
