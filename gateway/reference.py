"""The reference pages, written from the code: ``python -m gateway.reference docs``. A test compares them."""

import inspect
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.brokers.settings import BrokerConfig
from gateway.cache import policy
from gateway.cache.policy import Policy
from gateway.cache.settings import CacheSettings
from gateway.commands.settings import WriteSettings
from gateway.config import PlantSettings, Settings, adapter_class
from gateway.environment import CODED, PREFIX
from gateway.events.settings import EventSettings
from gateway.subscriptions.settings import SubscriptionSettings
from gateway.transports.settings import StreamSettings
from gateway.webhooks.settings import WebhookSettings
from schema import errors
from schema.errors import CrossdockError
from sources import ADAPTERS
from sources.intake import BrokerUse, ChangesConfig, IngestConfig
from sources.keeping import CacheRule
from sources.policy import Budget, LaneShares, Rate
from sources.settings import SystemConfig

REQUEST_CODES = {
    "BAD_JSON": "The body, or a parameter that should be JSON, is not.",
    "BAD_REQUEST": "The HTTP request is no GraphQL request; the message says what is missing.",
    "BATCHING_NOT_SUPPORTED": "The body is a list; send one request at a time.",
    "CREDENTIALS_EXPIRED": "The credentials of a stream have expired; go on after the cursor with new ones.",
    "DOCUMENT_TOO_LONG": "The document has more characters than `limits.max_length`.",
    "EVENTS_GAP": "Messages came faster than they were taken, or than they could be made: go on after the cursor.",
    "EVENT_LOG_UNAVAILABLE": "The event log could not take the events. Nothing was accepted; send them again.",
    "GRAPHQL_PARSE_FAILED": "The document is not GraphQL.",
    "GRAPHQL_VALIDATION_FAILED": "The document does not fit the schema.",
    "INGEST_NOT_FOUND": "No system of that code has an `ingest` table, so it cannot send messages here.",
    "INTERNAL_SERVER_ERROR": "A fault of the gateway. The request id in the message finds it in the log.",
    "INTROSPECTION_DISABLED": "The schema was asked for and `introspection` is off.",
    "METHOD_NOT_ALLOWED": "Another HTTP method is needed; `Allow` names it.",
    "NOT_ACCEPTABLE": "None of the media types in `Accept` can be given.",
    "NOT_ADMITTED": "Who asks may not open a stream.",
    "NOT_AUTHENTICATED": "`/admin` was called without the admin token, or a message does not show that it is its system's.",
    "OPERATION_NAME_REQUIRED": "The document has several operations and `operationName` chooses none.",
    "OPERATION_NOT_FOUND": "The document has no operation, or none of that name.",
    "ORIGIN_NOT_ALLOWED": "A page of another origin wants to open a socket and is not in `streams.allowed_origins`.",
    "PERSISTED_QUERY_HASH_MISMATCH": "The hash sent along is not the document's.",
    "PERSISTED_QUERY_NOT_FOUND": "The hash is not known here; send the document along with it.",
    "QUERY_TOO_DEEP": "More levels of fields than `limits.max_depth`.",
    "QUERY_TOO_LARGE": "More fields, fragments expanded, than `limits.max_fields`, or too many comparisons.",
    "REQUEST_TIMEOUT": "The body did not arrive within `limits.body_timeout_ms`.",
    "REQUEST_TOO_LARGE": "The body is larger than `limits.max_body_bytes`.",
    "RESYNC_REQUIRED": "The events after the cursor are no longer kept, or it is another log's: read the state anew.",
    "RIGHTS_CHANGED": "What the subscriber may see has changed since the subscription began: subscribe again.",
    "SNAPSHOT_TOO_LARGE": "More objects match than `subscriptions.max_snapshot`: narrow the filter, or take no snapshot.",
    "SUBSCRIPTION_ENDED": "The gateway ended the subscription; the entry says where and when to go on.",
    "SUBSCRIPTION_EXPECTED": "A query or a mutation was sent where only subscriptions are run.",
    "SUBSCRIPTION_NEEDS_STREAM": "A subscription was sent where only one answer can be given.",
    "TOO_MANY_ALIASES": "More aliases than `limits.max_aliases`.",
    "TOO_MANY_FRAGMENTS": "More fragments than a document may have.",
    "TOO_MANY_PARTS": "More `@defer` and `@stream`, fragments expanded, than a document may have (50).",
    "TOO_MANY_OPERATIONS": "More operations at once on a socket than `streams.max_operations`.",
    "TOO_MANY_ROOT_FIELDS": "More fields at the root than `limits.max_root_fields`.",
    "TOO_MANY_STREAMS": "More streams than `streams.max_streams` or `streams.max_streams_per_client`; `Retry-After` says when to try again.",
    "TOO_MANY_TOKENS": "More tokens than `limits.max_tokens`.",
    "TOO_MANY_SUBSCRIPTIONS": "As many subscriptions as `subscriptions.max_per_process` or `max_per_client` allows.",
    "UNSUPPORTED_MEDIA_TYPE": "The body is not `application/json` in UTF-8.",
}
"""Codes of requests that are refused before anything is asked of a system."""

