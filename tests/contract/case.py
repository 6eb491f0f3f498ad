"""What an adapter brings to the contract suite: its sim, its settings, and what the sim is known to hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sources.base import Filter, Source
from tests.contract.faults import App


@dataclass(frozen=True, slots=True)
class Case:
    """One adapter against its own sim."""

    name: str
    source: type[Source]
    sim: Callable[[], App]
    """A fresh sim."""
    settings: Callable[[str, str], dict[str, Any]]
    """Base URL and secret → the ``[systems.CODE]`` table."""
    secret: str
    """The secret the sim takes; it must never be seen in a log or an error."""
    read: str
    """A batched read whose first part is found by id, and some keys that the sim knows."""
    keys: tuple[str, ...]
    unknown: Callable[[int], str]
    """Keys of the same kind that the sim does not know."""
    search: str
    """A list, and how many rows it has under these filters."""
    total: int
    filters: Mapping[str, Filter] = field(default_factory=dict)
    page: int = 2
    calls_per_batch: int = 1
    """Requests that one batch of ``max_keys`` costs."""
