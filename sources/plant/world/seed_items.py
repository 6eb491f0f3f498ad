"""The 200 items of the plant: finished goods, subassemblies, raw and packing material, with BOMs and routings."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from sources.plant.world.material import KG, PC, BomLine, Item, Step
from sources.plant.world.places import ROUTES

BOTH = ("1710", "1720")
_BOXES = (Decimal(10), Decimal(20), Decimal(25), Decimal(50))
_WEIGHTS = (Decimal("0.5"), Decimal("0.25"), Decimal("2"))
_STEPS = ("Prepare", "Assemble", "Finish", "Test", "Pack")
_NOUNS = ("Valve", "Pump", "Gearbox", "Actuator", "Sensor", "Coupling", "Filter", "Regulator")


def seed_items(rng: Random) -> dict[str, Item]:
    """All items by number; raw and packing numbers are digits only, as older masters have them."""
    raw = [_raw(rng, f"{100200 + n}", "Raw material", "RM") for n in range(90)]
    packing = [_raw(rng, f"{100900 + n}", "Packing", "PK") for n in range(10)]
    subs = [_made(rng, f"SF-{2001 + n}", "SF") for n in range(40)]
    goods = [_made(rng, f"FG-{1001 + n}", "FG") for n in range(60)]
    for item in subs:
        item.bom = _bom(rng, rng.sample(raw, 3))
    for item in goods:
        item.bom = _bom(rng, [rng.choice(subs), *rng.sample(raw, 3), rng.choice(packing)])
    return {item.number: item for item in (*goods, *subs, *raw, *packing)}


def _raw(rng: Random, number: str, name: str, kind: str) -> Item:
    """Two raw items in five are kept in kg and counted in pieces by the MES; three of a hundred lack a box factor."""
    in_kg = kind == "RM" and int(number) % 5 < 2
    return Item(
        number=number,
        description=f"{name} {number[-3:]}",
        kind=kind,
        base_unit=KG if in_kg else PC,
        gtin=_gtin(int(number)),
        tracking="LOT" if kind == "RM" else "NONE",
        revision="A",
        plants=BOTH,
        kg_per_piece=rng.choice(_WEIGHTS) if in_kg else None,
        pieces_per_box=rng.choice(_BOXES),
        box_known=int(number) % 33 != 7,
        gross_kg=Decimal("0.2"),
    )


def _made(rng: Random, number: str, kind: str) -> Item:
    noun = rng.choice(_NOUNS)
    serial = kind == "FG" and int(number[-2:]) % 10 == 5
    item = Item(
        number=number,
        description=f"{noun} {number[-4:]}",
        kind=kind,
        base_unit=PC,
        gtin=_gtin(900000 + int(number[-4:])),
        tracking="LOT_AND_SERIAL" if serial else "LOT",
        revision=rng.choice("ABCD"),
        plants=BOTH,
        pieces_per_box=rng.choice(_BOXES),
        box_known=number != "FG-1013",
        gross_kg=Decimal(rng.randint(4, 60)) / 10,
    )
    item.routing = {plant: _routing(rng, centers) for plant, centers in ROUTES.items()}
    return item


def _routing(rng: Random, centers: tuple[str, ...]) -> list[Step]:
    return [
        Step(f"{(n + 1) * 10:04d}", _STEPS[n], center, rng.randint(1, 4) * 5, Decimal(rng.randint(4, 18)))
        for n, center in enumerate(centers)
    ]


def _bom(rng: Random, components: list[Item]) -> list[BomLine]:
    lines = []
    for n, item in enumerate(components):
        per_hundred = (
            Decimal(rng.choice((20, 50, 80))) if item.base_unit == KG else Decimal(rng.choice((100, 200)))
        )
        backflush = item.kind == "PK" or rng.random() < 0.15
        scrap = Decimal(rng.choice((0, 0, 1, 2)))
        operation = "0010" if n < 3 else "0020"
        lines.append(
            BomLine(f"{(n + 1) * 10:04d}", item.number, per_hundred, operation, scrap, backflush=backflush)
        )
    return lines


def _gtin(number: int) -> str:
    """A GTIN-14 with a right check digit."""
    body = f"0401234{number:06d}"
    total = sum(int(digit) * (3 if n % 2 == 0 else 1) for n, digit in enumerate(body))
    return body + str(-total % 10)