KEEPING = """
Every group of facts is kept for as long as its policy says, first in the process, then in Redis where `redis_url` is
set. Within `max_age` it is fresh. For `stale_while_revalidate` after that it is given at once, marked, while it is read
anew. Where its system cannot answer, it is given, marked, for `stale_if_error` after `max_age`; a refusal (401, 403,
another 4xx, a payload that cannot be mapped) lets nothing older through. Errors are never kept; that a system does not
know a key is, for `negative_max_age`. With `never_stale` nothing is ever given past `max_age`, be the client ever so
patient. How a request asks for what it needs, and what is said about old values: [freshness](freshness.md).

`crossdock invalidate po:1710/1000040` (or `POST /admin/invalidate`) makes every worker forget what it keeps about an
object; `po:*` is all of a kind, `sys:SAP_PRD` everything of a system.
""".strip()
"""The words of the page about keeping; the numbers come from the code."""

_Section: TypeAlias = tuple[str, str, str | None, dict[str, FieldInfo]]

LANES = """\
A call waits for a free slot behind those that are more urgent, in the order shop floor, app, analytics, background, and
in the order of arrival among its own. What already runs cannot be called back: the shares keep room for what may come.
A lane whose calls at once fit into what the shares below leave it is not slowed down by them."""
RATE = """\
A call without a turn waits for one, the most urgent first, until its deadline; where none can come in time it fails at
once as RATE_LIMITED with the time to wait. With `redis_url` all workers share one rate; without, or while Redis is
away, each process keeps to it by itself."""
BUDGETS = """\
When it is used up nothing is sent until the window closes: calls fail at once as RATE_LIMITED with the time until then.
Each process counts for itself, from its start: with several workers, divide. Pings and requests for tokens are free. Where clocks change, a window lasts for as
long as any reading of its times.

```toml
[[systems.SAP_PRD.budgets]]
name = "month-end close"
calls = 500
time_zone = "Europe/Berlin"
month_days = [-2, -1, 1]     # the last two days and the first
start = "18:00"
end = "06:00"                # of the next morning
```"""
_TABLES = ("limits", "streams", "cache", "events", "subscriptions", "webhooks", "writes", *CODED)
_BROKERS: _Section = (
    "[brokers.NAME]",
    "One table for each message broker at which systems publish. See [events](events.md).",
    f"{PREFIX}BROKERS__NAME__",
    dict(BrokerConfig.model_fields),
)
MADE = "<!-- Written by `make docs` from the code; a test compares them. -->\n"


