"""Durations as clients write them, and what a document says with them."""

import pytest
from graphql import parse

from resolvers.within import Stated, seconds, stated
from schema.errors import RequestError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", 0.0),
        ("500ms", 0.5),
        ("30s", 30.0),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("PT30S", 30.0),
        ("PT0S", 0.0),
        ("PT1M30.5S", 90.5),
        ("PT1H", 3600.0),
        ("P1D", 86400.0),
        ("P1DT1S", 86401.0),
    ],
)
def test_durations(text: str, expected: float) -> None:
    """Short ones with a unit, and those of ISO 8601."""
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "value", [None, 30, True, ["30s"], "30 s", "s", "1.s", ".5s", "PT1S ", "P1DT", "PT1S1M", "P1W"]
)
def test_what_is_no_duration(value: object) -> None:
    """It is refused with how to write one."""
    with pytest.raises(RequestError, match="is not a duration") as caught:
        seconds(value)
    assert "PT30S" in (caught.value.hint or "")


def test_a_document_without_a_word_says_nothing() -> None:
    """Other directives are not looked at."""
    assert stated(parse('query ($a: Boolean!) { item(number: "1") @skip(if: $a) { number } }')) == Stated()


def test_only_the_variables_of_fresh_are_checked() -> None:
    """Other variables may be what they like, and so may their defaults."""
    said = stated(
        parse(
            'query ($w: String = "1s", $n: String = "x") { item(number: $n) @fresh(within: $w) { number } }'
        )
    )
    assert said == Stated(True, frozenset({"w"}))
    said.check({"n": "soon", "w": "2s"})
    with pytest.raises(RequestError, match=r"\$w: None"):
        said.check({"w": None})
