"""What the simple event query may ask for, and what is refused."""

from datetime import timedelta

import pytest

from gateway.epcis.asking import MOST_PAGE, QueryParameter, QueryValidation, read_query
from gateway.epcis.events import event_id, object_event
from tests.unit.gateway.epcis.shipments import AT, CONFIRMED, PLANTS, SSCC, TRACKED, facts, happened

SHIPPED, MOVING = happened("1", CONFIRMED), happened("2", TRACKED, data={"status": "IN_TRANSIT"})


def chosen(*given: tuple[str, str]) -> list[int]:
    """Which of the two events are asked for."""
    query = read_query(given)
    return [
        number
        for number, event in enumerate((SHIPPED, MOVING), 1)
        if query.may_hold(event) and query.holds(object_event(event, facts(), PLANTS))
    ]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("eventType", "ObjectEvent,AggregationEvent", [1, 2]),
        ("eventType", "AggregationEvent", []),
        ("EQ_action", "OBSERVE", [1, 2]),
        ("EQ_action", "ADD", []),
        ("EQ_bizStep", "shipping", [1]),
        ("EQ_bizStep", "shipping,transporting", [1, 2]),
        ("EQ_bizStep", "https://ref.gs1.org/cbv/BizStep-transporting", [2]),
        ("EQ_bizStep", "urn:epcglobal:cbv:bizstep:shipping", [1]),
        ("EQ_disposition", "in_transit", [1, 2]),
        ("EQ_disposition", "urn:epcglobal:cbv:disp:reserved", []),
        ("EQ_eventID", event_id(MOVING), [2]),
        ("MATCH_epc", f"https://id.gs1.org/00/{SSCC}", [1, 2]),
        ("MATCH_anyEPC", "urn:epc:id:sscc:4012345.3800000940", [1, 2]),
        ("MATCH_epc", "https://id.gs1.org/00/340123458000009412", []),
        ("MATCH_epcClass", f"https://id.gs1.org/00/{SSCC}", []),
        ("EQ_readPoint", "https://id.gs1.org/414/4012345000016", [1]),
        ("EQ_bizLocation", "https://id.gs1.org/414/4012345000016", []),
        ("EQ_bizTransaction_desadv", "urn:epcglobal:cbv:bt:4012345000016:80000094", [1, 2]),
        ("EQ_bizTransaction_po", "urn:epcglobal:cbv:bt:4012345000016:80000094", []),
        ("GE_eventTime", AT.isoformat(), [1, 2]),
        ("LT_eventTime", AT.isoformat(), []),
        ("GE_recordTime", (AT + timedelta(seconds=3)).isoformat(), []),
        ("LT_recordTime", (AT + timedelta(seconds=3)).isoformat().replace("+", " "), [1, 2]),
    ],
)
def test_each_parameter_chooses(name: str, text: str, expected: list[int]) -> None:
    """By the event or by its shipment; words of the vocabulary as such or as URIs; an instant whose + became a blank."""
    assert chosen((name, text)) == expected


def test_parameters_hold_together_and_values_of_one_are_a_choice() -> None:
    """A parameter that is given twice has the values of both."""
    assert chosen(("EQ_bizStep", "shipping"), ("EQ_bizStep", "transporting")) == [1, 2]
    assert chosen(("EQ_bizStep", "shipping"), ("EQ_action", "ADD")) == []


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([("EQ_bizstep", "shipping")], QueryParameter),
        ([("orderBy", "eventTime")], QueryParameter),
        ([("EQ_bizStep", "shipping,")], QueryParameter),
        ([("EQ_bizTransaction_", "x")], QueryParameter),
        ([("GE_eventTime", "2026-11-24T09:00:00")], QueryParameter),
        ([("GE_eventTime", "yesterday")], QueryParameter),
        ([("MATCH_epc", "urn:epc:idpat:sscc:4012345.*")], QueryParameter),
        ([("perPage", "0")], QueryParameter),
        ([("perPage", "٣")], QueryParameter),
        ([("EQ_action", ",".join(["ADD"] * 101))], QueryParameter),
        ([("perPage", "1"), ("perPage", "2")], QueryValidation),
        ([("GE_eventTime", AT.isoformat()), ("LT_eventTime", AT.isoformat())], QueryValidation),
    ],
)
def test_what_cannot_be_met_is_refused(given: list[tuple[str, str]], kind: type[Exception]) -> None:
    """Never passed over: the answer would hold what nobody asked for."""
    with pytest.raises(kind):
        read_query(given)


def test_a_page_has_a_size_of_its_own_where_more_is_asked_for() -> None:
    """Larger pages than there may be are as large as they may be."""
    assert read_query([("perPage", "5")]).per_page == 5
    assert read_query([("perPage", "100000")]).per_page == MOST_PAGE
