"""The messages in a body: plain JSON, or CloudEvents 1.0 in its three content modes. Strict, and never guessing.

- structured: ``application/cloudevents+json``, one event, its attributes and ``data`` or ``data_base64`` in one object
- batched: ``application/cloudevents-batch+json``, a list of these
- binary: attributes in ``ce-*`` headers, the data is the body
- none: ``application/json``, the vendor's own object, or a list of them

A CloudEvent becomes a message in its structured form, so one table reads it whichever way it travelled.
"""

from base64 import b64decode
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import msgspec

from gateway.media import parse_content_type
from gateway.request import MAX_JSON_DEPTH, HttpRefusal
from sources.events import Message

JSON = "application/json"
EVENT, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_decode = msgspec.json.Decoder(float_hook=str).decode
"""A number with a fraction stays as it was written: no float has lost any of it."""
REQUIRED = ("id", "source", "type", "specversion")


def messages_of(
    headers: Mapping[str, str], body: bytes, *, most: int, id_header: str | None = None
) -> list[Message]:
    """The messages of a request, by its headers (names in lower case). Raises HttpRefusal."""
    mode = _mode(headers)
    value = _json(body)
    if mode == "binary":
        return [_binary(headers, value)]
    many = isinstance(value, list) and mode != EVENT
    if mode == BATCH and not many:
        raise _bad("A batch of CloudEvents is a JSON list.")
    found = value if many else [value]
    if len(found) > most:
        raise HttpRefusal(
            f"{len(found)} messages are too many at once.",
            status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            code="REQUEST_TOO_LARGE",
            hint=f"At most {most} in one body.",
        )
    if mode in (EVENT, BATCH):
        return [_structured(one) for one in found]
    wrong = next((one for one in found if not isinstance(one, dict)), None)
    if wrong is not None or not found:
        raise _bad("A message is a JSON object, or there is a list of them.")
    id = headers.get((id_header or "webhook-id").lower()) if len(found) == 1 else None
    return [Message(one, _event_id(one) or id) for one in found]


def _mode(headers: Mapping[str, str]) -> str:
    parsed = parse_content_type(headers.get("content-type", ""))
    name = "" if parsed is None else parsed.name
    charset = "utf-8" if parsed is None else parsed.parameters.get("charset", "utf-8").lower()
    if headers.get("content-encoding", "identity").lower() != "identity" or charset not in ("utf-8", "utf8"):
        raise _unsupported("The body is read as it is, in UTF-8 and uncompressed.")
    if name in (EVENT, BATCH):
        return name
    if name != JSON and not name.endswith("+json"):
        raise _unsupported(f"Content-Type {headers.get('content-type', '')[:60]!r} is not read here.")
    if "ce-specversion" in headers:
        return "binary"
    return JSON


def _unsupported(message: str) -> HttpRefusal:
    return HttpRefusal(
        message,
        status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        code="UNSUPPORTED_MEDIA_TYPE",
        hint=f"Send {JSON}, {EVENT} or {BATCH}.",
    )


def _json(body: bytes) -> Any:
    try:
        value = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise HttpRefusal(f"The body is not JSON: {error}.", code="BAD_JSON") from None
    if _deeper_than(value, MAX_JSON_DEPTH):
        raise _bad(f"The body is nested deeper than {MAX_JSON_DEPTH} levels.")
    return value


def _deeper_than(value: Any, limit: int) -> bool:
    level: list[Any] = [value]
    for _ in range(limit + 1):
        inner: list[Any] = []
        for item in level:
            inner.extend(item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
        if not inner:
            return False
        level = inner
    return True


def _structured(value: Any) -> Message:
    if not isinstance(value, dict):
        raise _bad("A CloudEvent is a JSON object.")
    event = dict(value)
    _checked(event)
    if "data_base64" in event:
        if "data" in event:
            raise _bad("A CloudEvent has data or data_base64, not both.")
        try:
            event["data"] = _json(b64decode(event.pop("data_base64"), validate=True))
        except (ValueError, TypeError):
            raise _bad("data_base64 of a CloudEvent is not base64.") from None
    return Message(event, f"{event['source']} {event['id']}")


def _binary(headers: Mapping[str, str], data: Any) -> Message:
    event: dict[str, Any] = {
        name[3:]: unquote(value)
        for name, value in headers.items()
        if name.startswith("ce-") and name != "ce-data"
    }
    _checked(event)
    return Message({**event, "data": data}, f"{event['source']} {event['id']}")


def _checked(event: Mapping[str, Any]) -> None:
    missing = [name for name in REQUIRED if not (isinstance(event.get(name), str) and event[name])]
    if missing:
        raise _bad(f"A CloudEvent needs {', '.join(missing)}.")
    if event["specversion"] != "1.0":
        raise _bad(f"CloudEvents {event['specversion'][:20]!r} are not read here; 1.0 are.")


def _event_id(body: Mapping[str, Any]) -> str | None:
    """The id of a CloudEvent that was sent as plain JSON; none where it is the vendor's own form."""
    if all(isinstance(body.get(name), str) for name in REQUIRED):
        return f"{body['source']} {body['id']}"
    return None


def _bad(message: str) -> HttpRefusal:
    return HttpRefusal(message, hint="See docs/events.md.")


def headers_of(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name. Raises HttpRefusal where one that decides something comes twice."""
    found: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        if key in found and (key in _ONCE or key.startswith(("ce-", "webhook-"))):
            raise HttpRefusal(f"The header {key[:60]} is given twice.", hint="Give it once.")
        found[key] = value.decode("latin-1")
    return found


_ONCE = frozenset({"content-type", "content-encoding", "authorization"})
