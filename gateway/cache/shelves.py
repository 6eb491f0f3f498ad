"""The shelves of one read: by class and by scope of rights, under names that are the same in all processes."""

from collections.abc import Mapping
from typing import Any

from gateway.cache.store import Shelf
from sources.base import Scope

MOST_SCOPES = 1000
"""More scopes than these are not remembered at a time; naming their shelves anew costs little."""


class Shelves:
    """The shelves of the read at a place (``SYSTEM/read``). ``types`` are the types of its cells, by class."""

    def __init__(self, place: str, types: Mapping[type, Any]) -> None:
        self._place = place
        self._types = types
        self._scopes: dict[Scope, dict[type, Shelf]] = {}

    def of(self, scope: Scope) -> dict[type, Shelf]:
        """Class → its shelf for a scope; scopes are few and live as long as their rights."""
        known = self._scopes.get(scope)
        if known is None:
            if len(self._scopes) >= MOST_SCOPES:
                self._scopes.clear()
            place = f"{self._place}/{_text(scope)}"
            known = self._scopes[scope] = {
                cls: Shelf(f"{place}/{cls.__name__}", kind) for cls, kind in self._types.items()
            }
        return known

    def lease(self, scope: Scope) -> Shelf:
        """Where it is noted who reads what for a scope."""
        return Shelf(f"{self._place}/{_text(scope)}", None)


def _text(scope: Scope) -> str:
    """A scope as part of a name: the same for the same rights, in every process."""

    def listed(values: frozenset[str] | None) -> str:
        return "*" if values is None else ",".join(sorted(value.replace(",", "%2C") for value in values))

    return f"{listed(scope.plants)};{listed(scope.parties)}"
