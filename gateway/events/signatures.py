"""Is a message the system's own? Decided over the raw bytes, before anything reads them.

Standard Webhooks (standardwebhooks.com, 1.0): ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature``, which is
HMAC-SHA256 over ``id.timestamp.body``, several of them while a secret is changed. Its library decodes and parses the
body, takes one secret and five minutes; this is the same in bytes, for several secrets and a tolerance of one's own.
"""

import binascii
import hmac
import time
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from schema.errors import ConfigError
from sources.intake import IngestConfig

SECRET_PREFIX = "whsec_"  # noqa: S105 not a secret: what secrets of Standard Webhooks begin with
FEWEST_BYTES = 16
MOST_SIGNATURES = 20


class NotTheirs(Exception):
    """The message does not show that it is the system's own; the text says what is wrong, never what would be right."""


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """Checks the messages of one system. ``keys`` are its secrets, any of which is good."""

    config: IngestConfig
    keys: tuple[bytes, ...] = field(repr=False)
    clock: Callable[[], float] = time.time

    def admit(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raises NotTheirs. ``headers`` by lower-case name."""
        if self.config.auth == "standard-webhooks":
            self._standard(headers, body)
        elif self.config.auth == "hmac":
            self._hmac(headers, body)
        elif self.config.auth == "bearer":
            self._bearer(headers)

    def _standard(self, headers: Mapping[str, str], body: bytes) -> None:
        id, at, shown = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
        if not (id and at and shown):
            raise NotTheirs("webhook-id, webhook-timestamp or webhook-signature is missing")
        if not (at.isascii() and at.isdecimal() and len(at) < 16):
            raise NotTheirs("webhook-timestamp is no number of seconds")
        if abs(self.clock() - int(at)) > self.config.tolerance_seconds:
            raise NotTheirs("webhook-timestamp is too old or too early")
        signed = b".".join((id.encode("latin-1", "replace"), at.encode(), body))
        versioned = [one.partition(",") for one in shown.split(" ")[:MOST_SIGNATURES]]
        signatures = [_decoded(text, "base64") for version, _, text in versioned if version == "v1"]
        self._compare("sha256", signed, signatures)

    def _hmac(self, headers: Mapping[str, str], body: bytes) -> None:
        config = self.config
        shown = headers.get((config.header or "").lower(), "").strip()
        if not shown:
            raise NotTheirs(f"{config.header} is missing")
        if not shown.startswith(config.prefix):
            raise NotTheirs(f"{config.header} does not begin as agreed")
        self._compare(config.algorithm, body, [_decoded(shown[len(config.prefix) :], config.encoding)])

    def _bearer(self, headers: Mapping[str, str]) -> None:
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise NotTheirs("there is no Authorization: Bearer …")
        token = shown.strip().encode("latin-1", "replace")
        if not _any_of([hmac.compare_digest(token, key) for key in self.keys]):
            raise NotTheirs("the token is another")

    def _compare(self, algorithm: str, signed: bytes, signatures: Sequence[bytes]) -> None:
        expected = [hmac.digest(key, signed, algorithm) for key in self.keys]
        # Every pair is compared, so that the time tells nothing.
        if not _any_of([hmac.compare_digest(one, other) for one in expected for other in signatures]):
            raise NotTheirs("no signature is right")


def gatekeeper(code: str, config: IngestConfig, clock: Callable[[], float] = time.time) -> Gatekeeper:
    """The gatekeeper of a system, its secrets resolved. Raises ConfigError without any of them. May block."""
    texts = [secret.resolve() for secret in config.secrets]
    if config.auth != "standard-webhooks":
        return Gatekeeper(config, tuple(text.encode() for text in texts), clock)
    keys = []
    for number, text in enumerate(texts):
        key = _decoded(text.removeprefix(SECRET_PREFIX), "base64")
        if len(key) < FEWEST_BYTES:
            raise ConfigError(
                f"systems.{code}.ingest.secrets.{number}: not a secret of Standard Webhooks",
                hint=f"It is {SECRET_PREFIX} and the base64 of {FEWEST_BYTES} bytes or more.",
            )
        keys.append(key)
    return Gatekeeper(config, tuple(keys), clock)


def _decoded(text: str, encoding: str) -> bytes:
    """The bytes; none where they are not written so, which equals no signature."""
    try:
        if encoding == "hex":
            return bytes.fromhex(text) if text.isascii() else b""
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        return b""


def _any_of(found: Sequence[bool]) -> bool:
    return any(found)
