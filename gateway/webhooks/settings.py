"""The settings of partner webhooks: the table ``[webhooks]``."""

from ipaddress import ip_network
from typing import Annotated, Any

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


def written_out(webhooks: WebhookSettings, *, local: bool) -> list[tuple[tuple[str, ...], Any, str, str]]:
    """What is wrong with a secret that stands in the settings; it may where only this machine reaches the gateway."""
    secret = webhooks.secret
    if secret is None or secret.value is None:
        return []
    mend = 'Name the place where it is: secret = {env = "CROSSDOCK_WEBHOOK_SECRET"}.'
    if not local:
        return [(("webhooks", "secret"), "…", "is written out, for a gateway that the network reaches", mend)]
    return []


def forgotten(webhooks: WebhookSettings, *, kept: bool) -> list[str]:
    """What to say where webhooks do not survive a restart."""
    if webhooks.secret is None or kept:
        return []
    return ["Webhooks are kept in memory: they are gone after a restart. Set database_url to keep them."]
