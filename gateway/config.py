"""The settings: one table of name, default and help. A TOML file, then the environment, then options of the command.

The environment overrides the file: ``CROSSDOCK_PORT=8080``, or with a double underscore into a table:
``CROSSDOCK_LIMITS__MAX_DEPTH=12``, ``CROSSDOCK_SYSTEMS__SAP_PRD__BASE_URL=https://…``. Names match in any case; a value
that starts with ``[`` or ``{`` is read as JSON. Nothing unknown is accepted, in either place.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, SerializeAsAny, ValidationError

from gateway.brokers.settings import BrokerConfig, bad_brokers
from gateway.cache.settings import CacheSettings
from gateway.commands.settings import WriteSettings
from gateway.database import parsed
from gateway.environment import overlay
from gateway.events.settings import EventSettings, unsigned
from gateway.problems import Problem, SettingsError, did_you_mean, problems_of
from gateway.subscriptions.settings import SubscriptionSettings
from gateway.tomlfile import KeyPath, TomlFile, read_toml
from gateway.transports.settings import StreamSettings
from gateway.webhooks.settings import WebhookSettings, written_out
from schema.base import KEYS, NODES
from sources import ADAPTERS
from sources.base import Source
from sources.catalog import MERGED, OWNERS
from sources.credentials import Secret, is_loopback
from sources.keeping import CacheRule
from sources.settings import SystemConfig

LOOPBACK = ("127.0.0.1", "::1", "localhost")
NO_FILE = TomlFile("(no configuration file)", {})
ENTRY_POINTS = "crossdock.adapters"


def _known_time_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"no time zone of the IANA database; {did_you_mean(name, available_timezones())}")
    return name


def _known_database(url: SecretStr) -> SecretStr:
    parsed(url.get_secret_value())
    return url


class Table(BaseModel):
    """A table of settings: nothing unknown, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(Table):
    """What one request may cost before anything is asked of a system."""

    max_body_bytes: int = Field(default=1_048_576, ge=1024, description="Largest request body, in bytes.")
    body_timeout_ms: int = Field(default=10_000, ge=100, description="Longest wait for a request body.")
    max_length: int = Field(default=131_072, ge=256, description="Longest GraphQL document, in characters.")
    max_tokens: int = Field(default=8_000, ge=50, description="Most tokens of a document.")
    max_depth: int = Field(default=20, ge=3, description="Most levels of fields.")
    max_fields: int = Field(default=3_000, ge=10, description="Most fields, fragments expanded.")
    max_aliases: int = Field(default=300, ge=0, description="Most aliases, fragments expanded.")
    max_root_fields: int = Field(default=50, ge=1, description="Most fields at the root.")
    max_page: int = Field(
        default=200, ge=1, le=10_000, description="Largest `first` or `last` of a connection."
    )


class PlantSettings(Table):
    """A manufacturing site."""

    name: str = Field(description="Name, for people.")
    time_zone: Annotated[str, AfterValidator(_known_time_zone)] = Field(
        description="IANA time zone, such as Europe/Berlin; it decides the calendar day of every posting."
    )
    gln: str | None = Field(default=None, pattern=r"^\d{13}$", description="GS1 Global Location Number.")


