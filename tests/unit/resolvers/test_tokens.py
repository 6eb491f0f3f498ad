"""Tokens of writes: what is written is read again, and what cannot be read is taken in the strictest way."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.tokens import LONGEST, read_token, write_token
from schema.errors import RequestError
from sources.base import Written

NOW = 1_800_000_000.0
TEXTS = st.none() | st.text(max_size=20)
WRITES = st.builds(
    Written,
    st.floats(0, NOW),
    st.frozensets(st.text(min_size=1, max_size=12), max_size=3),
    TEXTS,
    TEXTS,
    TEXTS,
)


def packed(*parts: object) -> str:
    """A token with a content of one's own."""
    return "wt_" + base64.urlsafe_b64encode(msgspec.msgpack.encode(list(parts))).decode().rstrip("=")


@given(WRITES)
def test_what_is_written_is_read(written: Written) -> None:
    """A token holds its write, in characters that need no escaping."""
    token = write_token(written)
    assert read_token(token, NOW) == written
    assert token.replace("_", "").replace("-", "").isalnum()


def test_equal_writes_have_equal_tokens() -> None:
    """The order in which tags were named does not matter."""
    one = Written(NOW, frozenset(f"po:{i}" for i in range(9)))
    assert write_token(one) == write_token(Written(NOW, frozenset(f"po:{i}" for i in range(8, -1, -1))))


def test_a_write_of_too_many_things_touched_everything() -> None:
    """A token never grows beyond what a client may send; it then names nothing, which means everything."""
    token = write_token(Written(NOW, frozenset(f"po:1710/{i}" for i in range(500)), "ERP", "7"))
    assert len(token) <= LONGEST
    assert read_token(token, NOW) == Written(NOW)


@pytest.mark.parametrize(
    "token",
    [
        "wt_",
        "wt_8c1f",
        "wt_ä",
        "wt_=",
        "wt_a",
        packed("later", []),
        packed(NOW, "tags"),
        packed(float("nan"), []),
        packed(float("inf"), []),
        packed({}),
        "wt_" + "kZGR" * 100,
    ],
)
def test_a_token_that_cannot_be_read_is_taken_strictly(token: str) -> None:
    """It is a write of this very moment that touched everything."""
    assert read_token(token, NOW) == Written(NOW)


def test_a_write_is_never_later_than_the_request() -> None:
    """Another gateway's clock may be ahead; the request came after the write all the same."""
    assert read_token(packed(NOW + 900, ["po:1"]), NOW) == Written(NOW, frozenset({"po:1"}))


@pytest.mark.parametrize("text", ["", "8c1f", "WT_8c1f", " wt_8c1f", "wt_" + "a" * LONGEST])
def test_what_is_no_token_is_refused(text: str) -> None:
    """The error names the argument, the value and the mend, without repeating a long value."""
    with pytest.raises(RequestError, match=r"freshness\.afterWrite: ") as caught:
        read_token(text, NOW)
    assert len(str(caught.value)) < 120
    assert "wt_" in (caught.value.hint or "")
