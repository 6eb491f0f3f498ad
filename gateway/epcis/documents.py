"""EPCIS documents: what goes to a partner by webhook, and what answers a query."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.epcis.events import FACTS, Plants, event_id, object_event
from gateway.epcis.vocabulary import is_told
from gateway.subscribing import Payload

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
VERSION = "2.0"
QUERY_NAME = "SimpleEventQuery"
SUBSCRIPTION = (
    "subscription Epcis($filter: ShipmentFilter) { shipmentChanged(filter: $filter, snapshot: false) "
    f"{{ objectId shipment {{ ...Facts }} }} }}\n{FACTS}"
)
"""The document of a webhook that is told of shipments in EPCIS."""


def capture_document(result: Payload, plants: Plants, now: datetime) -> bytes | None:
    """The EPCISDocument of one message of SUBSCRIPTION; None where it is about none of a shipment's own events."""
    event = result.event
    if event is None or not is_told(event):
        return None
    change = (orjson.loads(result.body).get("data") or {}).get("shipmentChanged") or {}
    if change.get("objectId") != event.subject:
        return None
    found = object_event(event, change.get("shipment"), plants)
    body = {"eventList": [found]}
    return orjson.dumps(_around("EPCISDocument", body, now) | {"instanceIdentifier": event_id(event)})


def query_document(events: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    """The EPCISQueryDocument that holds these events."""
    results = {"queryName": QUERY_NAME, "resultsBody": {"eventList": list(events)}}
    return _around("EPCISQueryDocument", {"queryResults": results}, now)


def _around(kind: str, body: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    made = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "@context": [CONTEXT],
        "type": kind,
        "schemaVersion": VERSION,
        "creationDate": made,
        "epcisBody": body,
    }
