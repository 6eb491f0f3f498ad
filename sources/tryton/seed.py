# mypy: ignore-errors
"""Makes a Tryton database with a small pump maker in it. A script: it runs inside Tryton's own environment only.

Usage: ``seed.py DIRECTORY``, where DIRECTORY holds ``trytond.conf``, ``password`` and an empty ``db/mfg.sqlite``.
The last line printed is the key of the REST application. Only the dates move with the day; all else is fixed.
Records are saved and clicked in groups: one round through Tryton's rules costs about 30 ms, whatever its size.
"""

import datetime as dt
import sys
import tomllib
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

from proteus import Model, Wizard
from proteus import config as proteus_config
from trytond.cli import admin
from trytond.model import ModelStorage

DATABASE = "mfg"
TODAY = dt.date.today()

FACTORY = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
BOUGHT, MADE, STEPS, CENTERS = (FACTORY[name] for name in ("bought", "made", "steps", "centers"))
MODULES = FACTORY["modules"]
ORDERS = (
    "done done done done running running running assigned assigned waiting waiting draft cancelled request"
)
SHIPMENTS = "done shipped packed picked assigned waiting draft cancelled"


def activate(directory):
    """Create the tables and load the modules' own data, unchecked: Tryton's releases check it themselves."""
    checked = ModelStorage.__dict__["_validate"]
    ModelStorage._validate = classmethod(lambda cls, records, field_names=None: None)
    sys.argv = ["trytond-admin", "-c", f"{directory}/trytond.conf", "-d", DATABASE, "--activate-dependencies"]
    sys.argv += ["--email", "admin@example.com", "-u", "ir", "res", *MODULES]
    admin.main()
    ModelStorage._validate = checked


def one(model, **values):
    """The first record of a model with these values."""
    return Model.get(model).find([(name, "=", value) for name, value in values.items()])[0]


def saved(model, rows):
    """New records of a model, saved in one go."""
    cls = Model.get(model)
    records = [cls(**row) for row in rows]
    cls.save(records)
    return records


def click(records, *buttons):
    """Press buttons on records of one model, all at once."""
    for button in buttons:
        type(records[0]).click(records, button) if records else None


def company(config):
    """The company, its currency and one employee to act as."""
    currency = Model.get("currency.currency")(
        name="Euro", symbol="€", code="EUR", numeric_code="978", digits=2, rounding=Decimal("0.01")
    )
    currency.rates.new(date=dt.date(2020, 1, 1), rate=Decimal(1))
    currency.save()
    owner, person = saved("party.party", [{"name": "Hallvard Pumpen GmbH"}, {"name": "Ada Brandt"}])
    wizard = Wizard("company.company.config")
    wizard.execute("company")
    wizard.form.party = owner
    wizard.form.currency = currency
    wizard.execute("add")
    user = Model.get("res.user")(config.user)
    config._context = type(user).get_preferences(True, {})
    (employee,) = saved("company.employee", [{"party": person}])
    user.employees.append(type(employee)(employee.id))
    user.employee = type(employee)(employee.id)
    user.save()
    config._context = type(user).get_preferences(True, {})


def locations():
    """The warehouse KAS with three aisles of three bins and a quarantine."""
    warehouse, storage = one("stock.location", code="WH"), one("stock.location", code="STO")
    warehouse.name, warehouse.code = "Plant Kassel", "KAS"
    warehouse.production_location = one("stock.location", type="production")
    warehouse.save()
    aisles = [
        {"name": f"Aisle {a}", "code": f"KAS-{a}", "type": "storage", "parent": storage}
        for a in ["A", "B", "C", "QUAR"]
    ]
    aisles = saved("stock.location", aisles)
    bins = [
        {"name": f"Bin {b:02d}", "code": f"{a.code}{b:02d}", "type": "storage", "parent": type(a)(a.id)}
        for a in aisles[:3]
        for b in range(1, 4)
    ]
    return warehouse, saved("stock.location", bins)


