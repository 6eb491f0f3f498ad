"""The graph: every class with its edges, every root, one schema.

To see what hangs on what, read the ``install`` of a domain: one line an edge. To add a root, write a function in
canonical classes and add it to the list below.
"""

from collections.abc import Callable, Sequence
from typing import Any

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from resolvers import (
    commerce,
    common,
    integration,
    logistics,
    material,
    mutations,
    production,
    quality,
    trace,
    viewing,
    webhooks,
)
from resolvers.edges import EXPOSED, expose
from resolvers.entities import FederatedSchema
from resolvers.execution.incremental import DEFER, STREAM
from resolvers.lists import lots, movements, production_orders, purchase_orders, quality_holds, shipments
from resolvers.paging import PageInfo
from resolvers.queries import (
    item,
    lot,
    node,
    nodes,
    party,
    plant,
    production_order,
    purchase_order,
    resolve_key,
    sales_order,
    shipment,
    source_systems,
)
from resolvers.scalars import SCALARS
from resolvers.stock import inventory_positions
from resolvers.types import Types
from resolvers.within import fresh

QUERIES: Sequence[Callable[..., Any]] = (
    node,
    nodes,
    viewing.viewer,
    resolve_key,
    item,
    plant,
    party,
    lot,
    source_systems,
    production_order,
    sales_order,
    purchase_order,
    shipment,
    production_orders,
    purchase_orders,
    shipments,
    lots,
    movements,
    inventory_positions,
    quality_holds,
    trace.trace,
    *webhooks.QUERIES,
)

SHARED = frozenset({"node", "nodes"})
"""Roots that every Relay subgraph has."""

DOMAINS = (
    common,
    production,
    material,
    quality,
    logistics,
    commerce,
    integration,
    trace,
    viewing,
    mutations,
    webhooks,
)


def build_schema() -> strawberry.Schema:
    """The whole graph as an Apollo Federation 2 subgraph. Built once a process; building again gives the same one."""
    if not _BUILT:
        EXPOSED.clear()
        for domain in DOMAINS:
            domain.install()
        expose(PageInfo)
        types = Types()
        made = types.build()
        query = root("Query", "What can be asked.", QUERIES, types, SHARED)
        mutation = root("Mutation", "What can be done.", (*mutations.MUTATIONS, *webhooks.MUTATIONS), types)
        schema = FederatedSchema(
            query=query,
            mutation=mutation,
            directives=[fresh],  # type: ignore[list-item]  # they are no classes, whatever Strawberry says
            types=made,
            config=StrawberryConfig(
                auto_camel_case=True, scalar_map=SCALARS, enable_experimental_incremental_execution=True
            ),
            federation_version="2.7",
        )
        _reworded(schema._schema)
        _BUILT.append(schema)
    return _BUILT[0]


_BUILT: list[strawberry.Schema] = []


def _reworded(schema: GraphQLSchema) -> None:
    """Let @defer and @stream say in our words what they do: Strawberry takes graphql-core's."""
    ours = {directive.name: directive for directive in (DEFER, STREAM)}
    schema.directives = tuple([ours.get(one.name, one) for one in schema.directives])


def graphql_schema() -> GraphQLSchema:
    """The schema as graphql-core holds it."""
    return build_schema()._schema


def root(
    name: str,
    description: str,
    functions: Sequence[Callable[..., Any]],
    types: Types,
    shared: frozenset[str] = frozenset(),
) -> type:
    """A root type of functions; ``shared`` are those that other subgraphs have as well."""
    fields = {
        function.__name__: strawberry.federation.field(
            resolver=types.function(function),
            description=function.__doc__,
            shareable=function.__name__ in shared,
        )
        for function in functions
    }
    return strawberry.type(type(name, (), {**fields, "__annotations__": {}}), description=description)
