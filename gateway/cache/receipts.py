"""What a look into L1 brought, remembered so that the same look costs a comparison a cell instead of a search."""

from collections.abc import Callable, Sequence

from gateway.cache.memory import Column, Memory
from gateway.cache.policy import NEVER, Policy, fresh_of
from gateway.cache.store import Entry
from sources.base import Need, Scope, Tally

TOUCHED = 16
"""After so many uses a receipt is no good: a real look tells L1 that its entries are still of use."""


class CellsReceipt:
    """The entries that were given for some keys, as long as each is still the one that L1 would give."""

    __slots__ = ("_clock", "_column", "_entries", "_memory", "_policy", "_scope", "_uses")

    def __init__(
        self,
        memory: Memory,
        clock: Callable[[], float],
        policy: Policy,
        scope: Scope,
        entries: Sequence[Entry],
        column: Column,
    ) -> None:
        self._memory, self._clock = memory, clock
        self._policy, self._scope = policy, scope
        self._entries = tuple(entries)
        self._column = column
        self._uses = 0

    def good(self, need: Need, scope: Scope, tally: Tally) -> bool:
        """Whether a look would give the very same cells for this need and scope."""
        self._uses += 1
        if self._uses >= TOUCHED or need.written is not None:
            return False
        if scope is not self._scope and scope != self._scope:
            return False
        now, epoch, column = self._clock(), self._memory.marks.epoch, self._column
        fresh = fresh_of(self._policy, need, now)
        if column.oldest < fresh or column.oldest_absent < max(fresh, now - self._policy.negative_max_age):
            return False
        valid = self._memory.marks.valid
        for entry in self._entries:
            if entry.gone or (entry.checked != epoch and not valid(entry, now)):
                return False
        vouch(tally, self._policy, column)
        if tally.parts is not None:
            tally.parts.extend(self._entries)
        return True


def vouch(tally: Tally, policy: Policy, column: Column) -> None:
    """Count the cells of a look, and say for how long they hold."""
    tally.l1 += column.hits
    if column.oldest < NEVER:
        tally.lasts(policy.max_age, column.oldest)
    if column.oldest_absent < NEVER:
        tally.lasts(policy.negative_max_age, column.oldest_absent)
