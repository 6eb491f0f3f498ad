"""The settings of subscriptions: the table ``[subscriptions]``."""

from pydantic import BaseModel, ConfigDict, Field


class SubscriptionSettings(BaseModel):
    """How many subscriptions there may be, and how much waits for one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_per_process: int = Field(default=5_000, ge=1, description="Most subscriptions of one process.")
    max_per_client: int = Field(
        default=1_000,
        ge=1,
        description="Most of one client in one process; a client is who asks, or the address where nobody is asked.",
    )
    queue_messages: int = Field(
        default=1_000,
        ge=1,
        description="Messages that may wait for one subscriber; who has more is ended with EVENTS_GAP and goes on from "
        "its last cursor.",
    )
    queue_bytes: int = Field(
        default=4_000_000, ge=1_000, description="Bytes that may wait for one subscriber; the same."
    )
    max_snapshot: int = Field(
        default=500, ge=1, description="Most objects whose present state a subscription may begin with."
    )
    drain_ms: int = Field(
        default=5_000,
        ge=0,
        description="When the gateway stops, its subscribers are told to come back at a random moment within this time.",
    )
