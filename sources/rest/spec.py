"""The words of a mapping: how one attribute of a canonical class is made from a raw row.

A plain string is a dotted path. Everything else is a table of options, one model here, checked before the first call.
"""

import re
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sources.spelling import Spelling

HOLE = re.compile(r"\{([^{}]*)\}")
"""A path in a template."""
Condition: TypeAlias = str | int | bool | tuple[str | int | bool, ...]


class Model(BaseModel):
    """A table of the mapping language: unknown words are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class UnitSpec(Model):
    """A unit of the system that is a fixed part or multiple of a standard unit."""

    unit: str
    factor: str = Field(default="1", pattern=r"^\d+(\.\d+)?$")


class Rule(Model):
    """If all conditions of ``when`` hold, the value is ``then``."""

    when: dict[str, Condition]
    then: str | int | bool


class FieldSpec(Model):
    """How one attribute is made. A string alone is its ``path``."""

    path: str | tuple[str, ...] | None = Field(
        default=None, description="Dotted path; of several the first set."
    )
    const: str | int | bool | None = Field(default=None, description="A fixed value.")
    template: str | None = Field(default=None, description='Text with paths: "{plant}-{number}".')
    ref: tuple[str, ...] | None = Field(default=None, description='Key of keys: ["plant", "order_no:order"].')
    rules: tuple[Rule, ...] | None = Field(default=None, description="First rule that holds decides.")
    flags: tuple[str, ...] | None = Field(default=None, description="Names of the flags that are set.")
    each: str | None = Field(
        default=None, description="Path of a list; the other options apply to its elements."
    )
    fields: "dict[str, FieldSpec] | None" = Field(default=None, description="Attributes of a nested object.")
    default: str | int | bool | None = Field(default=None, description="Canonical value where there is none.")
    null: tuple[str | int | bool, ...] = Field(default=(), description="Values that mean: none.")
    codes: str | dict[str, str] | None = Field(default=None, description="Map of codes, or the name of one.")
    key: str | Spelling | None = Field(default=None, description="Spelling of the key, or the name of one.")
    split: str | None = Field(default=None, description="Separator of a list written as one text.")
    format: str | tuple[str, ...] | None = Field(
        default=None,
        description="Of times: iso, epoch_s, epoch_ms, odata or a strptime pattern; several are tried.",
    )
    zone: str | None = Field(
        default=None, description="Time zone of naive times; else the system's time_zone."
    )
    time: str | None = Field(
        default=None, description="Path of the time of day, where the date stands alone."
    )
    quantity: str | None = Field(default=None, description="Path of the amount.")
    unit: "FieldSpec | None" = Field(default=None, description="Unit of the amount.")
    factor: str | None = Field(default=None, description="Amounts are in so many of the unit.")
    times: str | None = Field(default=None, description="Multiply the number by this.")
    duration: Literal["iso", "seconds", "minutes", "hours"] | None = Field(
        default=None, description="What a duration is written in."
    )
    true: tuple[str | int | bool, ...] | None = Field(default=None, description="Values that mean yes.")
    invert: bool = Field(default=False, description="Yes means no.")

    @model_validator(mode="before")
    @classmethod
    def _text(cls, data: Any) -> Any:
        return {"path": data} if isinstance(data, str) else data

    def paths(self) -> list[str]:
        """Every path in it but that of ``each``; those of nested objects are not told."""
        plain = (self.path,) if isinstance(self.path, str) else self.path or ()
        refs = [part.partition(":")[0] for part in self.ref or () if not part.startswith("=")]
        holes = [] if self.template is None else HOLE.split(self.template)[1::2]
        conditions = [path for rule in self.rules or () for path in rule.when]
        others = [path for path in (self.time, self.quantity) if path is not None]
        inner = [] if self.unit is None else self.unit.paths()
        return [*plain, *refs, *holes, *conditions, *others, *inner, *(self.flags or ())]


class ProvenanceSpec(Model):
    """Where a payload says how old it is and under which key it is known."""

    source_key: FieldSpec | None = None
    updated_at: FieldSpec | None = None
    version: FieldSpec | None = None


class TypeSpec(BaseModel):
    """How rows of one canonical class are made from a raw row; other words are its attributes."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, FieldSpec] = Field(init=False)

    each: str | tuple[str, ...] | None = Field(
        default=None,
        description='Path of a nested list: one row for each element; ["a", "b"] for lists in lists.',
    )
    where: dict[str, Condition] = Field(default={}, description="Only rows for which all of this holds.")
    provenance: ProvenanceSpec | None = Field(default=None, description="Its own provenance; else the row's.")

    def lists(self) -> tuple[str, ...]:
        """Paths of the nested lists, outermost first."""
        return (self.each,) if isinstance(self.each, str) else self.each or ()

    def attributes(self) -> dict[str, FieldSpec]:
        """Attribute → how it is made."""
        return self.__pydantic_extra__ or {}


