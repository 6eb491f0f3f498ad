"""The settings of the event log: the table ``[events]``."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from sources.settings import SystemConfig


class EventSettings(BaseModel):
    """Where events are kept, how long and how many."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = Field(
        default=None,
        description="The file in which events are kept, such as `/var/lib/crossdock/events.db`; all workers of this "
        "machine share it. Without it, and without `redis_url`, each process keeps its own in memory, and they are gone "
        "after a restart. With `redis_url` events are kept there, as durable as that Redis is: with `appendonly yes` and "
        "`appendfsync always` none is lost.",
    )
    max_age: int = Field(
        default=604_800,
        ge=60,
        description="Seconds for which an event is kept after it came: who comes back later must read the state anew.",
    )
    max_events: int = Field(
        default=1_000_000,
        ge=100,
        description="Most events that are kept, about 1.4 kB each in Redis; the oldest go first.",
    )
    max_parked: int = Field(
        default=10_000,
        ge=1,
        description="Most messages that are kept though they could not become events; the oldest go first.",
    )


def kept_where(events: EventSettings, redis_url: str | None, workers: int) -> list[str]:
    """What an operator should know about where events are kept, at every start."""
    if redis_url is not None:
        unused = "Events are kept in Redis (redis_url); path in [events] is not used."
        return [] if events.path is None else [unused]
    if events.path is not None:
        return []
    apart = ", and each of the workers tells only of those that came to it" if workers > 1 else ""
    return [
        f"Events are kept in memory: they are gone after a restart{apart}. Set path in [events], or redis_url."
    ]


def unsigned(systems: Mapping[str, SystemConfig]) -> list[str]:
    """The systems whose messages are taken from anybody."""
    return [code for code, one in systems.items() if one.ingest is not None and one.ingest.auth == "none"]


def taken_from_anybody(systems: Mapping[str, SystemConfig]) -> list[str]:
    """What an operator should know about who may send messages, at every start."""
    return [
        f'{code}: ingest.auth = "none": whoever reaches the gateway may send messages in its name.'
        for code in unsigned(systems)
    ]
