"""Packing a shipment: one pallet, and cartons on it."""

from __future__ import annotations

from decimal import Decimal

from sources.plant.world.trade import HandlingUnit, Shipment
from sources.plant.world.world import World


def pack(world: World, shipment: Shipment, sscc: str) -> None:
    """One pallet with two or three cartons on it."""
    line = shipment.lines[0]
    gross = world.items[line.item].gross_kg
    pallet = sscc or sscc_of(int(shipment.number) * 10)
    weight = line.picked * gross + Decimal(22)
    shipment.units.append(HandlingUnit(pallet, "PALLET", "", weight, [(line.number, line.picked)]))
    count = 2 + int(shipment.number) % 2
    each = (line.picked / count).quantize(Decimal(1))
    for n in range(count):
        part = each if n < count - 1 else line.picked - each * (count - 1)
        carton = sscc_of(int(shipment.number) * 10 + n + 1)
        shipment.units.append(
            HandlingUnit(carton, "CARTON", pallet, part * gross + Decimal("0.6"), [(line.number, part)])
        )


def sscc_of(serial: int) -> str:
    """An 18-digit SSCC with a right check digit."""
    body = f"34012345{serial % 10**9:09d}"
    total = sum(int(digit) * (3 if n % 2 == 0 else 1) for n, digit in enumerate(body))
    return body + str(-total % 10)
