"""The application: routes, middleware and lifespan as three lists, made from the settings."""

from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.admin import admin_routes
from gateway.answers import Answers
from gateway.cache.address import with_password
from gateway.cache.layer import Caching
from gateway.cache.memory import Memory
from gateway.cache.policy import longest_life
from gateway.cache.reading import Tiers
from gateway.cache.redis import RedisStore
from gateway.commands.making import Writes
from gateway.commands.service import WriteService
from gateway.config import Settings, adapter_class
from gateway.crosswalk.service import CrosswalkService
from gateway.crosswalk.store import Store
from gateway.database import Database
from gateway.engine import SchemaEngine
from gateway.epcis.service import epcis_routes
from gateway.events.incoming import Incoming
from gateway.events.interest import Interest
from gateway.events.log import EventLog
from gateway.events.making import RunningLog, make_event_log
from gateway.events.showing import LoggedEvents
from gateway.graphiql import graphiql_page
from gateway.health import health_routes
from gateway.http import BodyLimits, GraphQLEndpoint
from gateway.limits import DocumentLimits
from gateway.operations import Operations
from gateway.quota import Quotas
from gateway.request import lane_of
from gateway.route import Front
from gateway.subscribing import Subscribing
from gateway.subscriptions.engine import Subscriptions
from gateway.subscriptions.health import Health
from gateway.subscriptions.standing import Standing
from gateway.telemetry import RequestLog
from gateway.transports.http import HttpStreams
from gateway.transports.visits import Visits
from gateway.transports.websocket import Sockets
from gateway.webhooks.making import make_webhooks
from gateway.webhooks.service import WebhookService
from resolvers.context import Actor, Context
from resolvers.execution.operation import PlanExecution
from resolvers.graph import graphql_schema
from schema.base import Plant
from schema.events import Event
from sources.base import Lane, Layer, Source, Written
from sources.catalog import Catalog
from sources.rate import Quota
from sources.settings import SystemConfig

FIRST_QUERY = """\
# Where is this order, really? One question, one answer from the systems that know.
query Order($id: ID!) {
  productionOrder(id: $id) {
    number
    status
    item { number description }
    planning { quantity { value unit } dueDate provenance { system { code } ageSeconds } }
    execution { good { value unit } percentComplete provenance { system { code } ageSeconds } }
    posting { received { value unit } fullyPosted }
    operations { number description status workCenter { code } }
    outputs { number status }
    shipments { number status transport { eta trackingNumber } }
    checkpoints { kind state at }
    sources { system { code } group outcome message }
  }
}
"""
FIRST_ORDER = "po:1710/1000040"
ANYBODY = Actor()
ALL_RIGHTS = ANYBODY.rights

UTC_NOW = partial(datetime.now, UTC)
Lifespan = Callable[[], AbstractAsyncContextManager[None]]


class Readiness:
    """Ready while the sources are open. A system that is down costs its own fields, not the gateway's readiness."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.opened = False

    @asynccontextmanager
    async def opening(self) -> AsyncIterator[None]:
        """Opens the sources for as long as the application runs."""
        await self.catalog.open()
        self.opened = True
        try:
            yield
        finally:
            self.opened = False
            await self.catalog.close()

    async def ready(self) -> dict[str, object]:
        """Whether the gateway can answer, and each system's circuit as it stands; nothing is asked."""
        circuits = {code: system.guard.health().circuit for code, system in self.catalog.systems.items()}
        return {"ready": self.opened, "systems": circuits}


def redis_address(settings: Settings) -> str | None:
    """Where the Redis is that all workers share, with its password. Raises ConfigError where that cannot be had."""
    url, secret = settings.redis_url, settings.redis_password
    return url if url is None or secret is None else with_password(url, secret.resolve())


def make_cache(settings: Settings) -> Caching:
    """The cache that the settings ask for; nothing is contacted yet. Raises ConfigError."""
    kept = settings.cache
    memory = Memory(kept.max_entries, kept.max_bytes)
    store = None
    url = redis_address(settings)
    if url is not None:
        store = RedisStore(
            url,
            namespace=settings.redis_namespace,
            heard=memory.marks.note,
            longest=longest_life([kept.types, *[system.cache for system in settings.systems.values()]]),
        )
    return Caching(Tiers(memory, store, window=kept.window_ms / 1000), kept.types)