class Settings(Table):
    """Everything the gateway can be told."""

    host: str = Field(default="127.0.0.1", description="Address to listen at.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen at; 0 takes a free one.")
    workers: int = Field(default=1, ge=1, le=64, description="Processes that answer requests.")
    auth: Literal["none", "upstream"] = Field(
        default="none",
        description="Who asks. `none`: nobody is asked, so only this machine may reach the gateway (`host` must be a "
        "loopback address). `upstream`: something in front of the gateway decides who reaches it.",
    )
    admin_token: Secret | None = Field(
        default=None,
        description="What a caller of `/admin` must send as `Authorization: Bearer …`, by reference. Without it `/admin` "
        'is there only with `auth = "none"`, for this machine.',
    )
    introspection: bool = Field(default=True, description="Whether the schema may be asked for.")
    graphiql: bool = Field(default=True, description="Whether a browser gets a page to write queries on.")
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="How to log; `auto` is `console` on a terminal, else `json`."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What to log."
    )
    deadline_ms: int = Field(default=5000, ge=50, le=300_000, description="Longest time for one answer.")
    shutdown_ms: int = Field(
        default=10_000,
        ge=0,
        le=300_000,
        description="How long answers under way may take after a stop signal.",
    )
    database_url: Annotated[SecretStr, AfterValidator(_known_database)] | None = Field(
        default=None,
        description="Where the crosswalk, the unmatched keys and the writes are kept: `sqlite:////var/lib/crossdock/crossdock.db` "
        "(one machine), or `postgresql://user:password@host/database`. Without it no disk is needed: every start begins "
        "with an empty crosswalk, and no writes are taken.",
    )
    limits: Limits = Field(default=Limits(), description="What one request may cost.")
    streams: StreamSettings = Field(
        default=StreamSettings(), description="Subscriptions and their transports."
    )
    cache: CacheSettings = Field(default=CacheSettings(), description="What is kept of the systems' answers.")
    events: EventSettings = Field(default=EventSettings(), description="Where events are kept.")
    webhooks: WebhookSettings = Field(
        default=WebhookSettings(), description="Partner webhooks: subscriptions delivered as signed messages."
    )
    subscriptions: SubscriptionSettings = Field(
        default=SubscriptionSettings(),
        description="How many subscriptions there may be, and what waits for them.",
    )
    writes: WriteSettings = Field(default=WriteSettings(), description="How writes reach their owners.")
    redis_url: str | None = Field(
        default=None,
        description="Redis that all workers share: `redis://host:6379/0`, or `rediss://` with TLS. Without it each "
        "process keeps what it read for itself.",
    )
    redis_password: Secret | None = Field(
        default=None,
        description='Its password, by reference: `{env = "REDIS_PASSWORD"}`, `{file = "…"}`, `{command = […]}`.',
    )
    redis_namespace: str = Field(
        default="crossdock",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="First part of every key in it; gateways that share one Redis and not their data differ in it.",
    )
    brokers: dict[str, BrokerConfig] = Field(default={}, description="Message brokers, by name.")
    plants: dict[str, PlantSettings] = Field(default={}, description="The plants, by code.")
    systems: dict[str, SerializeAsAny[SystemConfig]] = Field(default={}, description="The systems, by code.")
    ownership: dict[str, tuple[str, ...]] = Field(
        default={}, description="Type → codes of the systems that own it, the most trusted first."
    )
    aliases: dict[str, str] = Field(
        default={}, description='Stable names given to partners → id, such as po1 = "po:1710/1000040".'
    )


@dataclass(frozen=True, slots=True)
class _Origins:
    """Where each setting was written: the environment, else the file."""

    file: TomlFile
    variables: Mapping[KeyPath, str]

    def where(self, path: KeyPath) -> str:
        for length in range(len(path), 0, -1):
            if path[:length] in self.variables:
                return f"environment variable {self.variables[path[:length]]}"
        return self.file.where(path)


