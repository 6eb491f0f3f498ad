"""Media types: reading Content-Type and choosing the answer's type from Accept (RFC 9110, 12.5.1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
HTML = "text/html"
EVENT_STREAM = "text/event-stream"
MULTIPART = "multipart/mixed"

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TYPE = re.compile(rf"\s*({_WORD})/({_WORD})\s*")
_PARAMETER = re.compile(rf';\s*(?:({_WORD})\s*=\s*(?:({_WORD})|"((?:[^"\\]|\\.)*)")\s*)?')
_MAX_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type in lower case with its parameters; ``quality`` is 0 to 1."""

    name: str
    parameters: dict[str, str]
    quality: float = 1.0


class Wish(NamedTuple):
    """What a client accepts: the type of one answer, and the way to stream many; None for what it does not accept.

    ``streams_first`` says that it would rather have events than one answer, even where there is only one result.
    """

    media: str | None
    stream: str | None = None
    streams_first: bool = False


def parse_content_type(value: str) -> MediaType | None:
    """The one media type of a Content-Type header, or None if it is not exactly one well-formed type."""
    parsed = _parse(value) if len(value) <= _MAX_LENGTH else None
    return parsed[0] if parsed and parsed[1] == len(value) else None


def parse_accept(value: str) -> list[MediaType]:
    """The types of an Accept header in the client's order of wish: by quality, then as written.

    Malformed members are left out, as a member that cannot be understood cannot be wished for.
    """
    found = []
    for member in value[:_MAX_LENGTH].split(","):
        parsed = _parse(member)
        if parsed and parsed[1] == len(member):
            found.append(parsed[0])
    return sorted(found, key=lambda media: -media.quality)


def choose(accept: str | None, offered: Sequence[str]) -> str | None:
    """The offered type the client wishes most, or None if it accepts none of them.

    A wildcard stands for the first offer that is not refused by name (``;q=0``). No header at all accepts
    everything.
    """
    if accept is None or not accept.strip():
        return offered[0]
    wishes = [
        wish for wish in parse_accept(accept) if wish.parameters.get("charset", "utf-8").lower() == "utf-8"
    ]
    refused = {wish.name for wish in wishes if wish.quality <= 0}
    for wish in wishes:
        for offer in offered:
            if wish.quality > 0 and offer not in refused and _covers(wish.name, offer):
                return offer
    return None


def wish_of(accept: str | None, offered: Sequence[str]) -> Wish:
    """The one of the offered types and the way to stream that a client wishes most.

    A stream must be named: no wildcard stands for it, as clients that write one cannot read it. ``multipart/mixed`` is
    meant for subscriptions only where it says ``subscriptionSpec=1.0``.
    """
    media = choose(accept, offered)
    for place, wish in enumerate(wishes := parse_accept(accept or "")):
        if wish.quality > 0 and _is_stream(wish):
            before = any(_covers(other.name, offer) for other in wishes[:place] for offer in offered)
            return Wish(media, wish.name, media is None or (wish.name == EVENT_STREAM and not before))
    return Wish(media)


def _is_stream(wish: MediaType) -> bool:
    if wish.name == MULTIPART:
        return wish.parameters.get("subscriptionspec", "") == "1.0"
    return wish.name == EVENT_STREAM


def _covers(wish: str, offer: str) -> bool:
    return wish in ("*/*", offer) or (wish.endswith("/*") and offer.startswith(wish[:-1]))


def _parse(text: str) -> tuple[MediaType, int] | None:
    head = _TYPE.match(text)
    if head is None:
        return None
    position, parameters = head.end(), dict[str, str]()
    while position < len(text) and (match := _PARAMETER.match(text, position)):
        if match[1]:
            quoted = re.sub(r"\\(.)", r"\1", match[3]) if match[3] is not None else match[2]
            parameters.setdefault(match[1].lower(), quoted)
        position = match.end()
    name = f"{head[1]}/{head[2]}".lower()
    return MediaType(name, parameters, _quality(parameters.get("q", "1"))), position


def _quality(text: str) -> float:
    """A malformed weight counts as none wished, so that it never wins over a well-formed one."""
    return float(text) if re.fullmatch(r"0(\.\d{0,3})?|1(\.0{0,3})?", text) else 0.0
