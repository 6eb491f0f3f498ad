"""The tables ``[systems.CODE.commands.NAME]``: how a write is said to a system, and what its answers mean."""

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from schema.integration import UserErrorCode
from sources.rest.spec import Model

REFUSALS = {
    400: UserErrorCode.SOURCE_REJECTED,
    404: UserErrorCode.NOT_FOUND,
    409: UserErrorCode.CONFLICT,
    412: UserErrorCode.CONFLICT,
    422: UserErrorCode.SOURCE_REJECTED,
    428: UserErrorCode.CONFLICT,
}
"""What statuses mean where the table does not say it; every other one of 4xx is SOURCE_REJECTED."""
ANSWERS = frozenset(range(400, 500)) - {401, 403, 408, 429}
"""Statuses that are the owner's word on this write; the others speak of the connection, the rights or the load."""


class ValueSpec(Model):
    """Where a value of the write goes, and how it is written. A string alone is ``put``."""

    put: str | None = Field(default=None, description="Dotted place in the JSON body.")
    param: str | None = Field(default=None, description="Query parameter, instead of a place in the body.")
    unit: str | None = Field(
        default=None, description="Of an amount: place of its unit, a parameter where param is named."
    )
    number: bool = Field(default=False, description="Of an amount: written as a JSON number, not as text.")
    codes: str | dict[str, str] | None = Field(
        default=None, description="Of a word: the system's code = ours, or the name of such a map."
    )
    format: str = Field(
        default="iso", description="Of a time: iso, epoch_s, epoch_ms, odata or a strftime pattern."
    )
    zone: str | None = Field(default=None, description="Zone in which a time is written; UTC if not said.")
    true: str | int | bool = Field(default=True, description="Of a flag: how yes is written.")
    false: str | int | bool = Field(default=False, description="Of a flag: how no is written.")

    @model_validator(mode="before")
    @classmethod
    def _text(cls, data: Any) -> Any:
        return {"put": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _place(self) -> "ValueSpec":
        if (self.put is None) == (self.param is None):
            raise ValueError("a value goes either to put or to param: name one")
        return self


class RefusedSpec(Model):
    """How an answer of status 200 says that nothing was done."""

    path: str = Field(description="Path of what tells it.")
    values: tuple[str, ...] = Field(
        default=(), description="Its values that mean a refusal; none: anything does."
    )
    message: str | None = Field(default=None, description="Path of what it says about it.")
    code: str | None = Field(default=None, description="Path of its own code.")
    codes: dict[str, UserErrorCode] = Field(default={}, description="Its own code = one of ours.")


class ProbeSpec(Model):
    """A GET that shows whether a write was carried out."""

    path: str = Field(description="Path below base_url, with the same words as the write.")
    params: dict[str, str] = Field(default={}, description="Query parameters.")
    rows: str = Field(default="", description="Path of what is looked through; empty: the answer itself.")
    match: dict[str, str] = Field(
        description='Path in a row = text, such as "{reference}": a row with all of them is the write.'
    )
    document: str | None = Field(default=None, description="Path in the row of the document's number.")
    version: str | None = Field(default=None, description="Path in the row of the object's version.")
    missing: tuple[int, ...] = Field(default=(404,), description="Statuses that mean: no trace of it.")

    @field_validator("match")
    @classmethod
    def _some(cls, match: dict[str, str]) -> dict[str, str]:
        if not match:
            raise ValueError("a probe says by what it knows the write: name a path and its text")
        return match


class CommandSpec(Model):
    """One write: the call, the values in it, and what the answer says."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    path: str = Field(description="Path below base_url; {words}: the parts of the key, {reference}, {key}.")
    key: tuple[str, ...] = Field(
        default=(),
        description='Names of the parts of the key, with their spelling: ["plant", "number:order"].',
    )
    params: dict[str, str] = Field(default={}, description="Query parameters.")
    headers: dict[str, str] = Field(default={}, description="Further headers.")
    body: dict[str, Any] | None = Field(default=None, description="JSON body, with words.")
    values: dict[str, ValueSpec] = Field(default={}, description="Where the values of the write go.")
    ignores: tuple[str, ...] = Field(
        default=(), description="Values that the system has no place for, and that may be dropped."
    )
    key_header: str | None = Field(
        default=None,
        description="Header for the key of the write, where the system does the same thing once only: the write may "
        "then be sent again.",
    )
    version_header: str | None = Field(
        default=None, description="Header for the expected version, such as If-Match."
    )
    applied: bool = Field(
        default=True, description="Whether a good answer means done; false: taken in, done later."
    )
    refused: RefusedSpec | None = None
    error_code: str | None = Field(default=None, description="Path of the system's code in a refusal (4xx).")
    statuses: dict[int, UserErrorCode] = Field(
        default={}, description="Status of a refusal = what it means, where it is not the usual."
    )
    not_done: tuple[int, ...] = Field(
        default=(),
        description="Statuses (5xx) of which the system promises that nothing was done; else nobody knows then.",
    )
    document: str | None = Field(default=None, description="Path of the document's number in the answer.")
    version: str | None = Field(default=None, description="Path of the object's version in the answer.")
    answer_version_header: str | None = Field(
        default=None, description="Header of the answer with the object's version, such as ETag."
    )
    probe: ProbeSpec | None = None

    @field_validator("path")
    @classmethod
    def _rooted(cls, path: str) -> str:
        if not path.startswith("/"):
            raise ValueError(f"path {path!r} begins with a slash: it is put behind base_url")
        return path

    @field_validator("not_done")
    @classmethod
    def _of_the_server(cls, statuses: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 500 <= status <= 599 for status in statuses):
            raise ValueError("only statuses of 500 to 599 need such a promise")
        return statuses
