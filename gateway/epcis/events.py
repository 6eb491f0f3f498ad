"""One event of the log as an ObjectEvent: when and what by the event, which objects and parties by the shipment."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from gateway.epcis.identifiers import lot_uri, party_uri, place_uri, sscc_uri, transaction_uri, unique
from gateway.epcis.vocabulary import OBSERVE, TRACKED, said_by
from schema.base import Plant, split_key
from schema.events import Event

NAMESPACE = uuid.UUID("6d0f6a86-5f0e-5c39-9d0c-8f1f6f9f1a55")
"""Of the ids of events: they are made of the events' numbers, so that an event has the same id wherever it is told."""
EVENT_TYPE = "ObjectEvent"
PIECES = frozenset({"H87", "EA", "C62", "PCE"})
"""Units that count trade items; EPCIS counts them without a unit."""
FACTS = """fragment Facts on Shipment {
  number
  shipFrom { gln }
  shipTo { gln }
  handlingUnits { sscc }
  lines {
    picked { value unit } shipped { value unit }
    item { gtin }
    lots { number }
    salesOrderLine { order { customerReference } }
  }
}"""
"""What is read of a shipment for its events."""
Facts = Mapping[str, Any]
Plants = Mapping[str, Plant]


def event_id(event: Event) -> str:
    """The id of an event."""
    return f"urn:uuid:{uuid.uuid5(NAMESPACE, event.number)}"


def object_event(event: Event, shipment: Facts | None, plants: Plants) -> dict[str, Any]:
    """An event about a shipment, of which nothing but the number is known where there are no facts."""
    said, plant = said_by(event), _plant_of(event, plants)
    facts: Facts = shipment or {}
    units = unique([sscc_uri(unit["sscc"]) for unit in facts.get("handlingUnits") or ()])
    lots = [] if units else _lots(facts.get("lines") or ())
    place = place_uri(plant.gln) if plant is not None and event.type != TRACKED else None
    source, destination = _gln(facts, "shipFrom"), _gln(facts, "shipTo")
    issuer = source or (plant.gln if plant is not None else None)
    found: dict[str, Any] = {
        "type": EVENT_TYPE,
        "eventID": event_id(event),
        **_times(event, plant),
        "action": OBSERVE,
        "bizStep": said.step,
        "disposition": said.disposition,
        # An event without objects still has a list of them: the standard wants one, and lets it be empty.
        "epcList": units if units or not lots else None,
        "quantityList": lots or None,
        "readPoint": {"id": place} if place is not None else None,
        "bizLocation": {"id": place} if place is not None and not said.leaves else None,
        "bizTransactionList": _transactions(event, facts, issuer, destination),
        "sourceList": _from(source, place) if said.moves else None,
        "destinationList": _to(destination) if said.moves else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _times(event: Event, plant: Plant | None) -> dict[str, str]:
    """Both instants in UTC, and how far the clocks on the wall were from it: at the plant, else as the source wrote."""
    zone: tzinfo | None = ZoneInfo(plant.time_zone) if plant is not None and event.type != TRACKED else None
    local = event.occurred_at.astimezone(zone) if zone is not None else event.occurred_at
    return {
        "eventTime": _instant(event.occurred_at),
        "eventTimeZoneOffset": _offset(local.utcoffset() or timedelta()),
        "recordTime": _instant(event.received_at),
    }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _offset(offset: timedelta) -> str:
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _plant_of(event: Event, plants: Plants) -> Plant | None:
    """The plant that an event names: as such, or by an order or a place of it; None where it names several."""
    named = event.data.get("plant")
    codes = {named} if isinstance(named, str) else set()
    if not codes:
        ids = [id.partition(":") for id in event.touches]
        codes = {split_key(key)[0] for prefix, _, key in ids if prefix in ("po", "plant", "loc")}
    found = [plants[code] for code in codes if code in plants]
    return found[0] if len(found) == 1 else None


def _lots(lines: Sequence[Facts]) -> list[dict[str, Any]]:
    """The lots of the lines. How much of each is known where a line has one, and all lines of a lot say it alike."""
    amounts: dict[str, list[Facts | None]] = {}
    for line in lines:
        lots = line.get("lots") or ()
        amount = line.get("shipped") or line.get("picked")
        for lot in lots:
            uri = lot_uri(line["item"]["gtin"], lot["number"])
            if uri is not None:
                amounts.setdefault(uri, []).append(amount if len(lots) == 1 else None)
    return [{"epcClass": uri} | _amount(known) for uri, known in amounts.items()]


def _amount(known: Sequence[Facts | None]) -> dict[str, Any]:
    units = {amount["unit"] for amount in known if amount is not None}
    if None in known or len(units) != 1:
        return {}
    unit, total = (
        units.pop(),
        sum([Decimal(amount["value"]) for amount in known if amount is not None], Decimal()),
    )
    counted: dict[str, Any] = {"quantity": int(total) if total == int(total) else float(total)}
    if unit in PIECES:
        return counted
    return counted | {"uom": unit} if isinstance(unit, str) and len(unit) in (2, 3) else {}


def _transactions(
    event: Event, facts: Facts, issuer: str | None, customer: str | None
) -> list[dict[str, str]]:
    number = str(facts.get("number") or split_key(event.subject.removeprefix("ship:"))[0])
    found = [{"type": "desadv", "bizTransaction": transaction_uri("desadv", number, issuer)}]
    orders = [(line.get("salesOrderLine") or {}).get("order") or {} for line in facts.get("lines") or ()]
    references = unique([order.get("customerReference") or None for order in orders])
    return found + [
        {"type": "po", "bizTransaction": transaction_uri("po", reference, customer)}
        for reference in references
    ]


def _gln(facts: Facts, party: str) -> str | None:
    gln = (facts.get(party) or {}).get("gln")
    return gln if party_uri(gln) is not None else None


def _from(party: str | None, place: str | None) -> list[dict[str, str]] | None:
    """Who had it, and where it was; None where neither is known."""
    uri = party_uri(party)
    found = [] if uri is None else [{"type": "possessing_party", "source": uri}]
    found += [] if place is None else [{"type": "location", "source": place}]
    return found or None


def _to(party: str | None) -> list[dict[str, str]] | None:
    uri = party_uri(party)
    return None if uri is None else [{"type": "possessing_party", "destination": uri}]
