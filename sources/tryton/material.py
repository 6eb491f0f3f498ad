"""Tryton's products, lots, locations, stock and inspections as canonical rows. Pure functions."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from schema.base import Quantity, plain
from schema.equipment import EquipmentLevel, WorkCenter
from schema.material import (
    BalanceView,
    BillOfMaterials,
    BomLine,
    InventoryBalance,
    InventoryMovement,
    Item,
    Location,
    LocationKind,
    Lot,
    LotMaster,
    MovementKind,
    Routing,
    RoutingStep,
    StockStatus,
    TrackingMode,
)
from schema.production import ProductionOrder
from schema.quality import InspectionStatus, QualityInspection
from sources.tryton.mapping import Row, Rules, dig, quantity, utc

PARENTS = 4
"""How many levels above a location its warehouse is looked for."""
LOCATION_KIND = {
    "production": LocationKind.WIP,
    "supplier": LocationKind.SUPPLIER,
    "customer": LocationKind.CUSTOMER,
    "warehouse": LocationKind.STORAGE_LOCATION,
    "view": LocationKind.STORAGE_LOCATION,
}
MOVEMENT_KIND = {
    ("supplier", "storage"): MovementKind.PURCHASE_RECEIPT,
    ("production", "storage"): MovementKind.PRODUCTION_RECEIPT,
    ("storage", "production"): MovementKind.ISSUE_TO_PRODUCTION,
    ("storage", "customer"): MovementKind.SHIP,
    ("customer", "storage"): MovementKind.CUSTOMER_RETURN,
    ("storage", "storage"): MovementKind.TRANSFER,
    ("storage", "lost_found"): MovementKind.ADJUSTMENT,
    ("lost_found", "storage"): MovementKind.ADJUSTMENT,
}
INSPECTION_STATUS = {
    "pending": InspectionStatus.CREATED,
    "passed": InspectionStatus.DECIDED,
    "failed": InspectionStatus.DECIDED,
}
GTIN = frozenset({"ean", "upc", "gtin"})


def location_fields(prefix: str = "") -> list[str]:
    """Fields that say what a location is and which warehouse it belongs to."""
    names = [f"{prefix}code", f"{prefix}name", f"{prefix}type"]
    for level in range(1, PARENTS + 1):
        up = prefix + "parent." * level
        names += [f"{up}code", f"{up}name", f"{up}type"]
    return names


def place(row: Row | None) -> str | None:
    """The code of a location, its name where it has none."""
    return None if row is None else row["code"] or row["name"]


def plant_of(row: Row | None, rules: Rules) -> str | None:
    """The plant whose warehouse a location lies in."""
    while row is not None:
        if row.get("type") == "warehouse":
            return rules.plant(row)
        row = row.get("parent")
    return None


def location(row: Row, rules: Rules) -> Location | None:
    """A location inside a warehouse; None for the virtual ones outside."""
    plant, code = plant_of(row, rules), place(row)
    if plant is None or code is None:
        return None
    kind = LOCATION_KIND.get(row["type"], LocationKind.UNKNOWN)
    if row["type"] == "storage":
        top = dig(row, "parent", "type") == "warehouse"
        kind = LocationKind.STORAGE_LOCATION if top else LocationKind.BIN
        if code in rules.quarantine:
            kind = LocationKind.QUARANTINE
    return Location(plant, code, place(row["parent"]), kind, None, rules.provenance("stock.location", row))


def item(row: Row, rules: Rules) -> Item:
    """A product variant."""
    codes = [one["code"] for one in row["identifiers"] if one["type"] in GTIN]
    return Item(
        row["code"],
        description=row["name"],
        gtin=codes[0].zfill(14) if codes else None,
        base_unit=rules.unit(row["default_uom"]["symbol"]),
        tracking=TrackingMode.LOT if row["lot_required"] else TrackingMode.NONE,
        provenance=rules.provenance("product.product", row),
    )


def boms(row: Row, plants: Iterable[str], rules: Rules) -> list[BillOfMaterials]:
    """The bills of a product, in its own order. Tryton has them for the company: each holds at every plant."""
    return [
        _bom(row["code"], plant, str(n), link["bom"], rules)
        for plant in plants
        for n, link in enumerate(row["boms"], 1)
        if link["bom"] and any(dig(out, "product", "code") == row["code"] for out in link["bom"]["outputs"])
    ]


def _bom(code: str, plant: str, alternative: str, bom: Row, rules: Rules) -> BillOfMaterials:
    base = next(out for out in bom["outputs"] if dig(out, "product", "code") == code)
    return BillOfMaterials(
        plant,
        code,
        quantity(base["quantity"], base["unit"], rules),
        tuple(
            BomLine(str(n * 10), line["product"]["code"], quantity(line["quantity"], line["unit"], rules))
            for n, line in enumerate(bom["inputs"], 1)
            if dig(line, "product", "code")
        ),
        rules.provenance("production.bom", bom),
        alternative,
    )


def routings(row: Row, plants: Iterable[str], rules: Rules) -> list[Routing]:
    """The routing of a product's first bill that has one; its steps name categories, not work centres."""
    found = next((link["routing"] for link in row["boms"] if link["routing"]), None)
    if found is None:
        return []
    return [
        Routing(
            plant,
            row["code"],
            tuple(
                RoutingStep(plant, str(n * 10), dig(step, "operation", "name"))
                for n, step in enumerate(found["steps"], 1)
            ),
            rules.provenance("production.routing", found),
        )
        for plant in plants
    ]


