"""Credentials of a system: where its secrets are kept, how it wants to be convinced of them, and how it is trusted.

A secret is named by reference, never written down: ``{env = "X"}``, ``{file = "/run/secrets/x"}`` or
``{command = ["pass", "show", "x"]}``. A literal ``{value = "demo"}`` is allowed only for a system on this machine.
"""

import os
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from schema.errors import ConfigError

COMMAND_SECONDS = 10


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(_Model):
    """A secret by reference; exactly one of the four is given."""

    env: str | None = Field(default=None, description="Environment variable that holds it.")
    file: Path | None = Field(default=None, description="File that holds it; surrounding blanks are dropped.")
    command: tuple[str, ...] | None = Field(default=None, description="Program that prints it.")
    value: SecretStr | None = Field(default=None, description="The secret itself: loopback systems only.")

    @model_validator(mode="after")
    def _one(self) -> "Secret":
        given = [name for name in ("env", "file", "command", "value") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"name one of env, file, command or value, not {' and '.join(given) or 'none'}")
        return self

    def resolve(self) -> str:
        """The secret itself; raises ConfigError, without any of it, where it cannot be had. May block."""
        if self.value is not None:
            return self.value.get_secret_value()
        if self.env is not None:
            return self._found(os.environ.get(self.env), f"environment variable {self.env}")
        if self.file is not None:
            return self._found(self._read(self.file), f"file {self.file}")
        return self._found(self._run(self.command or ()), f"command {(self.command or ('',))[0]}")

    def _found(self, text: str | None, place: str) -> str:
        if text is None or not text.strip():
            raise ConfigError(f"no secret in {place}", hint="set it, or name the place where it is")
        return text.strip()

    def _read(self, path: Path) -> str | None:
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"secret file {path} cannot be read: {error.strerror}") from error

    def _run(self, command: tuple[str, ...]) -> str | None:
        try:
            done = subprocess.run(  # noqa: S603 - the operator's own command, no shell
                command, capture_output=True, timeout=COMMAND_SECONDS, check=True, text=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            reason = type(error).__name__
            raise ConfigError(f"secret command {command[:1]} failed: {reason}") from error
        return done.stdout


class NoAuth(_Model):
    """The system asks for no credentials."""

    type: Literal["none"] = "none"


class Basic(_Model):
    """User and password (RFC 7617)."""

    type: Literal["basic"]
    username: str
    password: Secret


class Bearer(_Model):
    """A long-lived token in the Authorization header."""

    type: Literal["bearer"]
    token: Secret


class ApiKey(_Model):
    """A key in a header of its own."""

    type: Literal["api_key"]
    header: str = "X-API-Key"
    prefix: str = Field(default="", description="Text before the key, such as 'Token '.")
    key: Secret


class OAuth2(_Model):
    """OAuth2 client credentials (RFC 6749 4.4): a token is fetched, kept until shortly before it expires."""

    type: Literal["oauth2"]
    token_url: str = Field(description="Absolute, or a path below base_url.")
    client_id: str
    client_secret: Secret
    scope: str | None = None
    params: dict[str, str] = Field(default={}, description="Further form fields, such as audience.")
    send: Literal["basic", "body"] = Field(default="body", description="Where id and secret travel.")


Auth: TypeAlias = Annotated[NoAuth | Basic | Bearer | ApiKey | OAuth2, Field(discriminator="type")]


class Tls(_Model):
    """How an HTTPS system is trusted, and how we show who we are."""

    verify: bool = Field(default=True, description="Check the certificate; off only for systems on loopback.")
    ca_file: Path | None = Field(default=None, description="PEM bundle of a private authority.")
    cert_file: Path | None = Field(default=None, description="PEM client certificate.")
    key_file: Path | None = Field(default=None, description="PEM key of the client certificate.")

    def context(self) -> ssl.SSLContext:
        """The TLS context; raises ConfigError where a file cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"TLS files cannot be used: {error.strerror or type(error).__name__}"
            ) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def secrets_of(auth: Auth) -> Iterator[tuple[str, Secret]]:
    """The secrets of these credentials with the names of their settings."""
    for name in type(auth).model_fields:
        value = getattr(auth, name)
        if isinstance(value, Secret):
            yield name, value


def fixed_headers(auth: Auth, secret: str) -> dict[str, str]:
    """The headers that show these credentials with every request; none where tokens are fetched first."""
    if isinstance(auth, Basic):
        return {"Authorization": basic(auth.username, secret)}
    if isinstance(auth, Bearer):
        return {"Authorization": f"Bearer {secret}"}
    return {auth.header: f"{auth.prefix}{secret}"} if isinstance(auth, ApiKey) else {}


def basic(user: str, password: str) -> str:
    """User and password as the Authorization header has them."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def is_loopback(url: str) -> bool:
    """Whether a URL points at this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
