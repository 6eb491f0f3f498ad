"""L1: bounded in entries and bytes, and never in doubt about what was invalidated."""

from typing import Any

from gateway.cache.marks import Marks, passed
from gateway.cache.memory import Memory
from gateway.cache.sizes import Sizes, measured
from gateway.cache.store import Entry, Invalidation
from schema.base import Provenance, Quantity
from schema.material import Item
from sources.base import ABSENT, Written
from tests.graph.fakes import NOW
from tests.unit.gateway.cache.shelf import START, Clock


def an_item(number: str, version: str | None = None) -> Item:
    """An item as the ERP sends it."""
    return Item(number, "x" * 50, base_unit="H87", provenance=Provenance("ERP", NOW, number, NOW, version))


def an_entry(number: str = "A", at: float = START, **more: Any) -> Entry:
    """An entry of an item."""
    return Entry(an_item(number, **more), at, ("sys:ERP", f"item:{number}", "item:*"))


def test_the_least_recently_used_goes_first() -> None:
    """Full in entries: what was looked at stays."""
    memory = Memory(max_entries=3, clock=Clock())
    for number in "ABC":
        memory.keep("s", number, an_entry(number))
    memory.look("s", "A")
    memory.keep("s", "D", an_entry("D"))
    assert [memory.look("s", number) is not None for number in "ABCD"] == [True, False, True, True]


def test_it_is_bounded_in_bytes() -> None:
    """Thousands of large rows take no more than they may; one that is larger than everything is not kept."""
    memory = Memory(max_bytes=100_000, clock=Clock())
    for number in range(2000):
        memory.keep("s", str(number), an_entry(str(number)))
    assert memory.bytes <= 100_000
    assert 20 < len(memory) < 200
    memory.keep("s", "all", Entry([an_item(str(n)) for n in range(2000)], START))
    assert memory.look("s", "all") is None


def test_sizes_are_near_the_truth() -> None:
    """The estimate of a hundred rows is within a quarter of what they measure."""
    sizes = Sizes()
    rows = [an_item("N" * (n % 17)) for n in range(100)]
    estimate, truth = sum(sizes.of(Entry(row, START)) - 400 for row in rows), sum(map(measured, rows))
    assert abs(estimate - truth) < truth / 4
    assert measured(Quantity("1", "PC", "H87")) > measured("1")


def test_nothing_is_kept_where_there_is_no_room() -> None:
    """max_entries 0 turns it off."""
    memory = Memory(max_entries=0, clock=Clock())
    memory.keep("s", "A", an_entry())
    assert len(memory) == 0
    assert memory.column("s", ["A"], START, START).cells == [ABSENT]


def test_an_older_answer_does_not_replace_a_newer_one() -> None:
    """Answers may overtake each other: the one that was sent later stays."""
    memory = Memory(clock=Clock())
    newer, older = an_entry(at=START + 1), an_entry(at=START)
    memory.keep("s", "A", newer)
    memory.keep("s", "A", older)
    assert memory.look("s", "A") is newer


def test_an_entry_past_its_time_is_let_go() -> None:
    """What can be of no use any more takes no room."""
    clock = Clock()
    memory = Memory(clock=clock)
    entry = an_entry()
    entry.until = START + 5
    memory.keep("s", "A", entry)
    clock.pass_(6)
    assert memory.look("s", "A") is None
    assert len(memory) == 0


def test_marks_judge_by_when_a_call_was_sent() -> None:
    """Read at the mark or before it: gone; after it: good; other things: untouched."""
    marks = Marks()
    marks.note(Invalidation(("item:A",), START))
    assert not marks.valid(an_entry(at=START), START)
    assert not marks.valid(an_entry(at=START - 1), START)
    assert marks.valid(an_entry(at=START + 0.001), START)
    assert marks.valid(an_entry("B", at=START - 1), START)


def test_a_mark_never_moves_back() -> None:
    """Invalidations may arrive out of order."""
    marks = Marks()
    marks.note(Invalidation(("item:A",), START + 5))
    marks.note(Invalidation(("item:A",), START))
    assert not marks.valid(an_entry(at=START + 3), START)


def test_without_tags_everything_read_so_far_is_in_doubt() -> None:
    """After a gap in what was heard."""
    marks = Marks()
    marks.note(Invalidation((), START))
    assert not marks.valid(an_entry("B", at=START), START)
    assert marks.valid(an_entry("B", at=START + 1), START)


def test_forgetting_marks_is_on_the_safe_side() -> None:
    """Too many marks: half are let go, and what was read before them with them."""
    marks = Marks(most=10)
    for number in range(11):
        marks.note(Invalidation((f"item:{number}",), START + number))
    assert not marks.valid(an_entry("Z", at=START + 1), START)
    assert marks.valid(an_entry("Z", at=START + 9), START)
    assert not marks.valid(an_entry("10", at=START + 9), START)