def lot(row: Row, rules: Rules) -> Lot | None:
    """A lot of a product that can be named."""
    code = dig(row, "product", "code")
    return (code and Lot(code, row["number"], provenance=rules.provenance("stock.lot", row))) or None


def output_lots(row: Row, head: ProductionOrder, rules: Rules) -> list[Lot]:
    """The lots that a production makes."""
    found = {}
    for out in row["outputs"]:
        number, code = dig(out, "lot", "number"), dig(out, "product", "code")
        if number and code:
            provenance = rules.provenance("stock.lot", out["lot"])
            found[code, number] = Lot(code, number, head.plant, head.number, provenance)
    return [*found.values()]


def lot_master(row: Row, rules: Rules) -> LotMaster | None:
    """What Tryton's own modules know about a lot beyond its name: that it is there, and since when."""
    code = dig(row, "product", "code")
    return (code and LotMaster(code, row["number"], rules.provenance("stock.lot", row))) or None


def work_center(row: Row, rules: Rules) -> WorkCenter | None:
    """A work centre by its name, the only key it has."""
    plant = rules.plant(row["warehouse"])
    level = EquipmentLevel.WORK_CELL if row["parent"] else EquipmentLevel.AREA
    provenance = rules.provenance("production.work.center", row)
    return (plant and WorkCenter(plant, row["name"], dig(row, "category", "name"), level, provenance)) or None


def movement(row: Row, rules: Rules) -> InventoryMovement | None:
    """A done move of a product that can be named, at the plant whose stock it changed."""
    code, source, target = dig(row, "product", "code"), row["from_location"], row["to_location"]
    plant = plant_of(target, rules) or plant_of(source, rules)
    day: date | None = row["effective_date"]
    if code is None or plant is None or day is None:
        return None
    written = utc(row["write_date"] or row["create_date"])
    same_day = written is not None and written.astimezone(rules.zone).date() == day
    start = rules.moment(day)
    used, made = dig(row, "production_input", "number"), dig(row, "production_output", "number")
    return InventoryMovement(
        rules.system,
        str(row["id"]),
        plant,
        code,
        MOVEMENT_KIND.get((source["type"], target["type"]), MovementKind.UNKNOWN),
        quantity(row["quantity"], row["unit"], rules),
        # Tryton books by the day; the time of the record is the better claim where it falls on that day.
        written if same_day and written is not None else start or rules.fetched_at,
        source_type=f"{source['type']}-{target['type']}",
        provenance=rules.provenance("stock.move", row),
        lot=dig(row, "lot", "number"),
        from_location=place(source),
        to_location=place(target),
        posting_date=day,
        order=used or made,
        reference=row["origin"],
    )