def products():
    """Bought, made and sold products by their code."""
    units = {u.name: u for u in Model.get("product.uom").find([])}
    kind = one("ir.sequence.type", name="Stock Lot")
    (lots,) = saved(
        "ir.sequence", [{"name": "Lot", "sequence_type": kind, "company": None, "prefix": "L", "padding": 6}]
    )
    templates = []
    for data in [*BOUGHT, *MADE]:
        unit = units[data.get("unit", "Unit")]
        row = Model.get("product.template")(
            name=data["name"], code=data["code"], default_uom=unit, type="goods"
        )
        row.list_price = Decimal(data["cost"]) * 2
        if data in MADE:
            row.producible = True
        else:
            row.purchasable, row.purchase_uom = True, unit
        if data["code"].startswith("FG"):
            row.salable, row.sale_uom = True, unit
        if data.get("lot", True):
            row.lot_required, row.lot_sequence = ["storage", "production", "customer", "supplier"], lots
        row.products[0].cost_price = Decimal(data["cost"])
        templates.append(row)
    type(templates[0]).save(templates)
    return {data["code"]: row.products[0] for data, row in zip([*BOUGHT, *MADE], templates, strict=True)}


def work_centers():
    """Work centres under the plant, and the operations done there."""
    (root,) = saved("production.work.center", [{"name": "Plant Kassel"}])
    kinds = saved("production.work.center.category", [{"name": name} for name in CENTERS])
    kinds = dict(zip(CENTERS, kinds, strict=True))
    cost = {"parent": root, "cost_price": Decimal(40), "cost_method": "hour"}
    places = [
        {"name": name, "category": kinds[kind], **cost} for kind, names in CENTERS.items() for name in names
    ]
    saved("production.work.center", places)
    steps = [{"name": name, "work_center_category": kinds[kind]} for name, kind in STEPS.items()]
    steps = saved("production.routing.operation", steps)
    return root, dict(zip(STEPS, steps, strict=True))


def recipes(product, steps):
    """A bill of materials and a routing per made product."""
    found = {}
    for data in MADE:
        code = data["code"]
        bom = Model.get("production.bom")(name=code, code=f"B-{code}")
        for component, quantity in data["inputs"].items():
            bom.inputs.new(product=product[component], quantity=quantity)
        bom.outputs.new(product=product[code], quantity=1)
        bom.save()
        routing = Model.get("production.routing")(name=code)
        routing.boms.append(bom)
        for operation in data["steps"]:
            routing.steps.new(operation=steps[operation])
        routing.save()
        bom, routing = type(bom)(bom.id), type(routing)(routing.id)
        link = Model.get("product.product-production.bom")(bom=bom, routing=routing)
        product[code].boms.append(link)
        product[code].save()
        product[code] = type(product[code])(product[code].id)
        found[code] = (bom, routing)
    times = [
        {"product": product[c], "bom": b, "lead_time": dt.timedelta(days=2)} for c, (b, _) in found.items()
    ]
    saved("production.lead_time", times)
    return found


class Stock:
    """Opening stock over the bins, and the lots still free: a planner picks them first in, first out."""

    def __init__(self, product, bins):
        tracked = [data["code"] for data in [*BOUGHT, *MADE] if data.get("lot", True)]
        names = [(code, n) for code in tracked for n in (1, 2)]
        lots = saved(
            "stock.lot",
            [
                {"number": f"{c[:2]}{TODAY:%y%m}-{k:04d}", "product": product[c]}
                for k, (c, _) in enumerate(names)
            ],
        )
        self.free = defaultdict(list)
        lines = []
        for (code, _), lot in zip(names, lots, strict=True):
            lines.append((code, lot, 120.0))
            self.free[product[code].id].append([lot, 120.0])
        lines += [(code, None, 2000.0) for code in product if code not in tracked]
        inventories = []
        for k, place in enumerate(bins):
            inventory = Model.get("stock.inventory")(location=place, date=TODAY - dt.timedelta(days=30))
            for code, lot, quantity in lines[k :: len(bins)]:
                line = inventory.lines.new(product=product[code], quantity=quantity)
                if lot is not None:
                    line.lot = type(lot)(lot.id)
            inventories.append(inventory)
        click(inventories, "confirm")

    def add(self, orders):
        """What orders made is used first."""
        for order in orders:
            order.reload()
            for out in order.outputs:
                self.free[out.product.id].insert(0, [out.lot, out.quantity])

    def pick(self, moves):
        """Give every tracked move the oldest lot that covers it."""
        moves = list(moves)
        for move in moves:
            for row in [] if move.lot else self.free[move.product.id]:
                if row[1] >= move.quantity:
                    row[1] -= move.quantity
                    move.lot = type(row[0])(row[0].id)
                    break
        if moves:
            type(moves[0]).save(moves)


