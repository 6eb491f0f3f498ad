"""Following an edge: whatever its kind, the answer keeps who was asked, who failed, and what is old."""

from collections.abc import Iterable
from typing import Any

from resolvers.edges import Edge, follow
from resolvers.loaders import Answer
from schema.base import SourceOutcome
from schema.errors import SourceTimeout
from schema.logistics import ShipmentLine
from schema.material import Item, Lot
from schema.production import Operation, OperationActual
from sources.base import Stale
from tests.unit.resolvers.making import HERE, amount

OLD = Stale(None, 5.0, SourceOutcome.STALE, "old")
OLDER = Stale(None, 3.0, SourceOutcome.STALE, "older")
LATE = SourceTimeout("late")
OPERATION = Operation("1710", "1", "0010", "Saw", "WC1")
LINE = ShipmentLine("S1", "10", "RM-1", amount("1"), lots=("L1", "L2"))


class Given:
    """Loaders that give these answers: the same to every single load, one each to a set."""

    def __init__(self, *answers: Answer[Any]) -> None:
        self.answers = answers

    async def one(self, cls: type[Any], key: str, by: str = "id") -> Answer[Any]:
        """The answer."""
        return self.answers[0]

    async def many(self, cls: type[Any], key: str, by: str) -> Answer[Any]:
        """The answer."""
        return self.answers[0]

    async def each(self, cls: type[Any], keys: Iterable[str], by: str = "id") -> list[Answer[Any]]:
        """The answers."""
        return [answer for _, answer in zip(keys, self.answers, strict=True)]


def said(answer: Answer[Any]) -> tuple[Any, ...]:
    """Everything but the value."""
    return answer.systems, answer.failures, answer.stale


async def test_a_stub_keeps_what_was_said() -> None:
    """Where the owner once did not know the row, and that is old, the stub says so."""
    unknown: Answer[Item] = Answer(None, ("ERP", "MES"), (("MES", LATE),), (("ERP", OLD),))
    found = await follow(Edge("item", Item, ("item",), stub=True), LINE, Given(unknown))
    assert found.value == Item("RM-1")
    assert said(found) == said(unknown)


async def test_a_match_keeps_what_was_said() -> None:
    """Whether one of the rows matches, none does, or there are no rows at all."""
    edge = Edge("actual", OperationActual, ("plant", "order"), "order", match={"number": "number"})
    rows = [OperationActual("1710", "1", number, HERE, amount("1")) for number in ("0010", "0020")]
    for value, expected in ((rows, rows[0]), (rows[1:], None), (None, None)):
        answer: Answer[Any] = Answer(value, ("MES",), (("ERP", LATE),), (("MES", OLD),))
        found = await follow(edge, OPERATION, Given(answer))
        assert found.value == expected
        assert said(found) == said(answer)


async def test_several_keys_keep_the_worst() -> None:
    """An edge over several keys names every system once, with the oldest of what it gave."""
    edge = Edge("lots", Lot, ("item",), each="lots", stub=True)
    one: Answer[Lot] = Answer(Lot("RM-1", "L1"), ("ERP",), (), (("ERP", OLD),))
    other: Answer[Lot] = Answer(None, ("ERP", "QMS"), (("QMS", LATE),), (("ERP", OLDER),))
    found = await follow(edge, LINE, Given(one, other))
    assert found.value == [Lot("RM-1", "L1"), Lot("RM-1", "L2")]
    assert said(found) == (("ERP", "QMS"), (("QMS", LATE),), (("ERP", OLDER),))