class Ledger:
    """Stock by location and lot: what a closed period left, and the moves since."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._sums: dict[tuple[str, str, str, str | None], list[Decimal]] = {}
        self._last: dict[tuple[str, str, str, str | None], tuple[Row, str]] = {}

    def period(self, rows: Iterable[Row]) -> None:
        """Take over the amounts of a closed period."""
        for row in rows:
            self._book(
                row["location"], row, Decimal(str(row["internal_quantity"] or 0)), Decimal(), "stock.period"
            )

    def moves(self, rows: Iterable[Row]) -> None:
        """Book done moves; assigned ones are reserved where they leave from."""
        for row in rows:
            amount = Decimal(str(row["internal_quantity"] or 0))
            if row["state"] == "done":
                self._book(row["from_location"], row, -amount, Decimal(), "stock.move")
                self._book(row["to_location"], row, amount, Decimal(), "stock.move")
            elif row["state"] == "assigned":
                self._book(row["from_location"], row, Decimal(), amount, "stock.move")

    def _book(self, where: Row, row: Row, on_hand: Decimal, reserved: Decimal, model: str) -> None:
        plant, code = plant_of(where, self.rules), dig(row, "product", "code")
        spot = place(where)
        if plant is None or code is None or spot is None or where["type"] != "storage":
            return
        key = (plant, code, spot, dig(row, "lot", "number"))
        sums = self._sums.setdefault(key, [Decimal(), Decimal()])
        sums[0] += on_hand
        sums[1] += reserved
        self._last[key] = (row, model)

    def balances(self) -> list[InventoryBalance]:
        """Every place with stock or a reservation, in order of item, place and lot."""
        return [
            self._balance(key, *sums)
            for key, sums in sorted(self._sums.items(), key=lambda one: [part or "" for part in one[0]])
            if any(sums)
        ]

    def _balance(
        self, key: tuple[str, str, str, str | None], on_hand: Decimal, reserved: Decimal
    ) -> InventoryBalance:
        plant, code, spot, number = key
        row, model = self._last[key]
        symbol = row["product"]["default_uom"]["symbol"]

        def amount(value: Decimal) -> Quantity:
            return Quantity(plain(value), symbol, self.rules.unit(symbol))

        blocked = spot in self.rules.quarantine
        return InventoryBalance(
            plant,
            code,
            spot,
            BalanceView.BOOK,
            amount(on_hand),
            self.rules.provenance(model, row),
            lot=number,
            stock_status=StockStatus.BLOCKED if blocked else StockStatus.UNRESTRICTED,
            reserved=amount(reserved),
            available=amount(Decimal() if blocked else on_hand - reserved),
        )


def inspection(row: Row, production: Mapping[str, object] | None, rules: Rules) -> QualityInspection | None:
    """An inspection of a production; None for other origins, which have no one quantity to inspect."""
    if production is None or row["number"] is None:
        return None
    lots = {number for out in _rows(production["outputs"]) if (number := dig(out, "lot", "number"))}
    decided = row["state"] in ("passed", "failed")
    unit = production["unit"]
    return QualityInspection(
        row["number"],
        quantity(str(production["quantity"]), unit if isinstance(unit, Mapping) else None, rules),
        rules.provenance("quality.inspection", row),
        INSPECTION_STATUS.get(row["state"], InspectionStatus.UNKNOWN),
        item=dig(production, "product", "code"),
        lot=lots.pop() if len(lots) == 1 else None,
        plant=rules.plant(dig(production, "warehouse")),
        order=str(production["number"]),
        decision_code=row["state"] if decided else None,
        decided_at=utc(row["processed_at"]) if decided else None,
    )


def _rows(value: object) -> list[Row]:
    return value if isinstance(value, list) else []
