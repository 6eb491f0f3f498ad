"""The table ``[systems.CODE]`` of a system spoken to by configuration alone."""

from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from sources.http import HttpConfig
from sources.rest.command_spec import CommandSpec
from sources.rest.spec import EventSpec, Model, RowSpec, UnitSpec
from sources.spelling import Spelling

SINGLE = frozenset({"changed_since", "due_from", "due_to", "window_from", "window_to", "search"})
"""Filters that carry one value and no choice."""


class KeysSpec(Model):
    """How the keys of a batch travel in one call."""

    param: str | None = Field(default=None, description="Query parameter that carries them.")
    body: str | None = Field(
        default=None, description="Dotted place in the JSON body that carries them as a list."
    )
    each: str | dict[str, str] | None = Field(
        default=None,
        description='One key, "{number}" or an object of such; the last part of the key if not said.',
    )
    join: str | None = Field(default=None, description="Separator; without one the parameter is repeated.")
    wrap: str = Field(default="{}", description='Around the joined keys, such as "({})".')
    quote: Literal["none", "odata"] = Field(default="none", description="odata doubles single quotes.")

    @model_validator(mode="after")
    def _place(self) -> "KeysSpec":
        if (self.param is None) == (self.body is None):
            raise ValueError("keys travel either in param or in body: name one")
        if self.param is not None and isinstance(self.each, dict):
            raise ValueError("objects travel in body, not in param")
        return self


class ErrorSpec(Model):
    """How the system tells trouble inside an answer of status 200."""

    path: str = Field(description="Set where there is trouble.")
    message: str | None = Field(default=None, description="Path of what it says about it.")
    missing: tuple[str, ...] = Field(default=(), description="Values of path that only mean: not known.")


class CallSpec(Model):
    """One HTTP call and where the rows are in its answer."""

    row: str = Field(description="What one row of the answer says: a name of [systems.CODE.rows].")
    method: Literal["GET", "POST", "QUERY"] = "GET"
    path: str = Field(description="Path below base_url; {names} are parts of the key.")
    params: dict[str, str] = Field(default={}, description="Further query parameters.")
    headers: dict[str, str] = Field(default={}, description="Further headers.")
    body: dict[str, Any] | None = Field(default=None, description="Further JSON body.")
    wanted: dict[str, dict[str, str]] = Field(
        default={},
        description="Parameters to add where a class is wanted; the same parameter is joined by commas.",
    )
    rows: str = Field(default="", description="Path of the rows in the answer; empty: the answer itself.")
    row_error: ErrorSpec | None = None
    error: ErrorSpec | None = None

    @field_validator("path")
    @classmethod
    def _rooted(cls, path: str) -> str:
        if not path.startswith("/"):
            raise ValueError(f"path {path!r} begins with a slash: it is put behind base_url")
        return path


class PagingSpec(Model):
    """How a list goes on."""

    style: Literal["none", "offset", "page", "cursor", "link", "next"]
    size: str | None = Field(default=None, description="Parameter for the page size.")
    offset: str | None = Field(default=None, description="offset: parameter for the rows to skip.")
    page: str | None = Field(default=None, description="page: parameter for the number of the page.")
    first_page: int = Field(default=1, description="page: number of the first one.")
    cursor: str | None = Field(default=None, description="cursor: parameter for it.")
    next: str | None = Field(default=None, description="cursor, next: path of the next cursor or address.")
    header: str | None = Field(
        default=None, description="cursor: header of the next cursor, instead of next."
    )
    total: str | None = Field(default=None, description="Path of the number of all rows.")
    total_header: str | None = Field(default=None, description="Header of the number of all rows.")
    place: Literal["query", "body"] = Field(
        default="query", alias="in", description="Where its parameters travel."
    )

    @model_validator(mode="after")
    def _complete(self) -> "PagingSpec":
        needs = {
            "offset": ("offset", "size"),
            "page": ("page", "size"),
            "cursor": ("cursor",),
            "next": ("next",),
        }
        for name in needs.get(self.style, ()):
            if getattr(self, name) is None:
                raise ValueError(f"paging of style {self.style} needs {name}")
        if self.style == "cursor" and (self.next is None) == (self.header is None):
            raise ValueError("paging of style cursor needs next (a path) or header: name one")
        return self


