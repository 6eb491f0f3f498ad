"""Ids: there and back whatever the key holds, and refusals that help."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.ids import decode, decode_as, encode
from schema.base import join_key, split_key
from schema.errors import BadId
from schema.material import Item, Lot
from schema.production import Operation

PARTS = st.text(alphabet=string.ascii_letters + string.digits + "/%:# é", min_size=1, max_size=20)


@given(PARTS, PARTS)
def test_an_id_goes_there_and_back(item: str, number: str) -> None:
    """A lot's id decodes to its class and to a key whose parts are the ones it was made of."""
    cls, key = decode(encode(Lot(item, number)))
    assert cls is Lot
    assert split_key(key) == (item, number)
    assert key == join_key(item, number)


def test_ids_are_readable() -> None:
    """An operator can read an id."""
    assert encode(Item("FG-1")) == "item:FG-1"
    assert encode(Operation("1710", "1000000", "0010")) == "op:1710/1000000/0010"
    assert encode(Lot("A/1", "50%")) == "lot:A%2F1/50%25"


@pytest.mark.parametrize(
    "text",
    ["", ":", "item", "item:", "nope:1", "lot:onlyone", "lot:a/b/c", "po:1", "item:" + "x" * 600, "Item:1"],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    """The refusal names the argument and the value, shortened, and says what to pass."""
    with pytest.raises(BadId) as caught:
        decode(text, argument="ids")
    assert str(caught.value).startswith(f"ids: {text[:60]!r}")
    assert caught.value.hint
    assert len(str(caught.value)) < 200


def test_an_id_of_another_class_is_refused() -> None:
    """An item's id is no lot's id."""
    with pytest.raises(BadId, match="is the id of a Item, not of a Lot"):
        decode_as("item:1", Lot, "root")
    assert decode_as("lot:a/b", Lot, "root") == "a/b"


def test_an_alias_stands_for_an_id() -> None:
    """Configured aliases are read as the ids they stand for."""
    assert decode("po1", {"po1": "item:FG-1"}) == (Item, "FG-1")
