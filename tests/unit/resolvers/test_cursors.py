"""Cursors of lists that are all here already, and the bounds of a page."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.paging import Place, cut, page_size, read_cursor, write_cursor
from schema.errors import BadCursor, BadPage
from tests.graph.fakes import context


@given(st.integers(0, 9), st.integers(0, 9), st.none() | st.text(max_size=30), st.integers(0, 999))
def test_a_cursor_goes_there_and_back(tier: int, lister: int, cursor: str | None, row: int) -> None:
    """A place is read from the cursor it was written to."""
    place = Place("sig", tier, lister, cursor, 100, row)
    assert read_cursor(write_cursor(place), "sig") == place


@given(st.text(max_size=60))
def test_garbage_is_refused(text: str) -> None:
    """Whatever is no cursor is a BadCursor, never another exception."""
    with pytest.raises(BadCursor):
        read_cursor(text, "sig")


@pytest.mark.parametrize(
    "place",
    ['["sig",-1,0,null,0,0]', '["sig",0,0,null,0,-5]', '["sig",0,0,7,0,0]', '["sig",0,0,null,-1,0]', "{}"],
)
def test_a_forged_place_is_refused(place: str) -> None:
    """A cursor with numbers out of range is none."""
    with pytest.raises(BadCursor):
        read_cursor(base64.urlsafe_b64encode(place.encode()).decode(), "sig")


def test_a_cursor_belongs_to_its_list() -> None:
    """The cursor of another list is named as such."""
    with pytest.raises(BadCursor, match="belongs to another list"):
        read_cursor(write_cursor(Place("other")), "sig")


@pytest.mark.parametrize("size", [0, -1, 501, 2**31 - 1])
def test_sizes_out_of_bounds_are_refused(size: int) -> None:
    """The refusal names the size and the bounds."""
    with pytest.raises(BadPage, match=f"first: {size} "):
        page_size(size, 500)


def test_no_size_is_the_default() -> None:
    """Null asks for the default."""
    assert (page_size(None, 500), page_size(500, 500)) == (25, 500)


@pytest.mark.parametrize("size", [1, 3, 10, 11])
async def test_a_walk_over_rows_gives_each_once(size: int) -> None:
    """Pages cut from ten rows bring each once, and know the total."""
    ctx, rows = context(), list(range(10))
    found: list[int] = []
    after: str | None = None
    while True:
        page = cut(ctx, rows, "numbers", size, after)
        found += page.nodes
        assert page.total_count == 10
        assert page.page_info.has_previous_page is (after is not None)
        if not page.page_info.has_next_page:
            break
        after = page.page_info.end_cursor
    assert found == rows
