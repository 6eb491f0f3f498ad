"""What a message says, by tables alone; tables that say nothing sensible are refused with their place."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from schema.errors import ConfigError, MappingError
from schema.material import Item, Lot
from schema.production import Operation, OrderPlanning, ProductionOrder
from sources.events import Fact, Hint, Message, Named
from sources.rest.config import RestConfig
from sources.rest.source import Rest

DONE = "mfg.operation.completed.v1"


def source(plants: tuple[str, ...] = ("P1",), **events: dict[str, Any]) -> Rest:
    """A small system that tells these."""
    order = {"number": "no", "item": "item", "plant": "plant"}
    return Rest(
        RestConfig.model_validate(
            {
                "code": "X",
                "adapter": "rest",
                "kind": "MES",
                "plants": plants,
                "base_url": "http://127.0.0.1:1",
                "time_zone": "Europe/Berlin",
                "units": {"PCS": "H87", "DZ": {"unit": "H87", "factor": "12"}},
                "codes": {"state": {"E": "COMPLETED"}},
                "spellings": {"order": {"pad": 8}, "lot": {"case": "upper"}},
                "rows": {"order": {"ProductionOrder": order}},
                "reads": {
                    "orders": {
                        "row": "order",
                        "parts": ["ProductionOrder"],
                        "path": "/o",
                        "keys": {"param": "no", "join": ","},
                    }
                },
                "events": events,
            }
        )
    )


ENDED: dict[str, Any] = {
    "match": {"event": "ended"},
    "type": DONE,
    "subject": {"type": "Operation", "order": {"path": "job", "key": "order"}, "number": "op"},
    "touches": [{"type": "Lot", "each": "lots", "item": "^item", "number": {"path": "lot", "key": "lot"}}],
    "occurred_at": "at",
    "recorded_at": {"path": "stored", "format": "epoch_s"},
    "version": "v",
    "data": {
        "status": {"path": "state", "codes": "state"},
        "good": {"quantity": "good", "unit": "uom"},
        "scrap": {"quantity": "scrap", "unit": "uom"},
        "final": {"path": "final", "true": ["yes"]},
        "names": {"each": "lots", "path": "lot"},
        "note": "note",
    },
}
BODY: dict[str, Any] = {
    "event": "ended",
    "job": "00001234",
    "op": "0010",
    "item": "A",
    "lots": [{"lot": "l1"}, {"lot": "l2"}],
    "at": "2026-01-05T10:00:00",
    "stored": 1767603610,
    "v": 7,
    "state": "E",
    "good": "2.5",
    "scrap": 0,
    "uom": "DZ",
    "final": "yes",
    "note": "",
}


def test_a_message_becomes_a_fact_in_our_words() -> None:
    """Keys spelled our way, times in UTC by the system's zone, amounts in standard units, codes translated."""
    [fact] = source(ended=ENDED).told(Message(BODY, "m1")) or ()
    assert fact == Fact(
        type=DONE,
        subject=Named(Operation, ("P1", "1234", "0010")),
        touches=(Named(Lot, ("A", "L1")), Named(Lot, ("A", "L2"))),
        id="m1",
        occurred_at=datetime(2026, 1, 5, 9, tzinfo=UTC),
        recorded_at=datetime(2026, 1, 5, 9, 0, 10, tzinfo=UTC),
        version="7",
        data={
            "status": "COMPLETED",
            "good": "30",
            "unit": "H87",
            "scrap": "0",
            "final": True,
            "names": ["l1", "l2"],
        },
    )


def test_a_kind_that_no_table_matches_is_told_from_one_that_says_nothing() -> None:
    """Nobody said how to read it: that is for people; none of its elements counts: that is an answer."""
    telling = source(ended={**ENDED, "where": {"good": ">0"}})
    assert telling.told(Message({**BODY, "event": "begun"})) is None
    assert telling.told(Message({**BODY, "good": "0"})) == []
    assert source().told(Message(BODY)) is None
    assert telling.told(Message(["ended"])) is None


