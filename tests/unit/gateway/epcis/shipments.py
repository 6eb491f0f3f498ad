"""Events of shipments and what is known of one, for the tests of EPCIS."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from schema.base import Plant
from schema.events import Event

AT = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
KASSEL = Plant("1710", "Kassel", "Europe/Berlin", "4012345000016")
PLANTS = {"1710": KASSEL, "1720": Plant("1720", "Zwolle", "Europe/Amsterdam")}
CHANGED, CONFIRMED, TRACKED = (f"mfg.shipment.{what}.v1" for what in ("changed", "confirmed", "tracked"))
SSCC = "340123458000009405"
GTIN = "04012349010318"


def happened(id: str = "1", type: str = CHANGED, *, number: str = "80000094", **more: Any) -> Event:
    """An event of a shipment from plant 1710; the clock of its source is two hours ahead of UTC."""
    subject, source = f"ship:{number}", "TMS" if type == TRACKED else "WMS"
    at = AT.astimezone(timezone(timedelta(hours=-5)))
    values: dict[str, Any] = {"touches": (subject, "po:1710/1000040"), "occurred_at": at} | more
    late = {"recorded_at": AT, "received_at": AT + timedelta(seconds=2)}
    return Event(type, source, id, subject, f"f{id}", correlation_id="c", **late | values)


def line(lots: list[str], value: str = "40", unit: str = "H87", gtin: str | None = GTIN) -> dict[str, Any]:
    """A line of a shipment, as the graph gives it."""
    return {
        "picked": {"value": "99", "unit": unit},
        "shipped": {"value": value, "unit": unit},
        "item": {"gtin": gtin},
        "lots": [{"number": lot} for lot in lots],
        "salesOrderLine": {"order": {"customerReference": "PO 4711/A"}},
    }


def facts(**more: Any) -> dict[str, Any]:
    """What the graph gives of a shipment."""
    return {
        "number": "80000094",
        "shipFrom": None,
        "shipTo": {"gln": "4066666000026"},
        "handlingUnits": [{"sscc": SSCC}, {"sscc": None}],
        "lines": [line(["L1"])],
    } | more
