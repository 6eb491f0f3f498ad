"""The two plants, their work centers, storage locations, bins and the firms around them: fixed master data."""

from __future__ import annotations

from dataclasses import dataclass

from sources.plant.world.material import Location
from sources.plant.world.trade import Party


@dataclass(frozen=True, slots=True)
class Plant:
    """A site with its own time zone."""

    code: str
    name: str
    time_zone: str
    gln: str
    city: str
    country: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class WorkCenter:
    """A place that does operations; `equipment` are the machines maintenance knows."""

    code: str
    plant: str
    name: str
    level: str
    equipment: tuple[str, ...]
    version: int = 0


PLANTS = (
    Plant("1710", "Kassel", "Europe/Berlin", "4012345000016", "Kassel", "DE"),
    Plant("1720", "Zwolle", "Europe/Amsterdam", "8712345000028", "Zwolle", "NL"),
)

WORK_CENTERS = (
    WorkCenter("K-MIX1", "1710", "Mixing 1", "PROCESS_CELL", ("10007001",)),
    WorkCenter("K-ASM1", "1710", "Assembly 1", "WORK_CELL", ("10007011", "10007012")),
    WorkCenter("K-ASM2", "1710", "Assembly 2", "WORK_CELL", ("10007021",)),
    WorkCenter("K-PNT1", "1710", "Paint line", "PRODUCTION_LINE", ("10007031",)),
    WorkCenter("K-TST1", "1710", "Test bench", "WORK_CELL", ("10007041",)),
    WorkCenter("K-PCK1", "1710", "Packing", "PRODUCTION_LINE", ("10007051",)),
    WorkCenter("Z-FIL1", "1720", "Filling 1", "PROCESS_CELL", ("10008001",)),
    WorkCenter("Z-ASM1", "1720", "Assembly", "WORK_CELL", ("10008011",)),
    WorkCenter("Z-TST1", "1720", "Test bench", "WORK_CELL", ("10008021",)),
    WorkCenter("Z-PCK1", "1720", "Packing", "PRODUCTION_LINE", ("10008031",)),
)

ROUTES = {
    "1710": ("K-MIX1", "K-ASM1", "K-PNT1", "K-TST1", "K-PCK1"),
    "1720": ("Z-FIL1", "Z-ASM1", "Z-TST1", "Z-PCK1"),
}

RAW, GOODS, QUARANTINE = "A", "B", "Q"


def storage(plant: str, area: str) -> str:
    """The ERP storage location of an area: 171A raw material, 171B finished goods, 171Q quarantine."""
    return f"{plant[:3]}{area}"


def line_side(work_center: str) -> str:
    """The line-side stock place of a work center."""
    return f"LS-{work_center}"


def _locations(plant: str, letter: str) -> list[Location]:
    rows = [
        Location(storage(plant, RAW), plant, "STORAGE_LOCATION"),
        Location(storage(plant, GOODS), plant, "STORAGE_LOCATION"),
        Location(storage(plant, QUARANTINE), plant, "STORAGE_LOCATION"),
    ]
    for area, aisles in ((RAW, 8), (GOODS, 5), (QUARANTINE, 1)):
        rows += [
            Location(f"{letter}{area}-{aisle:02d}-{slot:02d}", plant, _BIN_KINDS[area], storage(plant, area))
            for aisle in range(1, aisles + 1)
            for slot in range(1, 5)
        ]
    rows.append(Location(f"{letter}-STAGE", plant, "STAGING", storage(plant, RAW)))
    rows.append(Location(f"{letter}-DOCK1", plant, "DOCK", storage(plant, GOODS)))
    return rows


_BIN_KINDS = {RAW: "BIN", GOODS: "BIN", QUARANTINE: "QUARANTINE"}
LETTERS = {"1710": "K", "1720": "Z"}


def locations() -> dict[str, Location]:
    """Every place by code: storage locations, bins, staging, docks and the lines."""
    rows = [row for plant in PLANTS for row in _locations(plant.code, LETTERS[plant.code])]
    rows += [
        Location(line_side(center.code), center.plant, "WIP", storage(center.plant, RAW))
        for center in WORK_CENTERS
    ]
    return {row.code: row for row in rows}


_CARRIERS = (
    ("3pl-7", "Fulda Logistik", ("THREE_PL", "CARRIER"), "DE", "Fulda", "FULD"),
    ("3pl-2", "IJssel Warehousing", ("THREE_PL",), "NL", "Deventer", "IJSW"),
    ("dhl-freight", "DHL Freight", ("CARRIER",), "DE", "Bonn", "DHLF"),
    ("dsv-road", "DSV Road", ("CARRIER",), "DK", "Hedehusene", "DSVR"),
    ("rhenus", "Rhenus", ("CARRIER",), "DE", "Holzwickede", "RHNS"),
)
_CITIES = (("DE", "Hannover"), ("NL", "Utrecht"), ("FR", "Lyon"), ("AT", "Linz"), ("PL", "Poznan"))


def gln_of(body: str) -> str:
    """A GLN: twelve digits and the right check digit."""
    total = sum(int(digit) * (1 if n % 2 == 0 else 3) for n, digit in enumerate(body))
    return body + str(-total % 10)


def parties() -> dict[str, Party]:
    """Every firm by code."""
    rows = [
        Party(code, name, roles, gln_of(f"4055555{index:05d}"), country, city, scac)
        for index, (code, name, roles, country, city, scac) in enumerate(_CARRIERS)
    ]
    for number in range(1, 51):
        country, city = _CITIES[number % 5]
        gln = gln_of(f"4066666{number:05d}")
        rows.append(Party(f"cust-{number}", f"{city} Machines {number}", ("CUSTOMER",), gln, country, city))
    for number in range(1, 13):
        country, city = _CITIES[(number + 2) % 5]
        roles = ("SUPPLIER", "CUSTOMER") if number == 12 else ("SUPPLIER",)
        rows.append(
            Party(
                f"sup-{number}",
                f"{city} Supply {number}",
                roles,
                gln_of(f"4077777{number:05d}"),
                country,
                city,
            )
        )
    rows.append(
        Party("cm-zwolle", "Zwolle Contract Works", ("CONTRACT_MANUFACTURER",), PLANTS[1].gln, "NL", "Zwolle")
    )
    return {row.code: row for row in rows}
