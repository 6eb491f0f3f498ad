"""Tryton's parties, sales and purchases as canonical rows. Pure functions."""

from schema.commerce import (
    CommercialStatus,
    Party,
    PurchaseOrder,
    PurchaseOrderLine,
    SalesOrder,
    SalesOrderLine,
)
from sources.tryton.mapping import Row, Rules, dig, quantity, summed

STATUS = {
    "draft": CommercialStatus.DRAFT,
    "quotation": CommercialStatus.OPEN,
    "confirmed": CommercialStatus.CONFIRMED,
    "processing": CommercialStatus.CONFIRMED,
    "done": CommercialStatus.FULFILLED,
    "cancelled": CommercialStatus.CANCELLED,
}
DELIVERED = {
    "sent": CommercialStatus.FULFILLED,
    "received": CommercialStatus.FULFILLED,
    "partially shipped": CommercialStatus.PARTIALLY_FULFILLED,
}
"""What the state of its shipments makes of an order in processing."""


def status(row: Row) -> CommercialStatus:
    """Status of a sale or purchase."""
    known = STATUS.get(row["state"], CommercialStatus.UNKNOWN)
    return DELIVERED.get(row["shipment_state"], known) if row["state"] == "processing" else known


def party(row: Row, rules: Rules) -> Party:
    """A party. Its roles are not kept by Tryton: they follow from its orders."""
    return Party(row["code"], row["name"], provenance=rules.provenance("party.party", row))


def sale(row: Row, rules: Rules) -> SalesOrder | None:
    """A sale with a number."""
    if row["number"] is None or dig(row, "party", "code") is None:
        return None
    provenance = rules.provenance("sale.sale", row)
    return SalesOrder(row["number"], row["party"]["code"], status(row), row["reference"], provenance)


def sale_line(line: Row, order: Row, rules: Rules) -> SalesOrderLine | None:
    """A line of goods; texts and subtotals are none."""
    code = dig(line, "product", "code")
    if code is None or order["number"] is None:
        return None
    return SalesOrderLine(
        order["number"],
        str(line["id"]),
        code,
        quantity(line["quantity"], line["unit"], rules),
        line["shipping_date"],
        rules.plant(order["warehouse"]),
        rules.provenance("sale.line", line),
    )


def purchase(row: Row, rules: Rules) -> PurchaseOrder | None:
    """A purchase with a number."""
    if row["number"] is None or dig(row, "party", "code") is None:
        return None
    provenance = rules.provenance("purchase.purchase", row)
    plant = rules.plant(row["warehouse"])
    return PurchaseOrder(row["number"], row["party"]["code"], provenance, status(row), plant)


def purchase_lines(row: Row, rules: Rules) -> list[PurchaseOrderLine]:
    """Lines of goods; received is what their done moves brought in."""
    found = []
    for line in row["lines"]:
        if dig(line, "product", "code") is None:
            continue
        done = [move for move in line["moves"] if move["state"] == "done"]
        zero = quantity(0, line["unit"], rules)
        found.append(
            PurchaseOrderLine(
                row["number"],
                str(line["id"]),
                line["product"]["code"],
                quantity(line["quantity"], line["unit"], rules),
                summed(done, rules) if done else zero,
                line["delivery_date"],
                provenance=rules.provenance("purchase.line", line),
            )
        )
    return found