def settings_page() -> str:
    """docs/settings.md: every setting with its default and its help."""
    sections: list[_Section] = [
        (
            "The gateway",
            "",
            PREFIX,
            {n: f for n, f in Settings.model_fields.items() if n not in _TABLES},
        ),
        (
            "[limits]",
            "What one request may cost before anything is asked of a system.",
            f"{PREFIX}LIMITS__",
            dict(Settings.model_fields["limits"].default.__class__.model_fields),
        ),
        (
            "[cache]",
            "What is kept of the systems' answers. How long, `[systems.CODE.cache]` says, then `[cache.types]`, then "
            "the defaults: see [keeping](keeping.md).",
            f"{PREFIX}CACHE__",
            dict(CacheSettings.model_fields),
        ),
        *_own_sections(),
        (
            "[cache.types] and [systems.CODE.cache]",
            'A rule for a type of the model, or for all others (`"*"`), in seconds: '
            "`OrderPlanning = { max_age = 10, stale_if_error = 3600 }`.",
            None,
            dict(CacheRule.model_fields),
        ),
        _BROKERS,
        (
            "[plants.CODE]",
            "One table for each manufacturing site.",
            f"{PREFIX}PLANTS__CODE__",
            dict(PlantSettings.model_fields),
        ),
        (
            "[systems.CODE]",
            "One table for each connected system; what every adapter understands. "
            "Each adapter adds its own settings: [adapters](adapters.md).",
            f"{PREFIX}SYSTEMS__CODE__",
            {name: f for name, f in SystemConfig.model_fields.items() if name != "code"},
        ),
        *_policy_sections(),
    ]
    lines = ["# Settings", MADE, *_paragraphs(inspect.getdoc(sys.modules[Settings.__module__]) or "")]
    for title, about, prefix, fields in sections:
        lines += [f"## {title}\n", *([about + "\n"] if about else []), *_table(fields, prefix)]
    for name in ("ownership", "aliases"):
        lines += [f"## [{name}]\n", f"{Settings.model_fields[name].description}\n"]
    return "\n".join(lines).rstrip() + "\n"


def _own_sections() -> list[_Section]:
    """The tables of what the gateway itself keeps, tells and sends."""
    told = (
        "How many subscriptions there may be, and what waits for each: see [subscriptions](subscriptions.md)."
    )
    return [
        (
            "[events]",
            "What happened, as long as it can be told again.",
            f"{PREFIX}EVENTS__",
            dict(EventSettings.model_fields),
        ),
        (
            "[streams]",
            "Subscriptions over WebSocket, server-sent events and multipart: see [transports](transports.md).",
            f"{PREFIX}STREAMS__",
            dict(StreamSettings.model_fields),
        ),
        ("[subscriptions]", told, f"{PREFIX}SUBSCRIPTIONS__", dict(SubscriptionSettings.model_fields)),
        (
            "[webhooks]",
            "Subscriptions whose results are sent to partners: see [webhooks](webhooks.md).",
            f"{PREFIX}WEBHOOKS__",
            dict(WebhookSettings.model_fields),
        ),
        (
            "[writes]",
            "How long writes are tried, and what of them is kept.",
            f"{PREFIX}WRITES__",
            dict(WriteSettings.model_fields),
        ),
    ]


def _policy_sections() -> list[_Section]:
    """The tables inside the table of a system."""
    place = f"{PREFIX}SYSTEMS__CODE__"
    lanes, rate, budgets = (_cell(inspect.getdoc(cls) or "") for cls in (LaneShares, Rate, Budget))
    return [
        ("[systems.CODE.lanes]", f"{lanes} {LANES}", f"{place}LANES__", dict(LaneShares.model_fields)),
        ("[systems.CODE.rate]", f"{rate} {RATE}", f"{place}RATE__", dict(Rate.model_fields)),
        ("[[systems.CODE.budgets]]", f"{budgets} {BUDGETS}", None, dict(Budget.model_fields)),
        *[
            (
                title,
                f"{_cell(inspect.getdoc(cls) or '')} See [events](events.md).",
                None,
                dict(cls.model_fields),
            )
            for title, cls in (
                ("[systems.CODE.ingest]", IngestConfig),
                ("[systems.CODE.broker]", BrokerUse),
                ("[systems.CODE.changes.NAME]", ChangesConfig),
            )
        ],
    ]


