"""Finding whom an object may concern: the index gives all whom it does, and for a row nobody else."""

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from gateway.subscriptions.index import Index
from schema.production import ProductionOrder


@dataclass(eq=False)
class Wish:
    """Somebody who narrows some attributes."""

    facets: Mapping[str, frozenset[str]]


VALUES = st.frozensets(st.sampled_from("xyz"), max_size=2)
WISHES = st.lists(st.fixed_dictionaries({}, optional={"plant": VALUES, "item": VALUES}), max_size=8)


@given(WISHES, st.sets(st.integers(0, 7)), st.sampled_from("xyz"), st.sampled_from("xyz"))
def test_a_row_finds_those_it_may_concern(
    facets: list[dict[str, frozenset[str]]], gone: set[int], plant: str, item: str
) -> None:
    """As asking each of them would; those who have left are not found."""
    index: Index[Wish] = Index(("plant", "number"))
    wishes = [Wish(one) for one in facets]
    for wish in wishes:
        index.add(wish)
    for number in sorted(gone):
        if number < len(wishes):
            index.remove(wishes[number])
    here = [wish for number, wish in enumerate(wishes) if number not in gone]
    row = ProductionOrder(plant, "1", item)
    shelves = index.shelves({"plant": plant, "number": "1"})
    found = [wish for shelf in shelves for wish in shelf.fitting(row)]
    wanted = [wish for wish in here if all(getattr(row, name) in some for name, some in wish.facets.items())]
    assert len(found) == len(set(found))
    assert set(found) == set(wanted)
    by_key = [wish for shelf in shelves for wish in shelf.everyone()]
    assert len(by_key) == len(set(by_key))
    # Where only the key is known, whoever it does not rule out is found; who takes no value at all never matches.
    possible = {
        wish
        for wish in here
        if plant in wish.facets.get("plant", plant) and wish.facets.get("item") != frozenset()
    }
    assert set(by_key) == possible


def test_when_all_have_left_nothing_is_kept() -> None:
    """No shelf stays behind."""
    index: Index[Wish] = Index(("plant",))
    wishes = [
        Wish({"plant": frozenset("xy"), "item": frozenset("a")}),
        Wish({}),
        Wish({"item": frozenset("b")}),
    ]
    for wish in wishes:
        index.add(wish)
    for wish in wishes:
        index.remove(wish)
    assert index.shelves({"plant": "x"}) == []
