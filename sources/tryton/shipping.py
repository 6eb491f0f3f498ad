"""Tryton's shipments, out to customers and in from suppliers, as canonical rows. Pure functions."""

from decimal import Decimal

from schema.base import Quantity, join_key, plain
from schema.logistics import (
    Direction,
    HandlingUnit,
    Shipment,
    ShipmentLine,
    ShipmentPosting,
    ShipmentStatus,
    ShipmentWarehouse,
)
from sources.tryton.mapping import Part, Row, Rules, dig, quantity, summed, total

SHIPMENT_STATUS = {
    "draft": ShipmentStatus.PLANNED,
    "waiting": ShipmentStatus.PLANNED,
    "assigned": ShipmentStatus.ALLOCATED,
    "picked": ShipmentStatus.PICKED,
    "packed": ShipmentStatus.PACKED,
    "shipped": ShipmentStatus.SHIPPED,
    "done": ShipmentStatus.SHIPPED,
    "cancelled": ShipmentStatus.CANCELLED,
}
RECEIPT_STATUS = {
    "draft": ShipmentStatus.PLANNED,
    "received": ShipmentStatus.DELIVERED,
    "done": ShipmentStatus.DELIVERED,
    "cancelled": ShipmentStatus.CANCELLED,
}


def shipment_number(model: str, row: Row, rules: Rules) -> str | None:
    """Number with the prefix of its kind; None for one that has no number yet."""
    number = row["number"]
    prefix = rules.outbound if model == "stock.shipment.out" else rules.inbound
    return None if number is None else f"{prefix}{number}"


def shipment_out(row: Row, rules: Rules) -> Shipment | None:
    """A customer shipment."""
    number = shipment_number("stock.shipment.out", row, rules)
    if number is None:
        return None
    lines = {sales_line(move) for move in row["outgoing_moves"]}
    return Shipment(
        number,
        Direction.OUTBOUND,
        rules.plant(row["warehouse"]),
        ship_to=dig(row, "customer", "code"),
        carrier=dig(row, "carrier", "party", "code"),
        sales_lines=tuple(sorted(line for line in lines if line)),
        provenance=rules.provenance("stock.shipment.out", row),
    )


def shipment_in(row: Row, rules: Rules) -> Shipment | None:
    """A supplier shipment."""
    number = shipment_number("stock.shipment.in", row, rules)
    if number is None:
        return None
    orders = {dig(move, "purchase", "number") for move in row["incoming_moves"]}
    return Shipment(
        number,
        Direction.INBOUND,
        rules.plant(row["warehouse"]),
        ship_from=dig(row, "supplier", "code"),
        purchase_order=min((order for order in orders if order), default=None),
        provenance=rules.provenance("stock.shipment.in", row),
    )


def warehouse(row: Row, head: Shipment, rules: Rules) -> ShipmentWarehouse:
    """How far the warehouse is; percent picked counts lines' amounts, where it works on any."""
    outbound = head.direction is Direction.OUTBOUND
    model, words = (
        ("stock.shipment.out", SHIPMENT_STATUS) if outbound else ("stock.shipment.in", RECEIPT_STATUS)
    )
    moves = [move for move in row.get("inventory_moves", ()) if move["state"] != "cancelled"]
    wanted, picked = Decimal(total(moves)), Decimal(total(m for m in moves if m["state"] == "done"))
    return ShipmentWarehouse(
        head.number,
        rules.provenance(model, row),
        status=words.get(row["state"], ShipmentStatus.UNKNOWN),
        picked_percent=plain((picked * 100 / wanted).quantize(Decimal("0.1"))) if wanted else None,
        confirmed_at=rules.moment(row["effective_date"]) if row["state"] in ("shipped", "done") else None,
    )


def shipment_posting(row: Row, head: Shipment, rules: Rules) -> ShipmentPosting:
    """Goods issue (or receipt): posted once every move of it is done."""
    outbound = head.direction is Direction.OUTBOUND
    model, name = (
        ("stock.shipment.out", "outgoing_moves") if outbound else ("stock.shipment.in", "incoming_moves")
    )
    moves = [move for move in row[name] if move["state"] != "cancelled"]
    posted = bool(moves) and all(move["state"] == "done" for move in moves)
    days = [move["effective_date"] for move in moves if posted and move["effective_date"]]
    return ShipmentPosting(
        head.number,
        rules.provenance(model, row),
        goods_issue_posted=posted,
        document=f"{model},{row['id']}" if posted else None,
        posted_at=rules.moment(max(days, default=None)),
    )


def shipment_lines(row: Row, head: Shipment, rules: Rules) -> list[ShipmentLine]:
    """One line a product and sales line; a move split over lots is one line with several lots."""
    outbound = head.direction is Direction.OUTBOUND
    moves = row["outgoing_moves" if outbound else "incoming_moves"]
    lines: dict[tuple[str, str], list[Row]] = {}
    for move in moves:
        code = dig(move, "product", "code")
        if code is not None and move["state"] != "cancelled":
            lines.setdefault((code, str(move["origin"])), []).append(move)
    found = []
    for place, ((code, _), parts) in enumerate(lines.items(), 1):
        done = [move for move in parts if move["state"] == "done"]
        moved = summed(done, rules) if done else quantity(0, parts[0]["unit"], rules)
        line = ShipmentLine(
            head.number,
            str(place * 10),
            code,
            summed(parts, rules),
            lots=tuple(dict.fromkeys(lot for m in parts if (lot := dig(m, "lot", "number")))),
            sales_line=sales_line(parts[0]) if outbound else None,
            provenance=rules.provenance("stock.move", parts[0]),
        )
        if outbound:
            line.picked, line.shipped = picked(row, code, parts, rules), moved
        else:
            line.delivered = moved
        found.append(line)
    return found


def picked(row: Row, code: str, parts: list[Row], rules: Rules) -> Quantity:
    """What the inner moves of a product brought to the dock, no more than the line asks for."""
    inner = [m for m in row["inventory_moves"] if dig(m, "product", "code") == code and m["state"] == "done"]
    amount = min(Decimal(total(inner)), Decimal(total(parts)))
    return quantity(plain(amount), parts[0]["unit"], rules)


def sales_line(move: Row) -> str | None:
    """Key of the sales order line a move fulfils; the line's number is Tryton's record id."""
    model, _, number = str(move.get("origin") or "").partition(",")
    order_number = dig(move, "sale", "number")
    return join_key(order_number, number) if model == "sale.line" and order_number else None


def handling_units(row: Row, head: Shipment, rules: Rules) -> list[HandlingUnit]:
    """Packages of a customer shipment. Tryton numbers them; it knows no SSCC."""
    return [
        HandlingUnit(
            head.number,
            package["number"] or str(package["id"]),
            kind=dig(package, "type", "name"),
            parent=dig(package, "parent", "number"),
            provenance=rules.provenance("stock.package", package),
        )
        for package in row.get("packages", ())
    ]


SHIPMENT_PARTS: dict[type, Part] = {
    ShipmentWarehouse: warehouse,
    ShipmentPosting: shipment_posting,
    ShipmentLine: shipment_lines,
    HandlingUnit: handling_units,
}
