"""The messages of a body: plain JSON and the three content modes of CloudEvents; what is neither is refused."""

import base64
from typing import Any

import orjson
import pytest

from gateway.events.envelopes import BATCH, EVENT, headers_of, messages_of
from gateway.request import HttpRefusal
from sources.events import Message

ENVELOPE = {
    "specversion": "1.0",
    "type": "t.v1",
    "source": "/erp",
    "id": "A1",
    "time": "2026-01-01T00:00:00Z",
}
DATA = {"order": "1", "qty": 2}


def read(body: Any, media: str = "application/json", **headers: str) -> list[Message]:
    """The messages of a body of this media type."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return messages_of({"content-type": media, **named}, raw, most=3)


def test_a_cloud_event_is_the_same_message_in_every_mode() -> None:
    """Structured, binary, in a batch, and with its data in base64."""
    whole = {**ENVELOPE, "data": DATA}
    headers = {f"ce_{name}": value for name, value in ENVELOPE.items()}
    packed = {**ENVELOPE, "data_base64": base64.b64encode(orjson.dumps(DATA)).decode()}
    expected = Message(whole, "/erp A1")
    assert read(whole, EVENT) == [expected]
    assert read(whole, f"{EVENT}; charset=UTF-8") == [expected]
    assert read(DATA, **headers) == [expected]
    assert read([whole, whole], BATCH) == [expected, expected]
    assert read(packed, EVENT) == [expected]
    # Sent as plain JSON it is no less itself.
    assert read(whole) == [expected]


def test_header_values_of_the_binary_mode_are_unescaped() -> None:
    """As CloudEvents writes them: per cent and UTF-8."""
    headers = {f"ce_{name}": value for name, value in ENVELOPE.items()} | {"ce_subject": "Stra%C3%9Fe"}
    assert read(DATA, **headers)[0].body["subject"] == "Straße"


def test_plain_messages_come_alone_or_as_a_list() -> None:
    """A header names a single one; numbers with a fraction stay as they were written."""
    assert read(b'{"qty": 0.10}', webhook_id="m1") == [Message({"qty": "0.10"}, "m1")]
    assert read([{"a": 1}, {"a": 2}], webhook_id="m1") == [Message({"a": 1}), Message({"a": 2})]


@pytest.mark.parametrize(
    ("body", "media", "headers", "status"),
    [
        (b"{", "application/json", {}, 400),
        (b"", "application/json", {}, 400),
        (b'{"a": NaN}', "application/json", {}, 400),
        (b'{"a": "\\ud800"}', "application/json", {}, 400),
        (b"\xff", "application/json", {}, 400),
        (b"[" * 100 + b"]" * 100, "application/json", {}, 400),
        (b"1", "application/json", {}, 400),
        (b"[]", "application/json", {}, 400),
        (b"[1]", "application/json", {}, 400),
        (b"{}", "text/plain", {}, 415),
        (b"{}", "application/json; charset=latin-1", {}, 415),
        (b"{}", "application/json, application/json", {}, 415),
        (b"{}", "application/json", {"content_encoding": "gzip"}, 415),
        (b"{}", "", {}, 415),
        (b"{}", EVENT, {}, 400),
        (b"[]", EVENT, {}, 400),
        (b"{}", BATCH, {}, 400),
        (b'[{"a": 1}]', BATCH, {}, 400),
        (orjson.dumps({**ENVELOPE, "specversion": "0.3"}), EVENT, {}, 400),
        (orjson.dumps({**ENVELOPE, "id": 7}), EVENT, {}, 400),
        (orjson.dumps({**ENVELOPE, "data": 1, "data_base64": ""}), EVENT, {}, 400),
        (orjson.dumps({**ENVELOPE, "data_base64": "%"}), EVENT, {}, 400),
        (b"{}", "application/json", {"ce_specversion": "1.0"}, 400),
        (orjson.dumps([{"a": 1}] * 4), "application/json", {}, 413),
    ],
)
def test_what_is_no_message_is_refused(body: bytes, media: str, headers: dict[str, str], status: int) -> None:
    """With the status that says whether to mend the body, its type or its size."""
    with pytest.raises(HttpRefusal) as caught:
        read(body, media, **headers)
    assert caught.value.status == status


def test_a_header_that_decides_is_given_once() -> None:
    """Of two signatures, or two ids, which one counts is not guessed."""
    for name in (b"Webhook-Signature", b"ce-id", b"content-type", b"Authorization"):
        with pytest.raises(HttpRefusal):
            headers_of([(name, b"a"), (name.lower(), b"b")])
    assert headers_of([(b"Accept", b"a"), (b"accept", b"b")]) == {"accept": "b"}
