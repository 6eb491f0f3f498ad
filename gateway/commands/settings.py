"""The settings of writes: the table ``[writes]``."""

from pydantic import BaseModel, ConfigDict, Field


class WriteSettings(BaseModel):
    """How long writes are tried, and what of them is kept. They need ``database_url``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep_keys: int = Field(
        default=86_400,
        ge=60,
        description="Seconds for which the same idempotency key gets the first answer. A write that is still under way "
        "keeps its key for longer.",
    )
    give_up_after: float = Field(
        default=86_400,
        gt=0,
        description="Seconds after which a write that could not be delivered is given up (DEAD_LETTERED).",
    )
    first_delay: float = Field(
        default=1, gt=0, description="Seconds until the second try; the wait doubles from try to try."
    )
    longest_delay: float = Field(default=300, gt=0, description="Longest wait in seconds between two tries.")
    settle: float = Field(
        default=30,
        ge=0,
        description="Seconds that an owner may still be at work on a write after it was no longer waited for: only after "
        "them does its absence there prove that it was not carried out.",
    )
    reconcile_after: float = Field(
        default=30, ge=0, description="Seconds after which an applied write is looked for once more."
    )
    lease: float = Field(
        default=10,
        gt=0.2,
        description="Seconds after which another worker takes over what a dead one was at.",
    )
    keep: int = Field(
        default=7_776_000, ge=3600, description="Seconds for which finished writes are kept to be shown."
    )
