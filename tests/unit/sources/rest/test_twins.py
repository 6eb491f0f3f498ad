"""Keys that a system cuts: whose rows they are for certain, whose perhaps, and what is reported (failure story 4)."""

import time
from typing import Any

import httpx2

from schema.base import MatchRule
from schema.errors import SourceRefused
from schema.matching import Reason, Unmatched
from schema.material import LotMaster
from sources.base import Batch, Cell
from sources.rest.config import RestConfig
from sources.rest.source import Rest
from sources.spelling import Spelling
from tests.transport import mocked

EU, US = "FG/L2409-07A-EU", "FG/L2409-07A-US"
CUT = {"item": "FG", "lot": "l2409-07a-"}


def table(lot: Any = None, **read: Any) -> dict[str, Any]:
    """A system that keeps ten characters of a lot, in lower case."""
    master = {"item": "item", "lot": lot or {"path": "lot", "key": "lot"}, "supplier_lot": "mark"}
    return {
        "code": "MES",
        "adapter": "rest",
        "kind": "MES",
        "base_url": "http://127.0.0.1:1",
        "spellings": {
            "lot": {"case": "upper", "send_case": "lower", "cut": 10},
            "sscc": {"check_digit": "verify"},
        },
        "rows": {"lot": {"LotMaster": master}},
        "reads": {
            "lots": {
                "row": "lot",
                "parts": ["LotMaster"],
                "path": "/lots",
                "keys": {"param": "lot", "each": "{item}|{lot}"},
                "key": ["item", "lot:lot"],
                **read,
            }
        },
    }


class System:
    """The system over a transport that answers with these rows; ``reported`` and ``asked`` tell what happened."""

    def __init__(self, rows: list[dict[str, str]], settings: dict[str, Any] | None = None) -> None:
        self.asked: list[list[str]] = []
        self.reported: list[Unmatched] = []

        def answer(request: httpx2.Request) -> httpx2.Response:
            self.asked.append(request.url.params.get_list("lot"))
            return httpx2.Response(200, json=rows)

        self.source = Rest(RestConfig(**(settings or table())), mocked(answer))
        self.source.report = self.reported.append

    async def read(self, *keys: str) -> list[Cell]:
        """The cells of these lots."""
        await self.source.open()
        try:
            batch = Batch(keys, frozenset({LotMaster}), time.monotonic() + 2)
            return (await self.source.reads()[0].fetch(batch))[LotMaster]
        finally:
            await self.source.close()


async def test_one_twin_alone_is_not_confirmed() -> None:
    """Rows under a cut key may be another lot's: they are marked, and the doubt is reported with its candidate."""
    system = System([CUT])
    [row] = await system.read(EU)
    [match] = row.provenance.matches
    assert (row.lot, match.kind, match.key, match.raw) == ("L2409-07A-EU", "Lot", EU, "l2409-07a-")
    assert (match.matched_by, match.confirmed) == (MatchRule.HEURISTIC, False)
    assert system.reported == [
        Unmatched("MES", "Lot", "l2409-07a-", "FG/L2409-07A-", Reason.TRUNCATED, (EU,))
    ]


async def test_both_twins_together_get_nothing() -> None:
    """What could be either's is neither's; both are candidates of the one cut key."""
    system = System([CUT])
    assert all(isinstance(cell, SourceRefused) for cell in await system.read(EU, US))
    assert [(one.reason, one.candidates) for one in system.reported] == [(Reason.TRUNCATED, (EU, US))]


async def test_a_whole_key_that_looks_like_a_cut_one_is_a_twin_too() -> None:
    """A lot whose number is just as long as what the system keeps cannot be told from a longer one that is cut."""
    system = System([CUT])
    assert all(isinstance(cell, SourceRefused) for cell in await system.read("FG/L2409-07A-", EU))


async def test_a_row_that_says_its_whole_key_is_certain() -> None:
    """Where the payload carries the full number, one twin alone gets its own rows and never its brother's."""
    rows = [{**CUT, "full": "L2409-07A-US", "mark": "us"}, {**CUT, "full": "L2409-07A-EU", "mark": "eu"}]
    system = System(rows, table(lot="full"))
    eu, us = await system.read(EU, US)
    assert (eu.supplier_lot, us.supplier_lot) == ("eu", "us")
    assert eu.provenance.matches == us.provenance.matches == ()
    [alone] = await System(rows, table(lot="full")).read(EU)
    assert (alone.supplier_lot, alone.provenance.matches) == ("eu", ())
    assert [one.reason for one in system.reported] == []


async def test_a_key_that_is_not_cut_is_plain() -> None:
    """Shorter lots are matched without doubt, whatever their case."""
    system = System([{"item": "FG", "lot": "l1"}])
    [row] = await system.read("FG/L1")
    assert (row.lot, row.provenance.matches, system.reported) == ("L1", (), [])
    assert system.asked == [["FG|l1"]]


async def test_rows_that_nobody_asked_for_are_reported() -> None:
    """They belong to no key and are not lost in silence."""
    system = System([{"item": "FG", "lot": "l9"}])
    assert await system.read("FG/L1") == [None]
    assert system.reported == [Unmatched("MES", "Lot", "L9", "FG/L9", Reason.UNASKED)]


async def test_a_wrong_check_digit_matches_nothing() -> None:
    """A row under a key whose check digit is wrong is not the row asked for, even if the key is the same."""
    wrong = "106141412345678907"
    settings = table(lot={"path": "lot", "key": "sscc"}, key=["item", "lot:sscc"])
    system = System([{"item": "FG", "lot": wrong}], settings)
    assert await system.read(f"FG/{wrong}") == [None]
    assert [(one.reason, one.key) for one in system.reported] == [(Reason.CHECK_DIGIT, f"FG/{wrong}")]


async def test_one_call_a_key_marks_cut_keys_as_well() -> None:
    """Where every key is a call of its own, twins are still twins."""
    settings = table(keys=None, path="/lots/{lot}", echo=True)
    [row] = await System([CUT], settings).read(EU)
    assert not row.provenance.matches[0].confirmed
    assert all(isinstance(cell, SourceRefused) for cell in await System([CUT], settings).read(EU, US))


async def test_one_call_a_key_does_not_take_a_row_that_says_another_key() -> None:
    """Even where rows belong to the key that was asked: a brother that says its whole name is a brother."""
    settings = table(lot="full", keys=None, path="/lots/{lot}", echo=True)
    system = System([{**CUT, "full": "L2409-07A-US"}], settings)
    assert await system.read(EU) == [None]
    assert [(one.reason, one.key) for one in system.reported] == [(Reason.UNASKED, US)]


def test_a_rest_system_spells_as_its_reads_do() -> None:
    """What the reads say of a kind of key is what lookups use; `keys` need not repeat it, and wins where it does."""
    source = System([]).source
    spelling = source.spelling("Lot")
    assert spelling is not None
    assert spelling.theirs(EU) == ("FG", "l2409-07a-")
    assert source.spelling("Shipment") is None
    said = Rest(RestConfig(**table(), keys={"Lot": {"number": Spelling(prefix="#")}}))
    found = said.spelling("Lot")
    assert found is not None
    assert found.theirs("FG/L1") == ("FG", "#L1")
