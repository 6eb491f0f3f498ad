"""A gateway over the little plant with both caches in it, a clock moved by hand, and rights that a header tells."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request

from gateway.answers import Answers
from gateway.cache.layer import Caching
from gateway.cache.memory import Memory
from gateway.cache.reading import Tiers
from gateway.cache.store import Store
from gateway.engine import SchemaEngine
from gateway.http import GraphQLEndpoint
from gateway.operations import Operations
from gateway.request import lane_of
from gateway.route import Front
from resolvers.context import Actor, Context
from resolvers.graph import graphql_schema
from sources.base import EVERYTHING, Scope
from sources.catalog import Catalog
from sources.keeping import CacheRule
from tests.graph.fakes import PLANTS
from tests.graph.plant import Systems, number, systems
from tests.unit.gateway.cache.shelf import Clock

RULE = CacheRule(max_age=60, stale_while_revalidate=0, stale_if_error=0, negative_max_age=60)
ORDER = f'productionOrder(id: "po:1710/{number(0)}")'
CARD = f"{{ {ORDER} {{ number planning {{ priority }} execution {{ good {{ value }} }} }} }}"
ASK = 'query Ask($id: ID!, $w: String! = "30s") { productionOrder(id: $id) { number planning @fresh(within: $w) { priority } } }'


def actor_of(scope: Mapping[str, Any]) -> Actor:
    """The one who asks: the header X-Plants restricts the rows."""
    plants = dict(scope["headers"]).get(b"x-plants", b"").decode()
    seen = Scope(plants=frozenset(plants.split(","))) if plants else EVERYTHING
    return Actor(dict(scope["headers"]).get(b"x-who", b"anybody").decode(), filter=seen)


class Gateway:
    """``memory`` may be one whose marks a shared store tells; ``rights`` is what the kept answers are told of rights."""

    def __init__(
        self,
        *,
        plant: Systems | None = None,
        memory: Memory | None = None,
        store: Store | None = None,
        clock: Clock | None = None,
        max_bytes: int = 1_000_000,
    ) -> None:
        self.clock = clock or Clock()
        self.plant = plant or systems()
        self.memory = Memory(clock=self.clock) if memory is None else memory
        self.caching = Caching(Tiers(self.memory, store, self.clock), {"*": RULE})
        catalog = Catalog(self.plant.all, PLANTS, layers=[self.caching])
        self.answers = Answers(lambda scope: actor_of(scope).rights, self.memory.marks, max_bytes, self.clock)

        def make_context(http: Request) -> Context:
            actor, lane = actor_of(http.scope), lane_of(http.headers)
            return Context(catalog, arrived=self.clock(), actor=actor, lane=lane)

        hooks = Operations(graphql_schema(), keeps=True)
        engine = SchemaEngine(graphql_schema(), make_context, hooks=hooks, answers=self.answers)
        endpoint = GraphQLEndpoint(engine, answers=self.answers)
        self.app = Front(endpoint, Starlette(), self.answers)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of it."""
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://crossdock") as made:
            yield made

    async def post(
        self, query: str = CARD, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """One query by POST."""
        async with self.client() as http:
            return await http.post("/graphql", json={"query": query, **more}, headers=headers or {})

    async def get(
        self, query: str = CARD, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx2.Response:
        """One query by GET."""
        async with self.client() as http:
            return await http.get("/graphql", params={"query": query, **more}, headers=headers or {})

    def forget_values(self) -> None:
        """Let go of everything that was read, but of no answer: whoever executes now asks the systems."""
        self.memory._entries.clear()
        for system in self.plant.all:
            system.asked.clear()
            system.paged.clear()

    @property
    def asked(self) -> bool:
        """Whether any system was asked since."""
        return any(system.asked or system.paged for system in self.plant.all)

    async def again(self, query: str = CARD, headers: dict[str, str] | None = None, **more: Any) -> bool:
        """Whether the question is answered without asking anybody, once the values are forgotten."""
        self.forget_values()
        response = await self.post(query, headers, **more)
        assert response.status_code == 200, response.text
        return not self.asked