class RowSpec(BaseModel):
    """What one raw row says: a table for every canonical class it speaks of."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, TypeSpec] = Field(init=False)

    provenance: ProvenanceSpec = Field(default=ProvenanceSpec(), description="Provenance of all its classes.")

    def types(self) -> dict[str, TypeSpec]:
        """Name of a canonical class → how it is made."""
        return self.__pydantic_extra__ or {}


class NamedSpec(BaseModel):
    """An object that a message names: its class, and how the parts of its key are made; other words are these parts."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, FieldSpec] = Field(init=False)

    type: str = Field(description="Class of the object, such as ProductionOrder.")
    each: str | tuple[str, ...] | None = Field(
        default=None, description="Path of a nested list: one object for each element."
    )

    def lists(self) -> tuple[str, ...]:
        """Paths of the nested lists, outermost first."""
        return (self.each,) if isinstance(self.each, str) else self.each or ()

    def attributes(self) -> dict[str, FieldSpec]:
        """Part of the key → how it is made."""
        return self.__pydantic_extra__ or {}


class EventSpec(Model):
    """What one kind of message says. Exactly one of ``type`` and ``reads`` is given."""

    match: dict[str, Condition] = Field(description="It is this kind where all of this holds.", min_length=1)
    each: str | tuple[str, ...] | None = Field(
        default=None, description="Path of a nested list: each element tells of something that happened."
    )
    where: dict[str, Condition] = Field(default={}, description="Only elements for which all of this holds.")
    type: str | None = Field(default=None, description="The canonical event that it tells.")
    reads: tuple[str, ...] = Field(
        default=(),
        description="It gives the key alone: classes to read of its subject, from which what happened is concluded.",
    )
    subject: NamedSpec = Field(
        description="What it is about; a plant that the message leaves out is found out."
    )
    touches: tuple[NamedSpec, ...] = Field(default=(), description="What else it concerns.")
    id: FieldSpec | None = Field(
        default=None,
        description="The system's own id of it; else the envelope's, where one message tells one thing.",
    )
    fact: tuple[FieldSpec, ...] = Field(
        default=(),
        description="Beside type and subject, what two messages that tell of the same have in common; "
        "else version, else occurred_at.",
    )
    occurred_at: FieldSpec | None = Field(
        default=None, description="When it happened, by the system's clock."
    )
    recorded_at: FieldSpec | None = Field(default=None, description="When the system wrote it down.")
    version: FieldSpec | None = Field(
        default=None, description="The system's version of the subject after it."
    )
    correlation: FieldSpec | None = Field(default=None, description="What joins it with others.")
    data: dict[str, FieldSpec] = Field(default={}, description="What the contract of the event has room for.")

    def lists(self) -> tuple[str, ...]:
        """Paths of the nested lists, outermost first."""
        return (self.each,) if isinstance(self.each, str) else self.each or ()

    @model_validator(mode="after")
    def _one(self) -> "EventSpec":
        if (self.type is None) == (not self.reads):
            raise ValueError(
                "a message tells an event (type) or that something must be read (reads): name one"
            )
        told = [name for name in ("touches", "fact", "version", "correlation", "data") if getattr(self, name)]
        if self.reads and told:
            raise ValueError(f"what is read tells {', '.join(told)}: leave it out beside reads")
        return self