def test_an_owner_may_take_a_minute_to_show_a_write() -> None:
    """Until then an old version is not kept; afterwards the owner's word counts as it is."""
    marks = Marks()
    written = Written(START, frozenset({"item:A"}), "ERP", "8", "7")
    marks.note(Invalidation(("item:A",), START, written))
    assert not marks.valid(an_entry(at=START + 1, version="7"), START + 1)
    assert marks.valid(an_entry(at=START + 1, version="8"), START + 1)
    assert marks.valid(an_entry(at=START + 61, version="7"), START + 61)


def test_whether_a_version_has_passed() -> None:
    """Numbers are compared; words only with the one before; no version at all is taken at its word."""

    def shows(version: str | None, write: Written) -> bool:
        return passed(an_entry(at=START + 1, version=version), write)

    numbered = Written(START, system="ERP", version="8", before="7")
    assert [shows(v, numbered) for v in ("7", "8", "9", "6", None)] == [False, True, True, False, True]
    worded = Written(START, system="ERP", version='W/"b"', before='W/"a"')
    assert [shows(v, worded) for v in ('W/"a"', 'W/"b"', 'W/"c"')] == [False, True, True]
    assert shows("1", Written(START))
    assert not passed(an_entry(at=START, version="9"), numbered)
    assert shows("7", Written(START, system="MES", version="8")), "another system's version says nothing"


def test_silence_is_about_every_tag_since_an_epoch() -> None:
    """The first word about any of the tags ends it, whatever instant it speaks of; a word about everything, too."""
    marks = Marks()
    marks.note(Invalidation(("po:1",), START))
    epoch = marks.epoch
    assert marks.silent(("po:1", "po:*"), epoch)
    marks.note(Invalidation(("po:2",), START))
    assert marks.silent(("po:1",), epoch)
    assert not marks.silent(("po:1", "po:2"), epoch)
    marks.note(Invalidation(("po:1",), START - 100))
    assert not marks.silent(("po:1",), epoch)
    marks.note(Invalidation((), START - 100))
    assert not marks.silent(("item:A",), epoch)
    assert marks.silent(("po:1",), marks.epoch)


def test_what_was_forgotten_is_not_silence() -> None:
    """Where marks were let go for want of room, nobody can say that nothing was heard."""
    marks = Marks(most=4)
    epoch = marks.epoch
    for number in range(6):
        marks.note(Invalidation((f"po:{number}",), START))
    assert not marks.silent(("item:A",), epoch)


def test_tags_are_worked_out_when_they_matter_and_once() -> None:
    """As long as nothing was marked since an entry was read, nobody asks what it speaks of."""
    asked: list[str] = []

    def tell(key: str, cell: Any) -> tuple[str, ...]:
        asked.append(key)
        return (f"item:{cell.number}",)

    memory = Memory(clock=Clock())
    memory.keep_all("s", {key: Entry(an_item(key), START, tell=tell, key=key) for key in "AB"})
    assert len(memory.column("s", ["A", "B"], START, START).cells) == 2
    assert asked == []
    memory.marks.note(Invalidation(("item:A",), START))
    assert [memory.look("s", key) is not None for key in "AB"] == [False, True]
    assert [memory.look("s", key) is not None for key in "AB"] == [False, True]
    assert asked == ["A", "B"]


def test_a_write_that_is_waited_for_is_looked_for_in_later_answers() -> None:
    """Read after the mark, and all the same not valid until the owner's version has moved."""
    marks, written = Marks(), Written(START, frozenset({"item:A"}), "ERP", None, "7")
    marks.note(Invalidation(("item:A",), START, written))
    assert not marks.valid(an_entry(at=START + 1, version="7"), START + 1)
    assert marks.valid(an_entry(at=START + 1, version="8"), START + 1)
    assert marks.valid(an_entry(at=START + 100, version="7"), START + 100)


def test_a_full_memory_makes_room_for_a_whole_column() -> None:
    """Of more than there is room for the last stay; what they take is counted right when all are gone."""
    clock = Clock()
    memory = Memory(max_entries=3, clock=clock)
    memory.keep_all("s", {number: an_entry(number) for number in "ABCDE"})
    memory.keep_all("s", {"E": an_entry("E", START + 1)})
    assert [memory.look("s", number) is not None for number in "ABCDE"] == [False, False, True, True, True]
    memory.marks.note(Invalidation((), START + 2))
    assert [memory.look("s", number) for number in "CDE"] == [None] * 3
    assert abs(memory.bytes) < 1
