"""How the warehouse writes things down: naive local times, boxes, lots with blanks and the wrong case."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sources.plant.asgi import Refusal
from sources.plant.dialects.common import text
from sources.plant.world.material import Item

BERLIN = ZoneInfo("Europe/Berlin")


def local(value: datetime | None) -> str | None:
    """`2026-11-23 07:10:00`, Europe/Berlin, no offset."""
    return f"{value.astimezone(BERLIN):%Y-%m-%d %H:%M:%S}" if value else None


def local_moment(value: str) -> datetime | None:
    """A caller's time: local without an offset, or ISO with one. Raises Refusal 400."""
    if not value:
        return None
    try:
        at = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError as error:
        raise Refusal(400, f"not a time: {value!r}; use 2026-11-23 07:10:00 (Europe/Berlin)") from error
    return (at if at.tzinfo else at.replace(tzinfo=BERLIN)).astimezone(UTC)


def noisy_lot(lot: str) -> str:
    """One lot in three was typed by hand: lower case with a trailing blank."""
    return f"{lot.lower()} " if lot and sum(map(ord, lot)) % 3 == 2 else lot


def clean_lot(lot: str) -> str:
    """However a caller writes it, this is the lot."""
    return lot.strip().upper()


def measured(item: Item, quantity: Decimal) -> tuple[str, str]:
    """A base quantity and its unit as counted here: boxes where the item has boxes, else pieces."""
    if item.pieces_per_box:
        return text(item.boxes(quantity)), "XBX"
    return text(item.pieces(quantity)), "PCE"