def actor_of(scope: Mapping[str, Any]) -> Actor:
    """Who sends a request. Nobody is asked who they are, so everybody is the same and may see the same."""
    return ANYBODY


def rights_of(scope: Mapping[str, Any]) -> Hashable:
    """What the sender of a request may see."""
    actor = actor_of(scope)
    return ALL_RIGHTS if actor is ANYBODY else actor.rights


def client_of(scope: Mapping[str, Any]) -> str:
    """Whose subscriptions are counted together: the one who asks, or the address where nobody is asked."""
    actor = actor_of(scope)
    address = (scope.get("client") or ("",))[0]
    return f"address {address}" if actor is ANYBODY else actor.subject


def ends_at(scope: Mapping[str, Any]) -> float | None:
    """When the credentials of a connection expire, in seconds since the epoch; nobody is asked for any."""
    return None


def make_subscriptions(
    settings: Settings,
    engine: SchemaEngine,
    events: EventLog,
    catalog: Catalog,
    caching: Caching,
    interest: Interest,
    context_of: Callable[..., Context],
) -> Subscriptions:
    """What runs subscriptions; the contexts of their messages have the rights that each began with."""

    def standing(connection: HTTPConnection) -> Standing:
        scope = connection.scope
        make = partial(context_of, lane_of(connection.headers), actor_of(scope))
        return Standing(client_of(scope), partial(rights_of, scope), make, ends_at(scope))

    def heard(event: Event) -> None:
        caching.heard((event.subject, *event.touches), event.received_at.timestamp())

    health = Health(catalog.all_systems)
    # Where nothing is kept, nothing has to be let go of, and nothing is at hand for the next.
    keeps = heard if settings.cache.max_entries else None
    limits = settings.subscriptions
    return Subscriptions(engine, events, standing, health, limits, interest=interest, heard=keeps)


def make_answers(settings: Settings, caching: Caching) -> Answers | None:
    """Where whole answers are kept, if they are; they go with what the cache of the values lets go."""
    tiers, most = caching.tiers, settings.cache.answers_max_bytes
    if not most or not settings.cache.max_entries:
        return None
    return Answers(rights_of, tiers.memory.marks, most, tiers.clock)


def make_catalog(
    settings: Settings,
    crosswalk: CrosswalkService | None = None,
    layers: Sequence[Layer] = (),
    quota: Callable[[SystemConfig], Quota | None] = lambda _: None,
) -> Catalog:
    """The catalog of the systems in the settings; nothing is contacted yet. Raises ConfigError."""
    plants = [
        Plant(code=code, name=plant.name, time_zone=plant.time_zone, gln=plant.gln)
        for code, plant in settings.plants.items()
    ]
    sources = make_sources(settings)
    crosswalk = crosswalk or make_crosswalk(settings)
    return Catalog(sources, plants, settings.ownership, [crosswalk.layer(sources), *layers], crosswalk, quota)


def make_writes(
    settings: Settings, catalog: Catalog, crosswalk: CrosswalkService, caching: Caching
) -> Writes | None:
    """Where writes are kept and carried to their owners; None without a database: accepted must mean kept."""
    url = settings.database_url
    if url is None:
        return None
    sources = [system.source for system in catalog.systems.values()]
    theirs = crosswalk.layer(sources).theirs
    return Writes(url.get_secret_value(), settings.writes, catalog, theirs, caching.invalidate)


def make_crosswalk(settings: Settings) -> CrosswalkService:
    """The crosswalk where the settings say it is kept, else an empty one in memory; nothing is opened yet."""
    url = settings.database_url
    return CrosswalkService(Store(Database() if url is None else Database(url.get_secret_value())))


def make_sources(settings: Settings) -> Sequence[Source]:
    """One source for each system in the settings."""
    return [adapter_class(config.adapter)(config) for config in settings.systems.values()]


class Contexts:
    """Makes the context of an operation: of its lane, of who asks, and of what must be visible.

    ``webhooks`` is who keeps them, where there are any: it is made after whatever needs contexts.
    """

    def __init__(
        self, settings: Settings, catalog: Catalog, events: EventLog, now: Callable[[], datetime]
    ) -> None:
        self._settings, self._catalog, self._now = settings, catalog, now
        self._happenings = LoggedEvents(events)
        self.webhooks: WebhookService | None = None
        self.writes: WriteService | None = None

    def __call__(self, lane: Lane, actor: Actor, written: Written | None = None) -> Context:
        """A context for one operation."""
        settings = self._settings
        return Context(
            self._catalog,
            deadline_ms=settings.deadline_ms,
            aliases=settings.aliases,
            max_page=settings.limits.max_page,
            started=self._now(),
            lane=lane,
            actor=actor,
            written=written,
            events=self._happenings,
            webhooks=self.webhooks,
            writes=self.writes,
        )


