"""What may be set about keeping: the table ``[cache]``."""

from pydantic import BaseModel, ConfigDict, Field

from sources.keeping import CacheRule


class CacheSettings(BaseModel):
    """What is kept of the systems' answers, and where; how long, each system's own table says first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_entries: int = Field(
        default=100_000,
        ge=0,
        description="Most values kept in a process; 0 keeps none there, nor whole answers.",
    )
    max_bytes: int = Field(
        default=256_000_000, ge=0, description="Most bytes they may take (estimated by samples)."
    )
    answers_max_bytes: int = Field(
        default=64_000_000,
        ge=0,
        description="Most bytes of whole answers that a process keeps and gives again, each while every value in it "
        "is fresh and none was invalidated; 0 keeps none.",
    )
    window_ms: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="How long keys wait for others to leave with, while a system is being asked already; 0 is the "
        "running turn of the loop.",
    )
    types: dict[str, CacheRule] = Field(
        default={}, description='A rule for each type, for all systems; `"*"` for all other types.'
    )
