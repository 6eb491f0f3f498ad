"""What a configuration may say about keeping a system's answers: one rule a type, each part of it optional."""

from pydantic import BaseModel, ConfigDict, Field

Seconds = float


class CacheRule(BaseModel):
    """How long values of one type may be kept, in seconds (RFC 9111, RFC 5861). What is left out, the default says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_age: Seconds | None = Field(
        default=None, ge=0, description="Fresh for so long; 0 means always asked."
    )
    stale_while_revalidate: Seconds | None = Field(
        default=None,
        ge=0,
        description="For so long after that, given at once, marked, while it is read anew.",
    )
    stale_if_error: Seconds | None = Field(
        default=None,
        ge=0,
        description="For so long after that, given, marked, where the system cannot answer.",
    )
    negative_max_age: Seconds | None = Field(
        default=None, ge=0, description="For so long it is believed that the system does not know a key."
    )
    never_stale: bool | None = Field(
        default=None, description="Never given past max_age, whatever happens: for what safety depends on."
    )
