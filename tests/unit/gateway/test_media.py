"""Media types are parsed, not searched."""

import pytest

from gateway.media import choose, parse_accept, parse_content_type


@pytest.mark.parametrize(
    ("value", "name", "parameters"),
    [
        ("application/json", "application/json", {}),
        ("Application/JSON; Charset=UTF-8", "application/json", {"charset": "UTF-8"}),
        ('a/b;x="y, \\"z"; w=1', "a/b", {"x": 'y, "z', "w": "1"}),
        ("a/b;", "a/b", {}),
    ],
)
def test_a_content_type_is_read(value: str, name: str, parameters: dict[str, str]) -> None:
    """Case of the type, quotes and empty parameters are understood."""
    parsed = parse_content_type(value)
    assert parsed is not None
    assert (parsed.name, parsed.parameters) == (name, parameters)


@pytest.mark.parametrize("value", ["", "json", "a/b, c/d", "a/b c", "a/b; x", "a/", "a/b;x=" + "y" * 5000])
def test_what_is_no_single_type_is_none(value: str) -> None:
    """Lists, fragments and endless values are not a content type."""
    assert parse_content_type(value) is None


def test_wishes_are_ordered() -> None:
    """By quality first, then as written; malformed members and weights lose."""
    names = [wish.name for wish in parse_accept("a/a;q=0.5, b/b, ,, c/c;q=nope, d/d;q=0.9, e")]
    assert names == ["b/b", "d/d", "a/a", "c/c"]


def test_the_choice_falls_back_to_the_first_offer() -> None:
    """No header and an empty one accept everything."""
    assert choose(None, ["a/a", "b/b"]) == "a/a"
    assert choose(" ", ["a/a", "b/b"]) == "a/a"
    assert choose("x/x", ["a/a", "b/b"]) is None
    assert choose("b/*;q=0.1", ["a/a", "b/b"]) == "b/b"
