"""Who subscribes: what they may see, looked at again for every message, and until when."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from resolvers.context import Context
from sources.base import Written

MakeContext = Callable[[Written | None], Context]
"""The context of one message: fresh loaders, and what they must show at least."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One who subscribes. ``client`` is whose subscriptions are counted together.

    ``rights`` tells what they may see now: where that is no longer what they subscribed with, the subscription ends.
    ``ends_at`` is when their credentials expire, in seconds since the epoch. ``context`` must not hold the connection.
    """

    client: str
    rights: Callable[[], Hashable]
    context: MakeContext
    ends_at: float | None = None
