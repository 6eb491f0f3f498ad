"""Tokens of writes: what a write gives out, and a later read shows so as to see it. Opaque to clients.

A token that this gateway cannot read (of another release, or of another gateway) is taken at its word in the strictest
way: everything is read as if it had been written when the request arrived.
"""

import base64
import math

import msgspec

from schema.errors import RequestError
from sources.base import Written

PREFIX = "wt_"
LONGEST = 512
"""Most characters of a token."""


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    at: float
    tags: list[str]
    system: str | None = None
    version: str | None = None
    before: str | None = None


def write_token(written: Written) -> str:
    """The token of a write. Where naming all that it touched would be too long, it touched everything."""
    rest = (written.system, written.version, written.before)
    text = _text(_Packed(written.at, sorted(written.tags), *rest))
    return text if len(text) <= LONGEST else _text(_Packed(written.at, []))


def _text(packed: _Packed) -> str:
    return PREFIX + base64.urlsafe_b64encode(msgspec.msgpack.encode(packed)).decode().rstrip("=")


def read_token(text: str, arrived: float) -> Written:
    """The write that a token speaks of, for a request that arrived then; raises where it is no token at all."""
    if not text.startswith(PREFIX) or len(text) > LONGEST:
        raise RequestError(
            f"freshness.afterWrite: {text[:40]!r} is not the token of a write.",
            hint=f"Pass the token as the write gave it ({PREFIX}…, at most {LONGEST} characters), or leave it out.",
        )
    body = text.removeprefix(PREFIX).encode("ascii", "replace")
    try:
        raw = base64.b64decode(body + b"=" * (-len(body) % 4), altchars=b"-_", validate=True)
        packed = msgspec.msgpack.decode(raw, type=_Packed)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return Written(arrived)
    if not math.isfinite(packed.at):
        return Written(arrived)
    # A request comes after the write it speaks of, whatever the clock of the gateway that took the write says.
    at = min(packed.at, arrived)
    return Written(at, frozenset(packed.tags), packed.system, packed.version, packed.before)