def errors_page() -> str:
    """docs/errors.md: the tree of errors, and the codes of requests that are refused."""
    lines = ["# Errors", MADE, "Codes are stable; messages are for people and may change.\n"]
    tree = (inspect.getdoc(errors) or "").partition("::\n")[2]
    lines += ["## The tree\n", "```text", inspect.cleandoc(tree.rpartition("\n\n")[0].strip("\n")), "```\n"]
    lines += ["## Codes\n", "| Code | Meaning |", "|---|---|"]
    codes = {cls.code: inspect.getdoc(cls) or "" for cls in _tree(CrossdockError)} | REQUEST_CODES
    lines += [f"| `{code}` | {_cell(meaning)} |" for code, meaning in sorted(codes.items())]
    return "\n".join(lines) + "\n"


def adapters_page() -> str:
    """docs/adapters.md: what each adapter speaks, and its own settings."""
    lines = ["# Adapters", MADE, "An adapter is named by `adapter` in a `[systems.CODE]` table.\n"]
    for name in ADAPTERS:
        cls = adapter_class(name)
        package = sys.modules[cls.__module__.rpartition(".")[0]]
        own = {n: f for n, f in cls.Config.model_fields.items() if n not in SystemConfig.model_fields}
        lines += [f"## {name}\n", *_paragraphs(inspect.getdoc(package) or "")]
        lines += _table(own, None)
    return "\n".join(lines).rstrip() + "\n"


def keeping_page() -> str:
    """docs/keeping.md: what is kept how long, type by type."""
    lines = ["# Keeping", MADE, *_paragraphs(KEEPING)]
    lines += ["## Defaults\n", *_paragraphs(inspect.getdoc(policy) or "")]
    lines += ["Seconds; a type that is not named has the last row.\n"]
    header = ["Type", *[f"`{part}`" for part in policy.PARTS]]
    lines += [_row(header), "|" + "---|" * len(header)]
    for cls, kept in sorted(policy.DEFAULTS.items(), key=lambda pair: pair[0].__name__):
        lines.append(_policy_row(f"`{cls.__name__}`", kept))
    return "\n".join([*lines, _policy_row("all others", policy.DEFAULT)]) + "\n"


def _policy_row(name: str, kept: Policy) -> str:
    values = [getattr(kept, part) for part in policy.PARTS]
    return _row([name, *[str(v).lower() if isinstance(v, bool) else f"{v:g}" for v in values]])


PAGES = {
    "keeping.md": keeping_page,
    "settings.md": settings_page,
    "errors.md": errors_page,
    "adapters.md": adapters_page,
}


def _tree(cls: type[CrossdockError]) -> Iterator[type[CrossdockError]]:
    """The classes of schema.errors below one; those of the gateway carry the codes above."""
    if cls.__module__ == errors.__name__:
        yield cls
    for inner in cls.__subclasses__():
        yield from _tree(inner)


def _table(fields: dict[str, FieldInfo], prefix: str | None) -> list[str]:
    """A table of settings; with the variable's name where there is a prefix for it."""
    header = ["Setting", "Default", *(["Environment"] if prefix else []), "Meaning"]
    lines = [_row(header), "|" + "---|" * len(header)]
    for name, field in fields.items():
        variable = [f"`{prefix}{name.upper()}`"] if prefix else []
        lines.append(_row([f"`{name}`", _default(field), *variable, _cell(field.description or "")]))
    return [*lines, ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "required"
    if value is None or value in ((), "", {}, []):
        return ""
    if isinstance(value, BaseModel):
        return "its own"
    if isinstance(value, tuple):
        return f"`{json.dumps(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("``", "`").split())


def _paragraphs(docstring: str) -> list[str]:
    """A docstring as Markdown: reStructuredText's double backquotes become single ones."""
    return [docstring.replace("``", "`"), ""]


def main(folder: str) -> None:
    """Write every page into a folder."""
    for name, page in PAGES.items():
        Path(folder, name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:2] or ["docs"])
