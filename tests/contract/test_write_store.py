"""The database of writes: leases, order, keys that run out, and what is forgotten. SQLite and a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.commands.records import Trouble, Write
from gateway.commands.store import LeaseLost, WriteStore
from gateway.database import Database
from schema.integration import TransactionState as State
from schema.integration import UserErrorCode
from sources.commands import Receipt
from tests.postgres_server import PostgresServer


@pytest.fixture(params=["file", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[WriteStore]:
    """An empty store."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.database()
    else:
        url = f"sqlite:///{tmp_path}/writes.db"
    made = WriteStore(Database(url, durable=True))
    made.open()
    yield made
    made.close()


def write(number: str, subject: str = "po:P1/1", at: float = 100.0, **more: object) -> Write:
    """A write that is due at once."""
    made = Write(
        number, "release_production_order", "ERP", subject, subject, "me", "d", {"a": 1}, "c", at, number
    )
    return replace(made, next_at=at, **more)  # type: ignore[arg-type]


def names(writes: list[Write]) -> list[str]:
    """Their numbers."""
    return [one.number for one in writes]


def test_a_write_comes_back_as_it_was_kept(store: WriteStore) -> None:
    """With its receipt, its trouble and its steps."""
    store.accept(write("a"), 0.0)
    [claimed] = store.claim("w", 100, 10, 9)
    receipt = Receipt(False, "D1", "v2", ("po:P1/2",))
    trouble = Trouble(UserErrorCode.CONFLICT, "no", False, "17", "v1", ("options", "expectedVersion"))
    noted = replace(
        claimed, state=State.ACCEPTED, receipt=receipt, trouble=trouble, unsettled=True, attempts=2
    )
    store.note(noted, 101.0, trouble)
    assert store.write("a") == noted
    first, second = store.steps(["a"])["a"]
    assert (first.state, first.at) == (State.RECEIVED, 100.0)
    assert (second.state, second.attempt, second.document, second.trouble) == (
        State.ACCEPTED,
        2,
        "D1",
        trouble,
    )
    assert names(store.of_subjects(["po:P1/1", "po:P1/9"], 5)["po:P1/1"]) == ["a"]


def test_the_oldest_of_an_object_goes_first_and_alone(store: WriteStore) -> None:
    """Later ones wait, also while the first waits for its next try; one that is applied or parked holds up nobody."""
    for number, subject in (("a", "po:P1/1"), ("b", "po:P1/1"), ("c", "po:P1/2")):
        store.accept(write(number, subject), 0.0)
    claimed = store.claim("w", 100, 10, 9)
    assert names(claimed) == ["a", "c"]
    assert store.claim("other", 105, 10, 9) == []
    store.note(replace(claimed[0], state=State.RETRYING, next_at=500.0), 101.0)
    store.let_go("a", "w")
    assert store.claim("w", 105, 10, 9) == []
    [again] = store.claim("w2", 500, 10, 9)[:1]
    assert again.number == "a"
    store.note(replace(again, state=State.APPLIED, next_at=900.0), 501.0)
    assert names(store.claim("w3", 502, 10, 9)) == ["b"]


def test_who_lost_the_lease_writes_nothing_down(store: WriteStore) -> None:
    """A worker that was thought dead comes back: the other one's word counts."""
    store.accept(write("a"), 0.0)
    [mine] = store.claim("slow", 100, 10, 9)
    store.hold(["a"], "slow", 120.0)
    assert store.claim("quick", 119, 10, 9) == []
    [theirs] = store.claim("quick", 121, 10, 9)
    with pytest.raises(LeaseLost):
        store.note(replace(mine, state=State.SENT), 122.0)
    store.let_go("a", "slow")
    assert store.note(replace(theirs, state=State.VALIDATED), 123.0).state is State.VALIDATED
    assert [step.state for step in store.steps(["a"])["a"]] == [State.RECEIVED, State.VALIDATED]


def test_a_key_stands_for_its_write_until_it_runs_out(store: WriteStore) -> None:
    """While the write is under way it never does; of another actor it is another key."""
    first = write("a", at=100.0)
    store.accept(replace(first, key="k"), 0.0)
    second = replace(write("b", at=1000.0), key="k")
    assert store.accept(second, 999.0).number == "a"
    assert store.accept(replace(second, number="x", actor="you"), 999.0).number == "x"
    [claimed, *_] = store.claim("w", 1000, 10, 1)
    store.note(replace(claimed, state=State.FAILED, next_at=None), 1001.0)
    assert store.keyed("me", "k", 50.0) is not None
    assert store.keyed("me", "k", 999.0) is None
    assert store.accept(second, 50.0).number == "a"
    assert store.accept(second, 999.0).number == "b"
    assert store.write("a") is not None


def test_what_ended_long_ago_is_forgotten_and_what_waits_for_a_person_is_not(store: WriteStore) -> None:
    """Applied, reconciled and refused writes go with their steps; unknown ones and dead letters stay."""
    ends = (State.RECONCILED, State.FAILED, State.OUTCOME_UNKNOWN, State.DEAD_LETTERED)
    for n, state in enumerate(ends):
        store.accept(write(str(n), f"po:P1/{n}", state=state), 0.0)
        [claimed] = store.claim("w", 100, 10, 9)
        store.note(replace(claimed, next_at=None), 101.0)
    assert store.tidy(50.0) == 0
    assert store.tidy(200.0) == 2
    assert [store.write(str(n)) is None for n in range(4)] == [True, True, False, False]
    assert store.steps(["0"])["0"] == []
