"""Whose message it is, is decided over its raw bytes: official vectors, rotation, old timestamps, vendors' own ways."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from standardwebhooks import Webhook

from gateway.events.signatures import Gatekeeper, NotTheirs, gatekeeper
from schema.errors import ConfigError
from sources.credentials import Secret
from sources.intake import IngestConfig

# The test vector of the Standard Webhooks libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
BODY = b'{"test": 2432232314}'
AT = 1614265330


def keeper(*secrets: str, at: float = AT, **more: Any) -> Gatekeeper:
    """The gatekeeper of a system with these secrets, at a moment."""
    config = IngestConfig.model_validate(
        {"auth": "standard-webhooks", "secrets": [{"value": one} for one in secrets], **more}
    )
    return gatekeeper("X", config, lambda: at)


def test_the_official_vector_is_good() -> None:
    """It is admitted, and what the standard's own library makes."""
    keeper(SECRET).admit(VECTOR, BODY)
    at = datetime.fromtimestamp(AT, UTC)
    assert Webhook(SECRET).sign(VECTOR["webhook-id"], at, BODY.decode()) == VECTOR["webhook-signature"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "msg_other"),
        ("webhook-timestamp", "1614265331"),
        ("webhook-timestamp", "1614265330.0"),
        ("webhook-timestamp", "١٦١٤٢٦٥٣٣٠"),
        ("webhook-signature", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ("webhook-signature", "v1,"),
        ("webhook-signature", "v1,ümlaut"),
        ("webhook-signature", "v1"),
        ("webhook-id", ""),
    ],
)
def test_anything_else_than_what_was_signed_is_refused(name: str, value: str) -> None:
    """Be it another id, another time, another scheme, or nothing that could be a signature."""
    with pytest.raises(NotTheirs):
        keeper(SECRET).admit({**VECTOR, name: value}, BODY)


def test_one_good_signature_among_several_is_enough() -> None:
    """While its sender changes secrets it signs with both."""
    many = {**VECTOR, "webhook-signature": f"v1,AAAA v2,x {VECTOR['webhook-signature']}"}
    keeper(SECRET).admit(many, BODY)


def test_any_of_several_secrets_is_good_until_it_is_taken_out() -> None:
    """So a secret is changed without losing a message."""
    other = "whsec_" + base64.b64encode(b"0123456789abcdef0123").decode()
    keeper(other, SECRET).admit(VECTOR, BODY)
    with pytest.raises(NotTheirs):
        keeper(other).admit(VECTOR, BODY)


@pytest.mark.parametrize(("late", "good"), [(300, True), (301, False), (-300, True), (-301, False)])
def test_a_timestamp_is_good_for_the_tolerance_in_both_directions(late: int, good: bool) -> None:
    """A message that was recorded is not accepted again later."""
    if good:
        keeper(SECRET, at=AT + late).admit(VECTOR, BODY)
    else:
        with pytest.raises(NotTheirs, match="too old or too early"):
            keeper(SECRET, at=AT + late).admit(VECTOR, BODY)


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_vendors_sign_in_their_own_ways(algorithm: str, encoding: str) -> None:
    """Hash, encoding, header and what stands before the signature are settings."""
    digest = hmac.new(b"secret", b"body", algorithm).digest()
    written = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    more: dict[str, Any] = {
        "auth": "hmac",
        "header": "X-Signature",
        "algorithm": algorithm,
        "encoding": encoding,
        "prefix": "sig=",
    }
    at_work = keeper("secret", **more)
    at_work.admit({"x-signature": f"sig={written}"}, b"body")
    for headers in (
        {"x-signature": written},
        {"x-signature": f"sig={written}0"},
        {"x-signature": "sig=é"},
        {},
    ):
        with pytest.raises(NotTheirs):
            at_work.admit(headers, b"body")
    with pytest.raises(NotTheirs):
        at_work.admit({"x-signature": f"sig={written}"}, b"body ")


def test_a_bearer_token_is_compared_whole() -> None:
    """The scheme in any case, the token exactly."""
    at_work = keeper("token", auth="bearer")
    at_work.admit({"authorization": "bearer token"}, b"")
    for shown in ("Bearer toke", "Bearer tokén", "Basic token", "token", ""):
        with pytest.raises(NotTheirs):
            at_work.admit({"authorization": shown}, b"")


@given(st.text(st.characters(codec="utf-8"), max_size=200), st.binary(min_size=16, max_size=40))
def test_a_body_is_admitted_only_with_its_own_signature(text: str, key: bytes) -> None:
    """As the standard's own library signs it; other bytes are refused, be they text or not."""
    body = text.encode()
    config = IngestConfig.model_validate(
        {"auth": "standard-webhooks", "secrets": [{"value": base64.b64encode(key).decode()}]}
    )
    at_work = gatekeeper("X", config, lambda: AT)
    signature = Webhook(key).sign("m", datetime.fromtimestamp(AT, UTC), text)
    headers = {"webhook-id": "m", "webhook-timestamp": str(AT), "webhook-signature": signature}
    at_work.admit(headers, body)
    for other in (body + b"x", b"\xff" + body):
        with pytest.raises(NotTheirs):
            at_work.admit(headers, other)


def test_a_secret_that_cannot_be_one_is_refused_at_the_start_and_not_shown() -> None:
    """The message names the place and never the secret."""
    with pytest.raises(ConfigError) as caught:
        keeper("whsec_c2hvcnQ=")
    assert "systems.X.ingest.secrets.0" in str(caught.value)
    assert "c2hvcnQ" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    "table",
    [
        {"auth": "hmac", "secrets": [{"value": "x"}]},
        {"auth": "bearer"},
        {"auth": "none", "secrets": [{"value": "x"}]},
        {"auth": "bearer", "secrets": [{"value": "x"}], "header": "X"},
    ],
)
def test_tables_that_do_not_say_how_are_refused(table: dict[str, Any]) -> None:
    """A missing secret never means that anybody may."""
    with pytest.raises(ValidationError):
        IngestConfig.model_validate(table)


def test_secrets_do_not_show() -> None:
    """Neither in what is printed of the settings nor of the gatekeeper."""
    at_work = keeper("geheim", auth="bearer")
    assert "geheim" not in repr(at_work)
    assert Secret.model_validate({"value": "geheim"}).resolve() == "geheim"
    assert hashlib.sha256(at_work.keys[0]).hexdigest() == hashlib.sha256(b"geheim").hexdigest()