def test_one_message_may_tell_several_things() -> None:
    """A list in it, and several tables that match; then the envelope's id is nobody's own."""
    each = {
        "match": {"event": "ended"},
        "each": "lots",
        "type": "mfg.lot.changed.v1",
        "subject": {"type": "Lot", "item": "^item", "number": "lot"},
        "fact": ["lot"],
    }
    told = source(ended=ENDED, lots=each).told(Message(BODY, "m1")) or ()
    assert [(one.type, one.id) for one in told if isinstance(one, Fact)] == [
        (DONE, None),
        ("mfg.lot.changed.v1", None),
        ("mfg.lot.changed.v1", None),
    ]


def test_a_message_with_the_key_alone_says_what_to_read() -> None:
    """A plant that it leaves out is any of those it may be; another part is not."""
    hint = {
        "match": {"type": "changed"},
        "reads": ["OrderPlanning"],
        "subject": {"type": "ProductionOrder", "number": {"path": "no", "key": "order"}},
    }
    [told] = (
        source(plants=("P1", "P2"), changed=hint).told(Message({"type": "changed", "no": "00000007"})) or ()
    )
    assert told == Hint(Named(ProductionOrder, (None, "7")), (OrderPlanning,))
    assert told.subject.key is None
    assert told.subject.at("P2") == "P2/7"
    assert Named(Item, ("A",)).key == "A"
    assert Named(Operation, ("P1", "7", None)).at("P2") is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"job": None}, "subject: 0 objects, not one"),
        ({"good": "many"}, "not a number"),
        ({"uom": "KG"}, "units"),
        ({"at": "yesterday"}, "yesterday"),
        ({"lots": {"lot": 1}}, "a list was expected"),
    ],
)
def test_a_message_that_is_not_as_expected_says_where(change: dict[str, Any], said: str) -> None:
    """The system, the table and what is wrong."""
    with pytest.raises(MappingError, match=r"systems\.X\.events\.ended") as caught:
        source(ended=ENDED).told(Message({**BODY, **change}))
    assert said in str(caught.value)


def test_a_touched_object_that_is_not_there_is_passed_over() -> None:
    """An optional reference is no mistake of the message."""
    table = {**ENDED, "touches": [{"type": "Item", "number": "material"}]}
    [fact] = source(ended=table).told(Message(BODY)) or ()
    assert isinstance(fact, Fact)
    assert fact.touches == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": "mfg.operation.done.v1"}, "no canonical event"),
        ({"subject": {"type": "Operatoin", "number": "op"}}, "did you mean Operation"),
        ({"subject": {"type": "OrderExecution", "order": "job"}}, "has no ids of its own"),
        ({"subject": {"type": "Operation", "order": "job"}}, "number of Operation is missing"),
        ({"subject": {"type": "Item", "nummer": "op"}}, "no part of the key of Item"),
        ({"type": None}, "name one"),
        ({"reads": ["OrderPlanning"]}, "name one"),
        ({"match": {}}, "match"),
        ({"version": {"path": "v", "codes": "nowhere"}}, "codes 'nowhere' are not in"),
        ({"occured_at": "at"}, "occured_at"),
    ],
)
def test_a_table_that_cannot_be_followed_is_refused_at_the_start(change: dict[str, Any], said: str) -> None:
    """With its place, and what there is."""
    with pytest.raises((ConfigError, ValidationError)) as caught:
        source(ended={name: value for name, value in {**ENDED, **change}.items() if value is not None})
    assert said in str(caught.value)


def test_a_subject_without_its_plant_needs_to_be_read() -> None:
    """A fact names its subject in full: with several plants the table must say which."""
    with pytest.raises(ConfigError, match="plant of Operation is missing"):
        source(plants=("P1", "P2"), ended=ENDED)
