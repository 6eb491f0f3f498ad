"""Between the engine and the graph: what a document selects, and what an answer says about its sources."""

from dataclasses import asdict
from typing import Any

from graphql import DocumentNode, GraphQLSchema

from resolvers.context import Context
from resolvers.scalars import write_datetime
from resolvers.selection import selected_types
from resolvers.sourcing import camel


class Operations:
    """The engine's hooks over one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema

    def describe(self, document: DocumentNode) -> object:
        """The classes a document loads, so that a payload that serves several is fetched once."""
        return selected_types(self.schema, document)

    def begin(self, context: Context, described: object) -> None:
        """Tell the loaders what the document selects."""
        if isinstance(described, frozenset):
            context.bounds.selected = described

    def extensions(self, context: Context) -> dict[str, Any] | None:
        """Why a root field is null, where its owner could not be asked; None when nothing is missing."""
        if not context.missed:
            return None
        entries = []
        for field, status in context.missed:
            said = {camel(key): value for key, value in asdict(status).items() if value not in (None, ())}
            if status.last_good_at is not None:
                said["lastGoodAt"] = write_datetime(status.last_good_at)
            entries.append({"path": [camel(field)], **said})
        return {"sources": entries}