def productions(product, recipe, root, stock):
    """Production orders in every state; the finished ones partly inspected."""
    goals = ORDERS.split()
    codes = list(recipe)
    rows = []
    for k in range(len(goals)):
        code = codes[k % len(codes)]
        order = Model.get("production")(
            reference=f"WO-{4000 + k}", planned_date=TODAY + dt.timedelta(days=(k * 5) % 21 - 6)
        )
        order.product, order.quantity = product[code], (2, 3, 4, 5, 8)[k % 5]
        order.bom, order.routing, order.work_center = *recipe[code], root
        rows.append(order)
    type(rows[0]).save(rows)
    click(
        [
            r
            for r, g in zip(rows, goals, strict=True)
            if g in ["waiting", "assigned", "running", "done", "cancelled"]
        ],
        "wait",
    )
    ready = [r for r, g in zip(rows, goals, strict=True) if g in ("assigned", "running", "done")]
    for order in ready:
        stock.pick(order.inputs)
    click(ready, "assign_try")
    for order in ready:
        order.reload()
    click([r for r, g in zip(rows, goals, strict=True) if g in ("running", "done")], "run")
    click([r for r, g in zip(rows, goals, strict=True) if g == "cancelled"], "cancel")
    running = [r for r, g in zip(rows, goals, strict=True) if g == "running"]
    done = [r for r, g in zip(rows, goals, strict=True) if g == "done"]
    cycles(running, 1, "run")
    cycles(done, None, "run", "do")
    click(done, "do")
    stock.add(done)
    return done


def cycles(orders, first, *buttons):
    """Work one cycle on the first operations of the orders."""
    works = [work for order in orders for work in list(order.works)[:first]]
    for work in works:
        work.cycles.new()
    if works:
        type(works[0]).save(works)
    for work in works:
        work.reload()
    click([cycle for work in works for cycle in work.cycles], *buttons)


def quality(done):
    """One passed and one failed inspection of finished orders."""
    control = Model.get("quality.control")(name="Hydrostatic test")
    control.points.new(string="Tight", type_="boolean")
    control.points.new(string="Pressure bar", type_="float", tolerance_lower=15, tolerance_upper=17)
    control.save()
    rows = [
        {"control": control, "origin": order, "points": {"tight": True, "pressure_bar": bar}}
        for order, bar in zip(done, (16.0, 14.1), strict=False)
    ]
    click(saved("quality.inspection", rows), "process")


def purchasing(product, warehouse):
    """Purchases and their receipts: waiting, received, put away."""
    (supplier,) = saved("party.party", [{"name": "Giesserei Ruhr AG"}])
    orders = []
    for k in range(4):
        order = Model.get("purchase.purchase")(party=supplier, invoice_method="manual", warehouse=warehouse)
        order.purchase_date, order.reference = TODAY - dt.timedelta(days=12 - k), f"Q-{k:03d}"
        code = "RM-IMP-BR" if k % 2 else "RM-SHAFT-20"
        order.lines.new(product=product[code], quantity=25, unit_price=Decimal(30))
        orders.append(order)
    type(orders[0]).save(orders)
    confirmed = orders[:3]
    click(confirmed, "quote", "confirm", "process")
    receipts = []
    for k, order in enumerate(confirmed):
        order.reload()
        receipt = Model.get("stock.shipment.in")(supplier=supplier, reference=f"DN-{700 + k}")
        for move in order.moves:
            receipt.incoming_moves.append(Model.get("stock.move")(move.id))
        receipts.append(receipt)
    type(receipts[0]).save(receipts)
    for k, receipt in enumerate(receipts[1:], 1):
        for move in receipt.incoming_moves:
            (move.lot,) = saved("stock.lot", [{"number": f"GR{TODAY:%y%m}-{k:03d}", "product": move.product}])
            move.save()
        receipt.reload()
    click(receipts[1:], "receive")
    click(receipts[2:], "do")


