"""Who takes a write, and the policy around every write: one attempt, and the truth about how it ended.

A write goes to a system of its owner's kind that serves the plant and offers the command. Nothing here sends twice. What
ends an attempt is one of three: it was refused (``CommandRefused``), it was surely not carried out (``SourceError``), or
nobody knows (``OutcomeUnknown``): the adapter says which; whatever goes wrong around it once it began is unknown.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeAlias, TypeVar

from schema.base import is_scoped, split_key
from schema.commands import Action, CommandRefused, OutcomeUnknown
from schema.errors import SourceError, SourceTimeout
from sources.base import Lane
from sources.catalog import Catalog, System
from sources.commands import Command, CommandPort, Receipt

T = TypeVar("T")
Outward: TypeAlias = Callable[[str, type, str], str | None]
"""Our key as reads ask a system for it (system, class, key); None where it has none of that name."""


def unchanged(system: str, kind: type, key: str) -> str | None:
    """The crosswalk of a gateway that keeps none."""
    return key


class _Unanswered(SourceTimeout):
    """To the breaker, a write whose end nobody knows is a call without an answer."""


@dataclass(frozen=True, slots=True)
class Taker:
    """A system that takes a command; ``send`` and ``probe`` have all policy around them."""

    system: System
    port: CommandPort
    outward: Outward

    @property
    def code(self) -> str:
        """The code of the system."""
        return self.system.code

    @property
    def timeout(self) -> float:
        """Longest time in seconds that one attempt takes once it began."""
        return float(self.system.source.config.timeout_ms) / 1000

    def parts(self, kind: type, key: str) -> tuple[str, ...] | None:
        """The key as the system is asked by it; None where the crosswalk says that it has none of that name."""
        theirs = self.outward(self.code, kind, key)
        return None if theirs is None else split_key(theirs)

    async def send(self, command: Command, lane: Lane = Lane.APP) -> Receipt:
        """Carry a command out, once. Raises CommandRefused, OutcomeUnknown or SourceError (surely not carried out)."""
        return await self._once(command, lane, self.port.send, risky=True)

    async def probe(self, command: Command, lane: Lane = Lane.BACKGROUND) -> Receipt | None:
        """Whether a command was carried out; None where it surely was not. Raises SourceError where nobody can tell."""
        if self.port.probe is None:
            raise SourceError(f"{self.code} offers no way to find out what became of {self.port.name}")
        return await self._once(command, lane, self.port.probe, risky=False)

    async def _once(
        self, command: Command, lane: Lane, call: Callable[[Command], Awaitable[T]], *, risky: bool
    ) -> T:
        attempt = _Attempt(call, command)
        try:
            return await self.system.guard.once(self.port.name, lane, command.deadline, attempt.run)
        except SourceError as error:
            if attempt.told is not None:
                raise attempt.told from error
            if risky and attempt.began and error is not attempt.said:
                raise OutcomeUnknown(f"{error}; nobody knows whether it was carried out") from error
            raise
        finally:
            attempt.told = attempt.said = None


class _Attempt(Generic[T]):
    """One attempt: whether it began, and what the adapter itself said of its end.

    A refusal is an answer and goes round the guard, which would take it for a mistake of the adapter's.
    """

    def __init__(self, call: Callable[[Command], Awaitable[T]], command: Command) -> None:
        self._call, self._command = call, command
        self.began = False
        self.said: SourceError | None = None
        self.told: CommandRefused | OutcomeUnknown | None = None

    async def run(self, limit: float) -> T:
        """The adapter's answer."""
        self.began = True
        try:
            return await self._call(replace(self._command, deadline=limit))
        except OutcomeUnknown as error:
            self.told = error
            raise _Unanswered(str(error)) from error
        except CommandRefused as error:
            self.told = error
            raise _Refused(str(error)) from error
        except SourceError as error:
            self.said = error
            raise


class _Refused(SourceError):
    """To the breaker, a refusal is an answer."""


class Takers:
    """All commands that the connected systems take."""

    def __init__(self, catalog: Catalog, outward: Outward = unchanged) -> None:
        self._outward = outward
        self._taken: dict[str, list[Taker]] = {}
        for system in catalog.systems.values():
            for port in system.source.commands():
                self._taken.setdefault(port.name, []).append(Taker(system, port, outward))

    def of(self, action: Action, key: str) -> list[Taker]:
        """The systems of the owner's kind that take an action on a key, in the order of the configuration."""
        plant = key.partition("/")[0] if is_scoped(action.target, "id") else None
        return [
            taker
            for taker in self._taken.get(action.name, ())
            if taker.system.source.config.kind is action.owner
            and (plant is None or taker.system.serves(plant))
        ]

    def at(self, system: str, name: str) -> Taker | None:
        """A command of one system."""
        return next((taker for taker in self._taken.get(name, ()) if taker.code == system), None)
