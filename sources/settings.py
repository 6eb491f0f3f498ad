"""What every system's table may say, whatever the adapter."""

from pydantic import BaseModel, ConfigDict, Field, field_validator

from schema.base import KEYS, SystemKind
from sources.intake import ChangesConfig, IngestConfig
from sources.keeping import CacheRule
from sources.policy import Budget, LaneShares, Rate
from sources.references import KINDS
from sources.spelling import Spelling


class SystemConfig(BaseModel):
    """What every ``[systems.CODE]`` table may say; adapters add their own settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = Field(description="Code of the system, the name of its table.")
    adapter: str = Field(
        description="Which adapter speaks to it: rest, tryton, or one from an installed package."
    )
    kind: SystemKind = Field(description="What the system is: ERP, MES, WMS, QMS, TMS, CMMS or SUPPLIER.")
    vendor: str = Field(default="", description="Product and release, for people.")
    plants: tuple[str, ...] = Field(default=(), description="Plants it serves; none named means all.")
    timeout_ms: int = Field(default=2000, ge=10, description="Longest wait for one call, retries included.")
    concurrency: int = Field(default=16, ge=1, description="Most calls at once.")
    lanes: LaneShares = Field(
        default=LaneShares(), description="Shares of the less urgent callers: app, analytics, background."
    )
    rate: Rate | None = Field(
        default=None, description="Most requests in a time: every try, page and request a key counts."
    )
    budgets: tuple[Budget, ...] = Field(
        default=(),
        description="Windows of time in which it takes only so many requests, such as the month-end close.",
    )
    retries: int = Field(
        default=2, ge=0, le=10, description="Further tries of a read that failed for a moment."
    )
    breaker_failures: int = Field(default=5, ge=1, description="Failures in a row that open the circuit.")
    breaker_seconds: float = Field(
        default=5.0, gt=0, description="How long the circuit stays open before a probe."
    )
    shared_calls: bool = Field(
        default=True,
        description="Whether several requests may share one call; off where an answer is for one asker only.",
    )
    cache: dict[str, CacheRule] = Field(
        default={},
        description='How long its values may be kept: a rule for each type of the model, `"*"` for all others.',
    )
    keys: dict[str, dict[str, Spelling]] = Field(
        default={},
        description='How it spells keys: kind → part → spelling, such as `Lot = { number = { case = "upper" } }`. '
        "Not needed where the adapter's own tables say it (rest: `spellings`).",
    )

    ingest: IngestConfig | None = Field(
        default=None,
        description="How its messages at `POST /ingest/CODE` are known to be its own; without it there is no such place.",
    )
    changes: dict[str, ChangesConfig] = Field(
        default={}, description="Lists that are asked for what changed, by a name of your choice."
    )

    @field_validator("keys")
    @classmethod
    def _known_parts(cls, keys: dict[str, dict[str, Spelling]]) -> dict[str, dict[str, Spelling]]:
        for kind, parts in keys.items():
            if kind not in KINDS:
                raise ValueError(f"{kind!r} is no kind of key; there are {', '.join(sorted(KINDS))}")
            known = KEYS[KINDS[kind]]["id"]
            for part in parts:
                if part not in known:
                    raise ValueError(f"{part!r} is no part of the key of {kind}; it has {', '.join(known)}")
        return keys
