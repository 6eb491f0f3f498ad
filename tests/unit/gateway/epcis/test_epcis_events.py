"""A shipment's event in the words of GS1: identifiers, steps, places, and what is left out because nobody knows it."""

from typing import Any

import pytest

from gateway.epcis.events import event_id, object_event
from gateway.epcis.identifiers import lot_uri, party_uri, same_form, sscc_uri, transaction_uri
from gateway.epcis.vocabulary import is_told, said_by
from tests.unit.gateway.epcis.shipments import (
    CHANGED,
    CONFIRMED,
    GTIN,
    PLANTS,
    SSCC,
    TRACKED,
    facts,
    happened,
    line,
)

UNIT = f"https://id.gs1.org/00/{SSCC}"


def test_a_confirmed_shipment_is_shipped_from_its_plant() -> None:
    """With its pallets, its numbers, from whom and to whom; afterwards it is at no place that is known."""
    event = happened(type=CONFIRMED)
    assert object_event(event, facts(), PLANTS) == {
        "type": "ObjectEvent",
        "eventID": event_id(event),
        "eventTime": "2026-07-01T09:30:00.000Z",
        "eventTimeZoneOffset": "+02:00",
        "recordTime": "2026-07-01T09:30:02.000Z",
        "action": "OBSERVE",
        "bizStep": "shipping",
        "disposition": "in_transit",
        "epcList": [UNIT],
        "readPoint": {"id": "https://id.gs1.org/414/4012345000016"},
        "bizTransactionList": [
            {"type": "desadv", "bizTransaction": "urn:epcglobal:cbv:bt:4012345000016:80000094"},
            {"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:4066666000026:PO%204711%2FA"},
        ],
        "sourceList": [{"type": "location", "source": "https://id.gs1.org/414/4012345000016"}],
        "destinationList": [
            {"type": "possessing_party", "destination": "https://id.gs1.org/417/4066666000026"}
        ],
    }


@pytest.mark.parametrize(
    ("status", "step", "disposition"),
    [
        ("ALLOCATED", "reserving", "reserved"),
        ("PICKED", "picking", "in_progress"),
        ("PACKED", "packing", "in_progress"),
        ("STAGED", "staging_outbound", "in_progress"),
        ("LOADED", "loading", "in_progress"),
        ("IN_TRANSIT", "transporting", "in_transit"),
        ("AVAILABLE_FOR_PICKUP", "arriving", "in_transit"),
        ("DELIVERED", "receiving", "in_progress"),
        ("CANCELLED", "void_shipping", None),
        ("RETURNED", None, "returned"),
        ("EXCEPTION", None, None),
        ("no such status", None, None),
    ],
)
def test_a_status_is_a_step_and_a_disposition(status: str, step: str | None, disposition: str | None) -> None:
    """Where the vocabulary has no word for it there is none."""
    said = said_by(happened(data={"status": status}))
    assert (said.step, said.disposition) == (step, disposition)


def test_before_it_leaves_it_is_at_its_plant_and_goes_to_nobody() -> None:
    """Read there, and there afterwards; no source and no destination."""
    found = object_event(happened(data={"status": "STAGED"}), facts(), PLANTS)
    assert found["bizLocation"] == found["readPoint"] == {"id": "https://id.gs1.org/414/4012345000016"}
    assert not {"sourceList", "destinationList"} & found.keys()


def test_what_a_carrier_says_happened_nowhere_that_is_known() -> None:
    """Not at the plant; and its clock is the one that its message was written by."""
    found = object_event(happened(type=TRACKED, data={"status": "SHIPPED"}), facts(), PLANTS)
    assert found["bizStep"] == "departing"
    assert found["eventTimeZoneOffset"] == "-05:00"
    assert not {"readPoint", "bizLocation", "sourceList"} & found.keys()


def test_without_units_the_lots_are_told_with_what_is_known_of_their_amounts() -> None:
    """One lot of a line has the line's amount, several have none; pieces have no unit, kilograms do."""
    lines = [
        line(["L1"], "40"),
        line(["L1"], "2.5"),
        line(["L2", "L3"]),
        line(["L4"], "12.125", "KGM"),
        line(["no lot ü"]),
        line(["L5"], gtin=None),
    ]
    found = object_event(happened(data={"status": "PICKED"}), facts(handlingUnits=[], lines=lines), PLANTS)
    lot = f"https://id.gs1.org/01/{GTIN}/10/"
    assert "epcList" not in found
    assert found["quantityList"] == [
        {"epcClass": f"{lot}L1", "quantity": 42.5},
        {"epcClass": f"{lot}L2"},
        {"epcClass": f"{lot}L3"},
        {"epcClass": f"{lot}L4", "quantity": 12.125, "uom": "KGM"},
    ]


@pytest.mark.parametrize("known", [None, facts(handlingUnits=None, lines=None, shipTo=None)])
def test_a_shipment_without_any_identifiable_object_has_an_empty_list_and_its_number(known: Any) -> None:
    """The standard lets the list be empty, not be missing; a number whose issuer is not known has a name of ours."""
    event = happened(touches=("ship:80000094",), data={"status": "PLANNED"})
    found = object_event(event, known, PLANTS)
    assert found["epcList"] == []
    assert found["bizTransactionList"] == [
        {"type": "desadv", "bizTransaction": "urn:crossdock:desadv:80000094"}
    ]
    assert not {"quantityList", "readPoint", "bizLocation", "sourceList", "destinationList"} & found.keys()


def test_several_plants_are_none() -> None:
    """Nobody knows at which of them it happened."""
    event = happened(touches=("ship:80000094", "po:1710/1", "po:1720/2"), data={"status": "PACKED"})
    found = object_event(event, facts(), PLANTS)
    assert "readPoint" not in found
    assert found["eventTimeZoneOffset"] == "-05:00"


def test_an_event_has_the_same_id_wherever_it_is_told() -> None:
    """It is its number's, and another event has another."""
    assert event_id(happened("1")) == event_id(happened("1", touches=()))
    assert event_id(happened("1")) != event_id(happened("2"))


def test_only_a_shipments_own_events_are_told() -> None:
    """A hold that touches it is none, nor is one that is about something else."""
    assert [is_told(happened(type=type)) for type in (CHANGED, CONFIRMED, TRACKED)] == [True] * 3
    assert not is_told(happened(type="mfg.quality-hold.changed.v1"))


def test_an_identifier_with_a_wrong_check_digit_is_none() -> None:
    """Nor one that is too short, has letters or other digits, or a lot that no barcode can hold."""
    assert sscc_uri(SSCC) == sscc_uri(f"00{SSCC}") == UNIT
    assert sscc_uri("340123458000009406") is None
    assert sscc_uri("٣" * 18) is None
    assert sscc_uri("") is sscc_uri(None) is None
    assert party_uri("4012345000017") is None
    assert lot_uri("4012349010318", "A/1") == f"https://id.gs1.org/01/{GTIN}/10/A%2F1"
    assert lot_uri("04012349010319", "A") is None
    assert lot_uri(GTIN, "x" * 21) is None
    assert transaction_uri("po", "7", "4012345000017") == "urn:crossdock:po:7"


def test_both_forms_of_a_unit_are_one() -> None:
    """That of tags and that of links."""
    assert same_form("urn:epc:id:sscc:4012345.3800000940") == UNIT
    assert same_form(UNIT) == UNIT
    assert same_form("urn:epc:id:sscc:40123.3") == "urn:epc:id:sscc:40123.3"
