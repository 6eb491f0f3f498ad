"""The settings of partner webhooks: the table ``[webhooks]``."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sources.credentials import Secret


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError(f"{text[:50]!r} is no network; write 10.20.0.0/16 or 2001:db8::/32") from None
    return text


class WebhookSettings(BaseModel):
    """Which webhooks may be, where they may lead, and how long is tried."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: Secret | None = Field(
        default=None,
        description="What the secret of every webhook is derived from, by reference, 16 characters at least. Without it "
        "there are no webhooks; with another one every partner needs a new secret.",
    )
    allow: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        default=(),
        description='Networks that may be called although they are private: `["10.20.0.0/16"]`. Everything public may.',
    )
    allow_http: bool = Field(
        default=False, description="Whether plain http may be used; for a plant's own network."
    )
    timeout_ms: int = Field(default=15_000, ge=100, le=120_000, description="Longest wait for a receiver.")
    pause_after: int = Field(
        default=86_400,
        ge=60,
        description="Seconds of nothing but failures after which a webhook is paused.",
    )
    keep_delivered: int = Field(
        default=604_800, ge=60, description="Seconds for which a delivered message can be looked at."
    )
    keep_dead: int = Field(
        default=2_592_000,
        ge=60,
        description="Seconds for which a message that was given up can be sent again.",
    )
