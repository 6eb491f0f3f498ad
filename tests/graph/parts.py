"""A client of answers in parts, strict about the draft: it puts the parts together and objects to whatever is odd."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from graphql import parse, validate

from gateway.multipart import PLAIN, Form
from gateway.operations import Operations
from gateway.parts import Delivery
from gateway.request import GraphQLRequest
from resolvers.context import Context
from resolvers.execution.incremental import undivided
from resolvers.execution.operation import Divided, Executed
from resolvers.graph import graphql_schema
from tests.graph.fakes import EXECUTION

OF_INITIAL = {"data", "errors", "pending", "hasNext", "extensions"}
OF_LATER = {"pending", "incremental", "completed", "hasNext", "extensions"}


@dataclass
class Client:
    """What a client knows so far. ``failed`` are the errors of parts that will not come."""

    data: Any = None
    errors: list[Any] = field(default_factory=list)
    failed: list[Any] = field(default_factory=list)
    extensions: dict[str, Any] = field(default_factory=dict)
    more: bool = True
    parts: int = 0
    pending: dict[str, Any] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def take(self, payload: dict[str, Any]) -> None:
        """The next payload."""
        assert self.more, "something came after the last part"
        assert payload.keys() <= (OF_LATER if self.parts else OF_INITIAL), payload.keys()
        if not self.parts:
            self.data = payload["data"]
            assert payload["pending"], "a first part that announces nothing"
            assert payload["hasNext"] is True
        self.parts += 1
        self.errors += payload.get("errors", [])
        for one in payload.get("pending", ()):
            assert one["id"] not in self._seen, "an id is used twice"
            self._seen.add(one["id"])
            self.pending[one["id"]] = one
        for one in payload.get("incremental", ()):
            self._add(one)
        for one in payload.get("pending", ()):
            self._at(one["path"])
        for one in payload.get("completed", ()):
            del self.pending[one["id"]]
            self.failed += one.get("errors", [])
        self.extensions |= payload.get("extensions", {})
        self.more = payload["hasNext"]
        assert self.more == bool(self.pending), (
            "the last part leaves something pending, or another follows for nothing"
        )

    def _add(self, one: dict[str, Any]) -> None:
        self.errors += one.get("errors", [])
        place = self._at([*self.pending[one["id"]]["path"], *one.get("subPath", ())])
        if "items" in one:
            assert isinstance(place, list)
            place += one["items"]
        else:
            merge(place, one["data"])

    def _at(self, path: Iterable[Any]) -> Any:
        place = self.data
        for step in path:
            place = place[step]
        assert isinstance(place, dict | list), "a part belongs to a place that is null"
        return place


def merge(place: Any, data: Any) -> None:
    """Add what a part brings; nothing is ever told twice with another value."""
    for name, value in data.items():
        if name not in place:
            place[name] = value
        elif isinstance(value, dict):
            merge(place[name], value)
        elif isinstance(value, list):
            assert len(place[name]) == len(value)
            for one, other in zip(place[name], value, strict=True):
                merge(one, other)
        else:
            assert place[name] == value


@asynccontextmanager
async def divided(
    ctx: Context, document: str, form: Form = PLAIN, **variables: Any
) -> AsyncIterator[Delivery | Executed]:
    """A document executed up to its first part, as the engine does it; it must be valid."""
    schema, parsed = graphql_schema(), parse(document)
    assert validate(schema, parsed) == []
    hooks = Operations(schema)
    hooks.begin(ctx, hooks.describe(parsed), GraphQLRequest(document, variables=variables))
    # The engine keeps both with the document; the plans are known by the operation's place in memory.
    both = Divided(parsed, undivided(parsed), form.streams)
    parts = await EXECUTION.execute_in_parts(both, ctx, variables)
    if isinstance(parts, Executed):
        yield parts
        return
    delivery = Delivery(parts, form, "test", extensions=partial(hooks.extensions, ctx))
    delivery.closing.push_async_callback(parts.close)
    try:
        yield delivery
    finally:
        await delivery.close()


async def told(ctx: Context, document: str, **variables: Any) -> Client | Executed:
    """All that a client knows at the end; what was executed where nothing was put off."""
    client = Client()
    async with divided(ctx, document, **variables) as delivery:
        if isinstance(delivery, Executed):
            return delivery
        client.take(delivery.initial())
        async for payload in delivery.later():
            client.take(payload)
    assert not client.more
    return client


async def client_of(ctx: Context, document: str, **variables: Any) -> Client:
    """The same, for a document that is answered in parts."""
    client = await told(ctx, document, **variables)
    assert isinstance(client, Client), client
    return client