class ReadSpec(CallSpec):
    """A batch of keys in, canonical rows out."""

    parts: tuple[str, ...] = Field(min_length=1, description='Classes it delivers: "Operation* by order".')
    key: tuple[str, ...] | None = Field(
        default=None,
        description='Names of the parts of the key, with their spelling: ["plant", "number:order"].',
    )
    keys: KeysSpec | None = Field(
        default=None, description="How keys travel; without it one call is made a key."
    )
    group: tuple[str, ...] = Field(
        default=(), description="One call for each value of these parts of the key."
    )
    max_keys: int = Field(default=100, ge=1, description="Most keys in one call.")
    parallel: int = Field(default=8, ge=1, description="Most calls at once, where a batch costs several.")
    echo: bool = Field(default=False, description="Rows belong to the asked key, whatever they say.")
    paging: PagingSpec = Field(default=PagingSpec(style="none"), description="How a long answer goes on.")
    page_size: int = Field(default=500, ge=1, description="Rows asked for in one page.")
    max_pages: int = Field(default=20, ge=1, description="More pages than this are an error, no cut list.")
    missing: tuple[int, ...] = Field(
        default=(404,), description="Statuses that mean: not known (a call a key)."
    )


class FilterSpec(Model):
    """How one filter of a list travels."""

    param: str | None = Field(
        default=None, description="Query parameter, or place in the body where in = body."
    )
    clause: str | None = Field(
        default=None, description="Clause of the list's filter parameter, with {} for the value."
    )
    join: str | None = Field(
        default=None, description="Separator of several values; without one it is repeated."
    )
    each: str | None = Field(
        default=None, description='One value where it is a key of several parts: "{1}" is the second part.'
    )
    key: str | Spelling | None = Field(default=None, description="Spelling of the values.")
    codes: str | dict[str, str] | None = Field(default=None, description="The system's code = ours.")
    format: str = Field(
        default="iso", description="Of times: iso, epoch_s, epoch_ms, odata or a strftime pattern."
    )
    zone: str | None = Field(default=None, description="Zone in which a time is written; UTC if not said.")

    @model_validator(mode="after")
    def _place(self) -> "FilterSpec":
        if (self.param is None) == (self.clause is None):
            raise ValueError("a filter travels either as param or as clause: name one")
        return self


class SearchSpec(CallSpec):
    """A list, page by page."""

    read: str | None = Field(
        default=None, description="The read whose rows these are; its parts are taken over."
    )
    row: str = ""
    parts: tuple[str, ...] = Field(
        default=(), description="Classes it delivers, where there is no such read."
    )
    paging: PagingSpec = PagingSpec(style="none")
    filters: dict[str, FilterSpec] = Field(default={}, description="Filters the system evaluates itself.")
    filter_param: str = Field(default="$filter", description="Parameter of clauses.")
    filter_join: str = Field(default=" and ", description="Between clauses.")
    max_page: int = Field(default=100, ge=1, description="Most rows in one page.")

    def filters_are_texts(self, param: str) -> bool:
        """Whether a place in the body takes one text (joined, or a time) and not a list."""
        named = [(name, one) for name, one in self.filters.items() if one.param == param]
        return any(one.join is not None or name in SINGLE for name, one in named)

    @model_validator(mode="after")
    def _parted(self) -> "SearchSpec":
        if self.read is None and not (self.parts and self.row):
            raise ValueError("a search names the read whose rows these are, or its own row and parts")
        return self


class PingSpec(Model):
    """Something cheap to ask."""

    path: str
    params: dict[str, str] = Field(default={}, description="Query parameters.")


class RestConfig(HttpConfig):
    """A JSON-over-HTTP system: where it is, how it spells things, what can be asked and what the answers say."""

    time_zone: str | None = Field(default=None, description="Zone of times without one.")
    units: dict[str, str | UnitSpec] = Field(default={}, description="The system's unit = UN/ECE code.")
    codes: dict[str, dict[str, str]] = Field(default={}, description="Named maps: the system's code = ours.")
    spellings: dict[str, Spelling] = Field(default={}, description="Named spellings of kinds of keys.")
    error_message: str | None = Field(default=None, description="Path of the message in refusals (4xx).")
    ping: PingSpec | None = Field(default=None, description="Cheap call for health; else one is derived.")
    rows: dict[str, RowSpec] = Field(description="What one row of a payload says.")
    reads: dict[str, ReadSpec] = Field(description="What can be asked by keys.")
    searches: dict[str, SearchSpec] = Field(default={}, description="What can be listed.")
    events: dict[str, EventSpec] = Field(default={}, description="What its messages say.")
    commands: dict[str, CommandSpec] = Field(default={}, description="What can be written, by action.")

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str | None) -> str | None:
        if name is not None:
            check_zone(name)
        return name


def check_zone(name: str) -> ZoneInfo:
    """The time zone of this name; raises ValueError with the name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not a time zone; write one such as Europe/Berlin") from error
