"""Who waits for what is counted, from the first wish to the last closing."""

from gateway.events.interest import Interests
from schema.logistics import Shipment
from schema.production import Operation, ProductionOrder


def test_wishes_are_counted_by_kind_and_by_id() -> None:
    """An id counts for its kind, a kind for all its ids."""
    interests = Interests()
    interests.watch(ids=["po:1710/1000040", "op:1710/1000040/0010"])
    interests.watch(kinds=[ProductionOrder])
    assert interests.strength([ProductionOrder]) == 2
    assert interests.strength([Operation]) == 1
    assert interests.strength([Shipment]) == 0
    assert interests.strength([ProductionOrder, Operation]) == 3


def test_a_watch_counts_until_it_is_closed_and_may_be_closed_twice() -> None:
    """Closing twice takes nothing from anybody else."""
    interests = Interests()
    first, second = interests.watch(ids=["po:1710/1"]), interests.watch(ids=["po:1710/1"])
    first.close()
    first.close()
    assert interests.strength([ProductionOrder]) == 1
    second.close()
    assert interests.strength([ProductionOrder]) == 0


def test_whoever_listens_hears_of_new_wishes() -> None:
    """Even of one that is closed at once."""
    interests, heard = Interests(), list[str]()
    interests.listen(lambda: heard.append("somebody waits"))
    interests.watch(ids=["nonsense"]).close()
    assert heard == ["somebody waits"]