def create_app(settings: Settings, now: Callable[[], datetime] = UTC_NOW) -> Front:
    """The whole gateway as an ASGI application; ``now`` is the moment at which milestones are judged.

    Raises ConfigError where the settings contradict each other.
    """
    caching = make_cache(settings)
    crosswalk = make_crosswalk(settings)
    crosswalk.listeners.append(caching.changed)
    quotas = Quotas(redis_address(settings))
    events = make_event_log(settings)
    catalog = make_catalog(settings, crosswalk, [caching], quotas)
    readiness = Readiness(catalog)
    incoming = Incoming(settings, catalog, crosswalk, events, caching.invalidate, caching.tiers.store)

    writes = make_writes(settings, catalog, crosswalk, caching)
    context_of = Contexts(settings, catalog, events, now)
    if writes is not None:
        context_of.writes = writes.service

    def make_context(http: HTTPConnection) -> Context:
        return context_of(lane_of(http.headers), actor_of(http.scope))

    schema = graphql_schema()
    answers = make_answers(settings, caching)
    engine = SchemaEngine(
        schema,
        make_context,
        document_limits(settings),
        hooks=Operations(schema, keeps=answers is not None),
        execution=PlanExecution(schema),
        answers=answers,
    )
    subscribing = make_subscriptions(
        settings, engine, events, catalog, caching, incoming.interests, context_of
    )
    webhooks = make_webhooks(settings, events, subscribing, engine, catalog.plants)
    if webhooks is not None:
        context_of.webhooks = webhooks.service
    routes = [
        Route("/", _to_endpoint, methods=["GET"]),
        *health_routes(readiness),
        *admin_routes(settings, caching),
        *incoming.routes,
        *epcis_routes(engine, events, catalog.plants, UTC_NOW),
    ]
    middleware = [Middleware(RequestLog)]
    lifespan = [
        quotas.opening,
        RunningLog(events, UTC_NOW).running,
        caching.opening,
        crosswalk.running,
        readiness.opening,
        incoming.running,
        *([] if writes is None else [writes.running]),
        subscribing.running,
        *([webhooks.running] if webhooks is not None else []),
    ]
    others = Starlette(routes=routes, middleware=middleware, lifespan=_all_of(lifespan))
    return make_front(settings, engine, subscribing, others, answers)


def make_front(
    settings: Settings,
    engine: SchemaEngine,
    subscribing: Subscribing,
    others: ASGIApp,
    answers: Answers | None,
) -> Front:
    """The endpoint with all its transports, and the way in to it."""
    page = graphiql_page(FIRST_QUERY, f'{{"id": "{FIRST_ORDER}"}}') if settings.graphiql else None
    visits = Visits(settings.streams)
    endpoint = GraphQLEndpoint(
        engine,
        limits=body_limits(settings),
        page=page,
        answers=answers,
        streams=HttpStreams(subscribing, visits),
    )
    return Front(endpoint, others, answers, Sockets(engine, subscribing, visits), visits.drain)


def document_limits(settings: Settings) -> DocumentLimits:
    """The settings' bounds of one document."""
    limits = settings.limits
    return DocumentLimits(
        max_length=limits.max_length,
        max_tokens=limits.max_tokens,
        max_depth=limits.max_depth,
        max_fields=limits.max_fields,
        max_aliases=limits.max_aliases,
        max_root_fields=limits.max_root_fields,
        introspection=settings.introspection,
    )


def body_limits(settings: Settings) -> BodyLimits:
    """The settings' bounds of one request body."""
    return BodyLimits(settings.limits.max_body_bytes, settings.limits.body_timeout_ms / 1000)


async def _to_endpoint(_: Request) -> Response:
    return RedirectResponse("/graphql", status_code=307)


def _all_of(parts: Sequence[Lifespan]) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """One lifespan that enters each part in order and leaves them in reverse."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for part in parts:
                await stack.enter_async_context(part())
            yield

    return lifespan
