"""What an event of a shipment is in the words of the Core Business Vocabulary: by the event alone, so that it stays so.

Every step here is one at which objects are seen (OBSERVE): a shipment neither brings identifiers into being nor ends them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schema.events import Event
from schema.logistics import ShipmentStatus

TRACKED, CONFIRMED = "mfg.shipment.tracked.v1", "mfg.shipment.confirmed.v1"
TYPES = frozenset({"mfg.shipment.changed.v1", CONFIRMED, TRACKED})
"""The events that are told: those of a shipment itself."""
OBSERVE = "OBSERVE"
P = ShipmentStatus


@dataclass(frozen=True, slots=True)
class Said:
    """``leaves``: afterwards it is at the plant no more; ``moves``: it goes from one party to another."""

    step: str | None = None
    disposition: str | None = None
    leaves: bool = False
    moves: bool = False


BY_STATUS: Mapping[ShipmentStatus, Said] = {
    P.PLANNED: Said("reserving", "reserved"),
    P.ALLOCATED: Said("reserving", "reserved"),
    P.PICKING: Said("picking", "in_progress"),
    P.PICKED: Said("picking", "in_progress"),
    P.PACKED: Said("packing", "in_progress"),
    P.STAGED: Said("staging_outbound", "in_progress"),
    P.LOADED: Said("loading", "in_progress"),
    P.SHIPPED: Said("shipping", "in_transit", leaves=True, moves=True),
    P.IN_TRANSIT: Said("transporting", "in_transit", leaves=True, moves=True),
    P.OUT_FOR_DELIVERY: Said("transporting", "in_transit", leaves=True, moves=True),
    P.AVAILABLE_FOR_PICKUP: Said("arriving", "in_transit", leaves=True, moves=True),
    P.DELIVERED: Said("receiving", "in_progress", leaves=True, moves=True),
    P.RETURNED: Said(None, "returned", leaves=True),
    P.CANCELLED: Said("void_shipping", moves=True),
}
"""A status that is not here says nothing that the vocabulary has a word for."""
DEPARTED = Said("departing", "in_transit", leaves=True, moves=True)
"""That it was shipped, said by its carrier."""
NOTHING = Said()


def is_told(event: Event) -> bool:
    """Whether an event becomes one of EPCIS."""
    return event.type in TYPES and event.subject.startswith("ship:")


def said_by(event: Event) -> Said:
    """What an event says happened to a shipment."""
    status = status_of(event)
    if event.type == TRACKED and status is P.SHIPPED:
        return DEPARTED
    return NOTHING if status is None else BY_STATUS.get(status, NOTHING)


def status_of(event: Event) -> ShipmentStatus | None:
    """The status that an event says; None where it says none. What the status is now is another matter."""
    if event.type == CONFIRMED:
        return P.SHIPPED
    status = event.data.get("status")
    return ShipmentStatus(status) if isinstance(status, str) and status in P.__members__ else None
