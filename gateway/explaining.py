"""``crossdock explain``: the hops of a query over the systems of a configuration, without asking any of them."""

from collections.abc import Iterator

from graphql import GraphQLError, parse, validate

from gateway.app import make_catalog
from gateway.config import Settings
from resolvers.explain import explain
from resolvers.graph import graphql_schema
from schema.errors import RequestError


def explained(text: str, settings: Settings) -> Iterator[str]:
    """The explanation of a query, line by line. Raises RequestError where the query is not valid."""
    schema = graphql_schema()
    try:
        document = parse(text)
    except GraphQLError as error:
        raise RequestError(f"The query cannot be read: {error.message}") from None
    errors = validate(schema, document)
    if errors:
        raise RequestError(f"The query is not valid: {errors[0].message}")
    yield from explain(schema, make_catalog(settings), document).lines()
