"""Tryton's rows as canonical rows. Pure functions; a row is what ``client`` gives, fields nested by name.

Tryton's dates are days of the company, its times are naive UTC, its quantities binary floats of the move's unit.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from schema.base import Provenance, Quantity, plain
from schema.errors import MappingError
from schema.production import (
    MaterialRequirement,
    Operation,
    OperationActual,
    OperationPlan,
    OperationStatus,
    OrderExecution,
    OrderPlanning,
    OrderPosting,
    OrderStatus,
    ProductionOrder,
)

Row: TypeAlias = Mapping[str, Any]

ORDER_STATUS = {
    "request": OrderStatus.PLANNED,
    "draft": OrderStatus.CREATED,
    "waiting": OrderStatus.RELEASED,
    "assigned": OrderStatus.RELEASED,
    "running": OrderStatus.IN_PROGRESS,
    "done": OrderStatus.COMPLETED,
    "cancelled": OrderStatus.CANCELLED,
}
WORK_STATUS = {
    "request": OperationStatus.PENDING,
    "draft": OperationStatus.PENDING,
    "waiting": OperationStatus.READY,
    "running": OperationStatus.RUNNING,
    "finished": OperationStatus.COMPLETED,
    "done": OperationStatus.CLOSED,
}
UNITS = {
    "u": "H87",
    "kg": "KGM",
    "g": "GRM",
    "lb": "LBR",
    "oz": "ONZ",
    "ct": "CTM",
    "m": "MTR",
    "cm": "CMT",
    "mm": "MMT",
    "km": "KMT",
    "ft": "FOT",
    "in": "INH",
    "l": "LTR",
    "cm³": "CMQ",
    "m³": "MTQ",
    "m²": "MTK",
    "cm²": "CMK",
    "h": "HUR",
    "min": "MIN",
    "s": "SEC",
    "d": "DAY",
    "wd": "E49",
}
"""Tryton's unit symbols, as it ships them, → UN/ECE Recommendation 20."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the mapping must be told: the system, and how this Tryton is set up."""

    system: str
    fetched_at: datetime
    zone: ZoneInfo
    plants: Mapping[str, str] = field(default_factory=dict)
    """Warehouse code → plant, where they differ."""
    units: Mapping[str, str] = field(default_factory=dict)
    """Unit symbols of this database → UN/ECE code, beside ``UNITS``."""
    outbound: str = "OUT-"
    inbound: str = "IN-"
    quarantine: frozenset[str] = frozenset()
    """Codes of locations whose stock is blocked."""

    def plant(self, warehouse: Row | None) -> str | None:
        """The plant of a warehouse; None where it has no code."""
        code = (warehouse or {}).get("code")
        return None if code is None else self.plants.get(code, code)

    def unit(self, symbol: str) -> str:
        """UN/ECE code of a unit symbol; a symbol nobody told us about stays as it is."""
        return self.units.get(symbol) or UNITS.get(symbol, symbol)

    def moment(self, day: date | None) -> datetime | None:
        """The start of a day of the plant."""
        return None if day is None else datetime.combine(day, time(), self.zone)

    def provenance(self, model: str, row: Row) -> Provenance:
        """Where a row comes from; its key is spelled as Tryton spells references: ``production,12``."""
        changed = row.get("write_date") or row.get("create_date")
        key = f"{model},{row['id']}"
        return Provenance(self.system, self.fetched_at, key, utc(changed), version(changed))


def utc(moment: datetime | None) -> datetime | None:
    """A naive time of Tryton, which is UTC, as such."""
    return None if moment is None else moment.replace(tzinfo=UTC)


def version(moment: datetime | None) -> str | None:
    """What tells two states of a record apart: the time of its last write."""
    return None if moment is None else moment.isoformat()


def dig(row: Any, *path: str) -> Any:
    """A nested value; None where anything on the way is missing."""
    for name in path:
        if not isinstance(row, Mapping):
            return None
        row = row.get(name)
    return row


def text(value: float | str) -> str:
    """A number of the wire as decimal text: the shortest that reads back as the same float."""
    return plain(Decimal(str(value)))


def total(rows: Iterable[Row], name: str = "quantity") -> str:
    """The sum of a column, exact in decimals."""
    return plain(sum((Decimal(str(row[name] or 0)) for row in rows), Decimal()))


def quantity(amount: float | str | None, unit: Row | None, rules: Rules) -> Quantity:
    """An amount with the unit it is in; raises MappingError where Tryton gave none."""
    symbol = (unit or {}).get("symbol")
    if symbol is None:
        raise MappingError(
            f"{rules.system}: an amount of {amount} without a unit", hint="give the unit a symbol"
        )
    return Quantity(text(amount or 0), symbol, rules.unit(symbol))


def summed(rows: list[Row], rules: Rules) -> Quantity:
    """The sum of moves of one unit."""
    return quantity(total(rows), rows[0]["unit"], rules)


def of_item(rows: Iterable[Row]) -> dict[tuple[str, int], list[Row]]:
    """Moves by product code and unit, in their own order; products without a code cannot be named."""
    found: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        code = dig(row, "product", "code")
        if code is not None and row["state"] != "cancelled":
            found.setdefault((code, row["unit"]["id"]), []).append(row)
    return found