def selling(product, warehouse, stock):
    """Sales and their shipments in every state; the last sale is only a quotation."""
    names = ["Wasserwerk Fulda", "Chemiepark Nord", "Aqua Systems BV", "Spedition Lahn"]
    *customers, forwarder = saved("party.party", [{"name": name} for name in names])
    carrier = freight(forwarder)
    goals = SHIPMENTS.split()
    sales = []
    for k in range(len(goals) + 1):
        sale = Model.get("sale.sale")(party=customers[k % 3], invoice_method="manual", warehouse=warehouse)
        sale.reference, sale.sale_date = f"PO-{9100 + k}", TODAY - dt.timedelta(days=k + 1)
        sale.shipping_date = TODAY + dt.timedelta(days=k)
        for code in ("FG-HP-80-11", "FG-KIT-SEAL"):
            sale.lines.new(product=product[code], quantity=1 + k % 3, unit_price=Decimal(550))
        sales.append(sale)
    type(sales[0]).save(sales)
    click(sales, "quote")
    click(sales[:-1], "confirm", "process")
    Shipment = Model.get("stock.shipment.out")
    type(sales[0]).reload(sales)
    shipments = [Shipment(sale.shipments[0].id) for sale in sales[:-1]]
    for shipment in shipments:
        shipment.carrier = carrier
    Shipment.save(shipments)
    ship(dict(zip(goals, shipments, strict=True)), stock)


def freight(forwarder):
    """The carrier, and the service product it bills."""
    unit = one("product.uom", name="Unit")
    service = {"name": "Freight", "code": "SV-FREIGHT", "type": "service", "list_price": Decimal(25)}
    (service,) = saved("product.template", [{**service, "default_uom": unit}])
    return saved("carrier", [{"party": forwarder, "carrier_product": service.products[0]}])[0]


def ship(by_goal, stock):
    """Bring each shipment to the state it is named for."""
    click([by_goal["draft"]], "draft")
    click([by_goal["cancelled"]], "cancel")
    ready = [by_goal[g] for g in ("assigned", "picked", "packed", "shipped", "done")]
    for shipment in reversed(ready):
        stock.pick(shipment.inventory_moves)
        shipment.reload()
    click(ready, "assign_try")
    click(ready[1:], "pick")
    kilogram = one("product.uom", name="Kilogram")
    weight = {"packaging_weight": 22.0, "packaging_weight_uom": kilogram}
    (pallet,) = saved("stock.package.type", [{"name": "Euro pallet", **weight}])
    for shipment in ready[2:]:
        package = Model.get("stock.package")(type=pallet, shipment=shipment)
        for move in package.moves.find():
            package.moves.append(move)
        package.save()
        shipment.reload()
    click(ready[2:], "pack")
    click(ready[3:], "ship")
    click(ready[4:], "do")


def main(directory):
    """Make the database; print the key of the REST application last."""
    activate(directory)
    config = proteus_config.set_trytond(
        database=DATABASE, user="admin", config_file=f"{directory}/trytond.conf"
    )
    company(config)
    warehouse, bins = locations()
    product = products()
    root, steps = work_centers()
    recipe = recipes(product, steps)
    stock = Stock(product, bins)
    quality(productions(product, recipe, root, stock))
    purchasing(product, warehouse)
    selling(product, warehouse, stock)
    key = Model.get("res.user.application")(application="rest", user=Model.get("res.user")(config.user))
    key.save()
    if key.state != "validated":
        key.click("validate_")
    print(key.key)


if __name__ == "__main__":
    main(sys.argv[1])
