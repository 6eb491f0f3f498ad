"""The ERP's filter language."""

import pytest

from sources.plant.asgi import Refusal
from sources.plant.dialects.odata import Filter

ROW = {"Name": "O'Neil", "Plant": "1710", "Qty": "12.5", "Due": "/Date(1795392000000)/", "Flag": True}


@pytest.mark.parametrize(
    "source",
    [
        "Plant eq '1710'",
        "Name eq 'O''Neil' and Plant ne '1720'",
        "Plant eq '1' or Plant eq '1710'",
        "(Plant eq '1' or Plant eq '1710') and Qty gt 12",
        "substringof('neil',Name)",
        "Due ge datetime'2026-11-23T00:00:00'",
        "Flag eq true",
    ],
)
def test_matches(source: str) -> None:
    """What the filter describes, it finds."""
    assert Filter(source).matches(ROW)


@pytest.mark.parametrize("source", ["Plant eq '1720'", "Qty le 12", "Missing eq 'x'", "Flag eq false"])
def test_does_not_match(source: str) -> None:
    """What the filter does not describe, it leaves."""
    assert not Filter(source).matches(ROW)


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("A eq '1' or A eq '2'", ["1", "2"]),
        ("(A eq '1' and B eq 'x') or (A eq '2' and B eq 'y')", ["1", "2"]),
        ("A eq '1' and C gt 5", ["1"]),
        ("A eq '1' or B eq '2'", None),
        ("A ne '1'", None),
    ],
)
def test_keys(source: str, keys: list[str] | None) -> None:
    """A chain of keys is recognised, so that no scan is needed; anything else is not mistaken for one."""
    assert Filter(source).keys("A") == keys


@pytest.mark.parametrize("source", ["", "A eq", "A == 'x'", "A eq 'x", "A eq 'x' B", "(A eq 'x'", "A in 'x'"])
def test_refused(source: str) -> None:
    """What cannot be read is refused, not guessed."""
    with pytest.raises(Refusal):
        Filter(source)


def test_bounded() -> None:
    """A chain of more than two hundred terms is refused."""
    with pytest.raises(Refusal, match="at most 200"):
        Filter(" or ".join("A eq 'x'" for _ in range(201)))