def order(row: Row, rules: Rules) -> ProductionOrder | None:
    """Identity of a production; None where plant, number or product cannot be named."""
    plant, item = rules.plant(row["warehouse"]), dig(row, "product", "code")
    if plant is None or row["number"] is None or item is None:
        return None
    return ProductionOrder(plant, row["number"], item, provenance=rules.provenance("production", row))


def planning(row: Row, head: ProductionOrder, rules: Rules) -> OrderPlanning:
    """What was planned. Tryton keeps no time of release."""
    return OrderPlanning(
        head.plant,
        head.number,
        quantity(row["quantity"], row["unit"], rules),
        rules.provenance("production", row),
        planned_start=rules.moment(row["planned_start_date"]),
        planned_end=rules.moment(row["planned_date"]),
        due_date=row["planned_date"],
        status=ORDER_STATUS.get(row["state"], OrderStatus.UNKNOWN),
        status_codes=(row["state"],),
    )


def posting(row: Row, head: ProductionOrder, rules: Rules) -> OrderPosting:
    """What was booked: the done moves of the product itself."""
    own = own_moves(row, head)
    days = [m["effective_date"] for m in [*row["inputs"], *row["outputs"]] if m["state"] == "done"]
    booked = received(row, head, rules)
    return OrderPosting(
        head.plant,
        head.number,
        rules.provenance("production", row),
        confirmed_yield=booked,
        received=booked,
        last_posting_date=max((day for day in days if day), default=None),
        fully_posted=row["state"] == "done" and all(move["state"] == "done" for move in own),
    )


def own_moves(row: Row, head: ProductionOrder) -> list[Row]:
    """Moves of what the order makes, without its by-products."""
    return [m for m in row["outputs"] if dig(m, "product", "code") == head.item and m["state"] != "cancelled"]


def received(row: Row, head: ProductionOrder, rules: Rules) -> Quantity:
    """What was put into stock of it."""
    done = [move for move in own_moves(row, head) if move["state"] == "done"]
    return summed(done, rules) if done else quantity(0, row["unit"], rules)


def materials(row: Row, head: ProductionOrder, rules: Rules) -> list[MaterialRequirement]:
    """Components: required is what the moves plan or did, issued is what they did."""
    found = []
    for (code, _), moves in of_item(row["inputs"]).items():
        done = [move for move in moves if move["state"] == "done"]
        issued = summed(done, rules) if done else quantity(0, moves[0]["unit"], rules)
        found.append(
            MaterialRequirement(
                head.plant,
                head.number,
                code,
                summed(moves, rules),
                issued,
                provenance=rules.provenance("production", row),
            )
        )
    return found


def execution(row: Row, head: ProductionOrder, rules: Rules) -> OrderExecution:
    """How far the shop floor is, as Tryton's own works and days tell."""
    running = [number for number, work in numbered(row) if work["state"] == "running"]
    started = row["state"] in ("running", "done")
    return OrderExecution(
        head.plant,
        head.number,
        rules.provenance("production", row),
        actual_start=rules.moment(row["effective_start_date"]) if started else None,
        actual_end=rules.moment(row["effective_date"]) if row["state"] == "done" else None,
        good=received(row, head, rules) if started else None,
        current_operation=running[0] if running else None,
        status=ORDER_STATUS.get(row["state"], OrderStatus.UNKNOWN),
        status_codes=(row["state"],),
    )


def numbered(row: Row) -> list[tuple[str, Row]]:
    """Works in the order of their sequence; Tryton numbers none, so they count 10, 20, 30."""
    works = sorted(row["works"], key=lambda one: (one["sequence"] is None, one["sequence"] or 0, one["id"]))
    return [(str(place * 10), work) for place, work in enumerate(works, 1)]


def operations(row: Row, head: ProductionOrder, rules: Rules) -> list[Operation]:
    """Works as they are planned."""
    found = []
    for number, work in numbered(row):
        provenance = rules.provenance("production.work", work)
        found.append(
            Operation(
                head.plant,
                head.number,
                number,
                description=dig(work, "operation", "name"),
                work_center=dig(work, "work_center", "name"),
                plan=OperationPlan(provenance, quantity=quantity(row["quantity"], row["unit"], rules)),
                planned_status=WORK_STATUS.get(work["state"], OperationStatus.UNKNOWN),
                provenance=provenance,
            )
        )
    return found


def actuals(row: Row, head: ProductionOrder, rules: Rules) -> list[OperationActual]:
    """Works as they are done. Their cycles carry no times of their own."""
    return [
        OperationActual(
            head.plant,
            head.number,
            number,
            rules.provenance("production.work", work),
            machine=dig(work, "work_center", "name"),
            status=WORK_STATUS.get(work["state"], OperationStatus.UNKNOWN),
        )
        for number, work in numbered(row)
    ]


Part: TypeAlias = Callable[[Row, Any, Rules], Any]
ORDER_PARTS: dict[type, Part] = {
    OrderPlanning: planning,
    OrderPosting: posting,
    OrderExecution: execution,
    OperationActual: actuals,
    MaterialRequirement: materials,
    Operation: operations,
}