def load_settings(
    file: Path | TomlFile | None,
    environ: Mapping[str, str] = os.environ,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> Settings:
    """The settings of a file, the environment and the command's options (None means not given).

    Raises SettingsError with every problem found, each naming the setting, its value, the mend and the file and line.
    """
    toml = read_toml(file) if isinstance(file, Path) else (file or NO_FILE)
    data, variables = overlay(toml.data, environ, tuple(Settings.model_fields))
    for name, value in options.items():
        if value is not None:
            data[name], variables[name,] = value, f"(option --{name.replace('_', '-')})"
    origins = _Origins(toml, variables)
    systems, problems = _systems(data.get("systems"), origins)
    try:
        settings = Settings.model_validate(data if systems is None else {**data, "systems": systems})
    except ValidationError as error:
        problems += problems_of(error, Settings, data, origins.where)
        raise SettingsError(problems) from error
    if not problems:
        problems += _cross_checks(settings, origins)
    if problems:
        raise SettingsError(problems)
    return settings


def adapter_class(name: str) -> type[Source]:
    """The adapter of that name, of this program or of an installed package.

    Raises LookupError for an unknown name and ImportError, as it happened, for one that cannot be loaded.
    """
    target = ADAPTERS.get(name)
    if target is None:
        installed = {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
        if name not in installed:
            raise LookupError(did_you_mean(name, [*ADAPTERS, *installed]))
        target = installed[name]
    module, _, attribute = target.partition(":")
    found: type[Source] = getattr(import_module(module), attribute)
    return found


def _systems(tables: Any, origins: _Origins) -> tuple[dict[str, SystemConfig] | None, list[Problem]]:
    """Each [systems.CODE] table by the adapter it names; None if there is no table of tables at all."""
    if not isinstance(tables, dict):
        return None, []
    systems: dict[str, SystemConfig] = {}
    problems: list[Problem] = []
    for code, table in tables.items():
        try:
            systems[code] = _system(code, table, origins)
        except SettingsError as error:
            problems += error.problems
    return systems, problems


def _system(code: str, table: Any, origins: _Origins) -> SystemConfig:
    path: KeyPath = ("systems", code)

    def problem(key: str | None, value: Any, text: str, mend: str) -> SettingsError:
        at = (*path, key) if key else path
        return SettingsError([Problem(origins.where(at), at, value, text, mend)])

    if not isinstance(table, dict):
        raise problem(None, table, "is not a table", f"Write a table [systems.{code}].")
    if "code" in table:
        raise problem("code", table["code"], "is not set by hand", "Remove it: the table's name is the code.")
    name = table.get("adapter")
    if not isinstance(name, str):
        raise problem("adapter", name, "is missing", f"Name one of {', '.join(ADAPTERS)}.")
    try:
        config = adapter_class(name).Config
    except LookupError as error:
        raise problem("adapter", name, "is no adapter", str(error.args[0])) from error
    except (ImportError, AttributeError) as error:
        raise problem(
            "adapter", name, f"cannot be loaded: {error}", "Install the package it comes from."
        ) from error
    try:
        return config.model_validate({**table, "code": code})
    except ValidationError as error:
        raise SettingsError(problems_of(error, config, table, origins.where, path)) from error


def _cross_checks(settings: Settings, origins: _Origins) -> list[Problem]:
    """What no single setting can know."""
    found = [
        *_unsafe(settings),
        *_unknown_plants(settings),
        *_unknown_owners(settings),
        *_bad_aliases(settings),
        *_unknown_rules(settings),
        *_bad_redis(settings),
        *written_out(settings.webhooks, local=settings.host in LOOPBACK),
        *bad_brokers(settings.brokers, settings.systems),
    ]
    return [Problem(origins.where(path), path, value, text, mend) for path, value, text, mend in found]


_Finding = tuple[KeyPath, Any, str, str]


def _unsafe(settings: Settings) -> list[_Finding]:
    if settings.host in LOOPBACK:
        return []
    mend = "Name how its messages are signed, or listen at 127.0.0.1."
    opened = "lets anybody on the network send its messages"
    found = [
        (("systems", code, "ingest", "auth"), "none", opened, mend) for code in unsigned(settings.systems)
    ]
    if settings.auth != "none":
        return [*found]
    mend = 'Set host = "127.0.0.1", or auth = "upstream" if a proxy or a container\'s port mapping decides who gets here.'
    opened = 'opens the gateway to the network, while auth = "none" asks nobody'
    return [(("host",), settings.host, opened, mend), *found]


def _unknown_plants(settings: Settings) -> list[_Finding]:
    return [
        (
            ("systems", code, "plants"),
            plant,
            "is no plant",
            f"Add [plants.{plant}]; {did_you_mean(plant, settings.plants)}.",
        )
        for code, system in settings.systems.items()
        for plant in system.plants
        if plant not in settings.plants
    ]


def _unknown_owners(settings: Settings) -> list[_Finding]:
    types = {cls.__name__ for cls in (*KEYS, *OWNERS, *MERGED)}
    found: list[_Finding] = []
    for name, codes in settings.ownership.items():
        if name not in types:
            found.append((("ownership", name), name, "is no type", did_you_mean(name, types)))
        found += [
            (
                ("ownership", name),
                code,
                "is no system",
                f"Add [systems.{code}]; {did_you_mean(code, settings.systems)}.",
            )
            for code in codes
            if code not in settings.systems
        ]
    return found


def _unknown_rules(settings: Settings) -> list[_Finding]:
    types = {cls.__name__ for cls in (*KEYS, *OWNERS, *MERGED)}
    tables: list[tuple[KeyPath, Mapping[str, CacheRule]]] = [(("cache", "types"), settings.cache.types)]
    tables += [(("systems", code, "cache"), system.cache) for code, system in settings.systems.items()]
    return [
        ((*path, name), name, "is no type", did_you_mean(name, types))
        for path, rules in tables
        for name in rules
        if name != "*" and name not in types
    ]


def _bad_redis(settings: Settings) -> list[_Finding]:
    url, secret = settings.redis_url, settings.redis_password
    if url is None:
        return []
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.hostname}"
    if parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.scheme == "unix"):
        return [(("redis_url",), shown, "is no address of a Redis", "Write redis://host:6379/0.")]
    if parts.password is not None or "password=" in parts.query:
        mend = 'Leave it out and name the place where it is: redis_password = {env = "REDIS_PASSWORD"}.'
        return [(("redis_url",), shown, "holds a password", mend)]
    if secret is not None and secret.value is not None and not is_loopback(url):
        mend = 'Name the place where it is: redis_password = {env = "REDIS_PASSWORD"}.'
        return [(("redis_password",), "…", "is written out, for a Redis on another machine", mend)]
    return []


def _bad_aliases(settings: Settings) -> list[_Finding]:
    found: list[_Finding] = []
    for alias, target in settings.aliases.items():
        prefix, colon, key = target.partition(":")
        if not (colon and key and prefix in NODES):
            mend = f'Write an id such as "po:1710/1000040"; {did_you_mean(prefix, NODES)}.'
            found.append((("aliases", alias), target, "is no id", mend))
        if ":" in alias:
            mend = "Choose a name without a colon."
            found.append((("aliases", alias), alias, "cannot be told from an id", mend))
    return found
