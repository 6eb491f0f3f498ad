"""An answer in parts over HTTP: ``multipart/mixed``, as the RFC on incremental delivery over HTTP writes it.

Each part is JSON and leaves when it is known, together with the boundary that ends it: a reader need not wait for the
next part to know that this one is whole. Two forms are spoken, and the client's ``Accept`` chooses:

==============================================  ====================================================================
``multipart/mixed`` (``incrementalSpec=v0.2``)  the current draft: ``pending``, ``incremental`` by ``id``,
                                                ``completed``
``multipart/mixed; deferSpec=20220824``         the draft of 2022: ``incremental`` by ``path`` and ``label``. Its
                                                clients know ``@defer`` alone, so ``@stream`` is left out of account
==============================================  ====================================================================
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from gateway.media import parse_accept

MULTIPART = "multipart/mixed"
OPENING = b"---\r\n"
HEAD = b"Content-Type: application/json; charset=utf-8\r\n\r\n"
NEXT, END = b"\r\n---\r\n", b"\r\n-----\r\n"
"""JSON has no line ends of its own: the shortest boundary cannot be mistaken."""
Payload: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """A way to write parts: the header that names it, whether lists are streamed, and who puts a payload into it."""

    header: tuple[bytes, bytes]
    streams: bool
    writer: Callable[[], Callable[[Payload], Payload]]


def _as_it_is() -> Callable[[Payload], Payload]:
    return lambda payload: payload


class Older:
    """Payloads in the words of 2022: each says where it belongs, and nothing is said of what is pending or completed."""

    def __init__(self) -> None:
        self._places: dict[str, Payload] = {}

    def __call__(self, payload: Payload) -> Payload:
        """The same payload, said so."""
        said = dict(payload)
        self._places.update({one["id"]: one for one in said.pop("pending", ())})
        parts = [self._at(one, one) for one in said.pop("incremental", ())]
        for one in said.pop("completed", ()):
            if "errors" in one:
                parts.append(self._at(one, {"data": None, "errors": one["errors"]}))
            del self._places[one["id"]]
        return said | ({"incremental": parts} if parts else {})

    def _at(self, one: Mapping[str, Any], what: Mapping[str, Any]) -> Payload:
        place = self._places[one["id"]]
        said = {name: what[name] for name in ("data", "errors") if name in what}
        said["path"] = [*place["path"], *one.get("subPath", ())]
        return said | ({"label": place["label"]} if "label" in place else {})


_TYPE = b'multipart/mixed; boundary="-"'
PLAIN = Form((b"content-type", _TYPE), True, _as_it_is)
CURRENT = Form((b"content-type", _TYPE + b"; incrementalSpec=v0.2"), True, _as_it_is)
OF_2022 = Form((b"content-type", _TYPE + b"; deferSpec=20220824"), False, Older)


def form_of(accept: str | None) -> Form | None:
    """The form in which the client takes an answer in parts; None where it does not say that it does."""
    if accept is None or "multipart" not in accept.lower():
        return None
    return _chosen(accept) if len(accept) <= 200 else _chosen.__wrapped__(accept)


@lru_cache(256)
def _chosen(accept: str) -> Form | None:
    for wish in parse_accept(accept):
        if wish.name != MULTIPART or wish.quality <= 0:
            continue
        older, current = wish.parameters.get("deferspec"), wish.parameters.get("incrementalspec")
        if older is None:
            form = PLAIN if current is None else CURRENT if current == "v0.2" else None
        else:
            form = OF_2022 if older == "20220824" else None
        if form is not None:
            return form
    return None


def framed(body: bytes, *, first: bool = False, last: bool = False) -> bytes:
    """A part with its head and the boundary that ends it."""
    return (OPENING if first else b"") + HEAD + body + (END if last else NEXT)
