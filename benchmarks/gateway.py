"""The gateway over the plant: its configuration, and the same thing in this process."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from benchmarks.plant import ADDRESS, CONFIG
from gateway.app import document_limits, make_cache, make_catalog
from gateway.cache.layer import Caching
from gateway.config import Settings, load_settings
from gateway.engine import SchemaEngine
from gateway.http import GraphQLEndpoint
from gateway.operations import Operations
from gateway.tomlfile import read_toml
from resolvers.context import Context
from resolvers.execution.operation import PlanExecution
from resolvers.graph import graphql_schema
from sources.catalog import Catalog

COLD = "\n[cache]\nmax_entries = 0\n"
"""Nothing is kept, so that every request is asked of the systems; requests under way still share their calls."""
WARM = '\n[cache]\nanswers_max_bytes = 0\n[cache.types]\n"*" = { max_age = 86400 }\n'
"""What was read once stays in the process's own memory for as long as a measurement takes."""

ANSWERS = '\n[cache.types]\n"*" = { max_age = 86400 }\n'
"""The same with whole answers kept too, as is the default."""


def write_config(folder: Path, plant: str, mode: str) -> Path:
    """The configuration as a file, with the plant's real address."""
    file = folder / f"gateway-{hashlib.sha256(mode.encode()).hexdigest()[:8]}.toml"
    file.write_text(CONFIG.read_text("utf-8").replace(ADDRESS, plant) + mode, "utf-8")
    return file


@dataclass(frozen=True, slots=True)
class Inside:
    """The gateway's parts in this process, opened."""

    settings: Settings
    catalog: Catalog
    engine: SchemaEngine
    operations: Operations
    caching: Caching

    def context(self, _: Request | None = None) -> Context:
        """The context of one operation."""
        return Context(
            self.catalog, deadline_ms=self.settings.deadline_ms, max_page=self.settings.limits.max_page
        )

    def endpoint(self) -> GraphQLEndpoint:
        """The ASGI application behind /graphql."""
        return GraphQLEndpoint(self.engine)


@asynccontextmanager
async def inside(file: Path, environ: Mapping[str, str] | None = None) -> AsyncIterator[Inside]:
    """The gateway's parts over the systems of a configuration, without HTTP in front."""
    settings = load_settings(read_toml(file), environ or {})
    caching = make_cache(settings)
    catalog = make_catalog(settings, None, [caching])
    schema = graphql_schema()
    operations = Operations(schema)

    def make_context(_: Request) -> Context:
        return made.context()

    engine = SchemaEngine(
        schema,
        make_context,
        document_limits(settings),
        hooks=operations,
        execution=PlanExecution(schema),
    )
    made = Inside(settings, catalog, engine, operations, caching)
    async with caching.opening():
        await catalog.open()
        try:
            yield made
        finally:
            await catalog.close()
