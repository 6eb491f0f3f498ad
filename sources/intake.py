"""What a system's table says about how its changes reach us: messages that it sends, and lists that it is asked for."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sources.credentials import Secret


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IngestConfig(_Model):
    """How the system's messages at ``POST /ingest/CODE`` are known to be its own."""

    auth: Literal["standard-webhooks", "hmac", "bearer", "none"] = Field(
        description="How it shows who it is: Standard Webhooks signatures, an HMAC of the body in a header, a bearer "
        "token, or not at all (`none`, only where nobody but this machine reaches the gateway)."
    )
    secrets: tuple[Secret, ...] = Field(
        default=(),
        description="Secrets by reference; any of them is good, so that they can be changed one by one.",
    )
    header: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9-]+$", description="hmac: the header with the signature."
    )
    algorithm: Literal["sha256", "sha512", "sha1"] = Field(default="sha256", description="hmac: the hash.")
    encoding: Literal["hex", "base64"] = Field(
        default="hex", description="hmac: how the signature is written."
    )
    prefix: str = Field(default="", description="hmac: text before the signature, such as `sha256=`.")
    id_header: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header with the id of a message, where no envelope has one.",
    )
    tolerance_seconds: int = Field(
        default=300, ge=1, le=86_400, description="standard-webhooks: how old or early a timestamp may be."
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1024, description="Largest body, in bytes.")
    max_messages: int = Field(default=1000, ge=1, description="Most messages in one body.")

    @model_validator(mode="after")
    def _complete(self) -> "IngestConfig":
        if (self.auth == "none") == bool(self.secrets):
            wanted = (
                'leave out secrets with auth = "none"' if self.secrets else "name at least one of secrets"
            )
            raise ValueError(wanted)
        if (self.auth == "hmac") != (self.header is not None):
            raise ValueError(
                "auth = hmac needs header, the name of the one with the signature; no other takes it"
            )
        return self


class ChangesConfig(_Model):
    """A list that is asked for what changed, where the system does not tell by itself."""

    search: str = Field(description="The list; it must take the filter changed_since.")
    min_seconds: float = Field(default=5, ge=0.05, description="Shortest wait between two looks.")
    max_seconds: float = Field(default=300, ge=0.05, description="Longest wait, where nothing changes.")
    overlap_seconds: float = Field(
        default=120,
        ge=0,
        description="How far a look reaches back behind the latest change seen: what is written down late, and what has "
        "the same time as another, is not missed. What was told already is not told again.",
    )
    lookback_seconds: float = Field(
        default=86_400,
        ge=0,
        description="How far the first look reaches back; it tells only what the log knows older.",
    )
    page: int = Field(default=200, ge=1, description="Rows asked for at once.")
    always: bool = Field(default=False, description="Look even while nobody waits for changes.")

    @model_validator(mode="after")
    def _ordered(self) -> "ChangesConfig":
        if self.max_seconds < self.min_seconds:
            raise ValueError("max_seconds is less than min_seconds")
        return self
