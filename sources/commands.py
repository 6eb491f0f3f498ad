"""The port for writes: what the gateway asks a system to do, and what the system may answer.

An adapter offers commands by name: those of ``schema.commands.ACTIONS`` that its system owns. ``send`` carries a command
out once and says what came of it; it never retries. ``probe`` finds out whether a command was carried out, by its key or
reference in the system; where there is no probe and the system does not honour keys, an outcome that is not known stays
so until a person decides.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Command:
    """One write. Values are JSON values in the words of the model (``schema.commands.Kind``).

    ``target`` is the id of the object in the gateway, ``parts`` its key as reads are asked by it: as the crosswalk calls
    it, and spelled already unless the adapter spells by itself. ``key`` is the same for
    every attempt and reaches the owner where it takes one; ``reference`` is shorter text (at most 32 characters) that
    goes into a field of the source document, so that a probe finds it. ``deadline`` is a ``time.monotonic()`` instant.
    """

    name: str
    target: str
    parts: tuple[str, ...]
    values: Mapping[str, Any]
    key: str
    reference: str
    deadline: float
    expected_version: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a system said to a command that it took.

    ``applied``: it is done (False: taken in, done later; a read must show it). ``document`` is the number of the source
    document, ``version`` the object's version after it, ``touches`` the ids of further objects that it changed.
    """

    applied: bool
    document: str | None = None
    version: str | None = None
    touches: tuple[str, ...] = ()


Send: TypeAlias = Callable[[Command], Awaitable[Receipt]]
"""Raises CommandRefused, OutcomeUnknown (sent, and no answer), or SourceError (not sent, or surely not carried out)."""
Probe: TypeAlias = Callable[[Command], Awaitable[Receipt | None]]
"""The receipt of a command that was carried out, None where it surely was not; raises SourceError where it cannot tell."""


@dataclass(frozen=True, slots=True)
class CommandPort:
    """A command that a system takes. ``keyed``: it honours the key, so that sending again does nothing twice.

    ``versioned``: it checks ``expected_version`` itself (If-Match).
    """

    name: str
    send: Send
    probe: Probe | None = None
    keyed: bool = False
    versioned: bool = False
