"""SAP_PRD: items with units, BOMs, routings, batches, book stock and material documents."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sources.plant.asgi import Row
from sources.plant.dialects.common import Rows, bare, one, text
from sources.plant.dialects.sap_words import (
    EntitySet,
    amount,
    changed_since,
    contains,
    dated,
    line_no,
    material,
    order_no,
    stamp,
    unit,
    when,
)
from sources.plant.world.ledger import Ledger
from sources.plant.world.material import Item, Lot, LotKey, Movement, Place
from sources.plant.world.places import storage
from sources.plant.world.world import World

PRODUCT = "API_PRODUCT_SRV/A_Product"
BOM = "API_BILL_OF_MATERIAL_SRV/A_BillOfMaterial"
ROUTING = "API_PRODUCTION_ROUTING_SRV/A_ProductionRouting"
BATCH = "API_BATCH_SRV/A_Batch"
STOCK = "API_MATERIAL_STOCK_SRV/A_MatlStkInAcctMod"
DOCUMENTS = "API_MATERIAL_DOCUMENT_SRV/A_MaterialDocumentItem"
TYPES = {
    "PURCHASE_RECEIPT": "101",
    "PRODUCTION_RECEIPT": "101",
    "ISSUE_TO_PRODUCTION": "261",
    "RETURN_FROM_PRODUCTION": "262",
    "TRANSFER": "311",
    "SHIP": "601",
    "ADJUSTMENT": "702",
}
PROFILE = {"NONE": "", "LOT": "", "SERIAL": "0001", "LOT_AND_SERIAL": "0001"}
StockRow = tuple[Place, Decimal]


def sets(world: World) -> list[EntitySet[Any]]:
    """The entity sets of material."""
    return [_items(world), _boms(world), _routings(world), _batches(world), _stock(world), _documents(world)]


def _items(world: World) -> EntitySet[Item]:
    return EntitySet(
        path=PRODUCT,
        key="Product",
        everything=world.items.values,
        row=Rows[Item](lambda item: item.number, _item_row),
        indexes={
            "Product": lambda key: one(world.items)(bare(key)),
            "ProductStandardID": lambda key: [row for row in world.items.values() if row.gtin == key],
        },
        params={"gtin": "ProductStandardID", "type": "ProductType"},
        tests={"search": contains("Product", "ProductDescription")},
        nested=("to_ProductUnitsOfMeasure",),
    )


def _item_row(item: Item) -> Row:
    return {
        "Product": material(item.number),
        "ProductType": {"FG": "FERT", "SF": "HALB", "RM": "ROH", "PK": "VERP"}[item.kind],
        "ProductDescription": item.description,
        "BaseUnit": unit(item),
        "ProductStandardID": item.gtin,
        "IsBatchManagementRequired": item.tracking in ("LOT", "LOT_AND_SERIAL"),
        "SerialNumberProfile": PROFILE[item.tracking],
        "TrackingMode": item.tracking,
        "RevisionLevel": item.revision,
        "GrossWeight": text(item.gross_kg),
        "WeightUnit": "KG",
        "to_ProductUnitsOfMeasure": {"results": _units(item)},
    }


def _units(item: Item) -> list[Row]:
    """One row per unit: `QuantityNumerator` base units are `QuantityDenominator` of the alternative."""
    rows = [_unit_row(item, unit(item), Decimal(1), Decimal(1))]
    if item.kg_per_piece:
        rows.append(_unit_row(item, "PC", item.kg_per_piece * 1000, Decimal(1000)))
    if item.pieces_per_box and item.box_known:
        factor = item.pieces_per_box * (item.kg_per_piece or 1)
        rows.append(_unit_row(item, "BOX", factor * 1000, Decimal(1000)))
    return rows


def _unit_row(item: Item, alternative: str, numerator: Decimal, denominator: Decimal) -> Row:
    return {
        "Product": material(item.number),
        "AlternativeUnit": alternative,
        "QuantityNumerator": text(numerator),
        "QuantityDenominator": text(denominator),
        "BaseUnit": unit(item),
    }


def _made(world: World, key: str) -> Iterable[tuple[Item, str]]:
    item = world.items.get(bare(key))
    return [] if item is None else [(item, plant) for plant in item.routing]


def _all_made(world: World) -> list[tuple[Item, str]]:
    return [(item, plant) for item in world.items.values() for plant in item.routing]


def _boms(world: World) -> EntitySet[tuple[Item, str]]:
    return EntitySet(
        path=BOM,
        key="BillOfMaterial",
        everything=lambda: _all_made(world),
        row=lambda made: _bom_row(world, *made),
        indexes={
            "BillOfMaterial": lambda key: [made for made in _made(world, key[:-5]) if made[1] == key[-4:]],
            "Material": lambda key: _made(world, key),
        },
        params={"material": "Material", "plant": "Plant"},
        nested=("to_BillOfMaterialItem",),
    )


def _bom_row(world: World, item: Item, plant: str) -> Row:
    lines = [
        {
            "BillOfMaterialItemNumber": line.position,
            "BillOfMaterialComponent": material(line.component),
            "BillOfMaterialItemQuantity": amount(line.per_hundred),
            "BillOfMaterialItemUnit": unit(world.items[line.component]),
            "ComponentScrapInPercent": amount(line.scrap_percent),
            "IsPhantomItem": line.phantom,
            "IsBackflush": line.backflush,
            "ManufacturingOrderOperation": line.operation,
        }
        for line in item.bom
    ]
    return {
        "BillOfMaterial": f"{item.number}-{plant}",
        "Material": material(item.number),
        "Plant": plant,
        "BillOfMaterialVariant": "1",
        "HeaderValidityStartDate": when((world.clock.start - timedelta(days=400)).date()),
        "BOMHeaderQuantityInBaseUnit": "100",
        "BOMHeaderBaseUnit": unit(item),
        "to_BillOfMaterialItem": {"results": lines},
    }


def _routings(world: World) -> EntitySet[tuple[Item, str]]:
    return EntitySet(
        path=ROUTING,
        key="ProductionRouting",
        everything=lambda: _all_made(world),
        row=lambda made: _routing_row(*made),
        indexes={
            "ProductionRouting": lambda key: [made for made in _made(world, key[:-5]) if made[1] == key[-4:]],
            "Material": lambda key: _made(world, key),
        },
        params={"material": "Material", "plant": "Plant"},
        nested=("to_Operation",),
    )


def _routing_row(item: Item, plant: str) -> Row:
    steps = [
        {
            "Operation": step.number,
            "OperationText": step.description,
            "WorkCenter": step.work_center,
            "StandardSetupDuration": str(step.setup_minutes),
            "StandardSetupDurationUnit": "MIN",
            "StandardUnitDuration": text(step.seconds_per_unit),
            "StandardUnitDurationUnit": "S",
        }
        for step in item.routing[plant]
    ]
    return {
        "ProductionRouting": f"{item.number}-{plant}",
        "Material": material(item.number),
        "Plant": plant,
        "to_Operation": {"results": steps},
    }


def _batches(world: World) -> EntitySet[Lot]:
    def by_order(key: str) -> list[Lot]:
        order = world.orders.get(bare(key))
        return [world.lots[order.lot_key]] if order is not None and order.lot_key else []

    def by_key(key: str) -> list[Lot]:
        item, _, lot = key.partition("|")
        known = world.lots.get(LotKey(bare(item), lot))
        return [known] if known else []

    return EntitySet(
        path=BATCH,
        key="BatchKey",
        everything=world.lots.values,
        row=Rows[Lot](lambda lot: lot.key, _batch_row),
        indexes={
            "BatchKey": by_key,
            "ManufacturingOrder": by_order,
            "Material": lambda key: world.lots_of_item.get(bare(key), []),
        },
        params={"order": "ManufacturingOrder", "material": "Material", "batch": "Batch", "plant": "Plant"},
        tests={
            "changedSince": changed_since("LastChangeDateTime"),
            "expiringBefore": dated("ShelfLifeExpirationDate", latest=True),
            "search": contains("Batch", "BatchBySupplier"),
        },
    )


def _batch_row(lot: Lot) -> Row:
    return {
        "BatchKey": f"{material(lot.item)}|{lot.number}",
        "Material": material(lot.item),
        "BatchIdentifyingPlant": lot.plant,
        "Plant": lot.plant,
        "Batch": lot.number,
        "BatchIsRestricted": lot.book_status == "07",
        "BatchBySupplier": lot.supplier_lot,
        "Supplier": lot.supplier,
        "ManufacturingOrder": order_no(lot.order),
        "ManufactureDate": when(lot.manufactured),
        "ShelfLifeExpirationDate": when(lot.expires),
        "CountryOfOrigin": lot.country,
        "LastChangeDateTime": stamp(lot.changed_at),
    }


def _stock(world: World) -> EntitySet[StockRow]:
    def by_batch(key: str) -> list[StockRow]:
        item, _, lot = key.partition("|")
        return world.ledger.book.of_lot(LotKey(bare(item), lot))

    return EntitySet(
        path=STOCK,
        key="StockKey",
        everything=world.ledger.book.everything,
        row=lambda row: _stock_row(world, *row),
        indexes={
            "BatchKey": by_batch,
            "StockKey": lambda key: [
                row for row in world.ledger.book.everything() if _stock_key(row[0]) == key
            ],
            "Material": lambda key: world.ledger.book.of_item(bare(key)),
        },
        params={
            "batchKey": "BatchKey",
            "material": "Material",
            "batch": "Batch",
            "plant": "Plant",
            "location": "StorageLocation",
            "stockType": "InventoryStockType",
        },
    )


def _stock_key(place: Place) -> str:
    return f"{place.item}-{place.plant}-{place.location}-{place.lot}-{place.status}"


def _stock_row(world: World, place: Place, quantity: Decimal) -> Row:
    return {
        "StockKey": _stock_key(place),
        "BatchKey": f"{material(place.item)}|{place.lot}",
        "Material": material(place.item),
        "Plant": place.plant,
        "StorageLocation": place.location,
        "Batch": place.lot,
        "InventoryStockType": place.status,
        "InventorySpecialStockType": "",
        "MaterialBaseUnit": unit(world.items[place.item]),
        "MatlWrhsStkQtyInMatlBaseUnit": amount(quantity),
        "LastChangeDateTime": stamp(world.now()),
    }


def _documents(world: World) -> EntitySet[Movement]:
    ledger = world.ledger

    def posted(rows: Iterable[Movement]) -> list[Movement]:
        return [row for row in rows if row.document]

    return EntitySet(
        path=DOCUMENTS,
        key="MaterialDocument",
        everything=lambda: posted(ledger.by_document.values()),
        row=Rows[Movement](lambda row: row.number, lambda row: _document_row(world, row)),
        indexes={
            "MaterialDocument": one(ledger.by_document),
            "ManufacturingOrder": lambda key: posted(ledger.by_order.get(bare(key), [])),
            "Material": lambda key: posted(ledger.by_item.get(bare(key), [])),
            "ReferenceDocument": lambda key: posted(one(ledger.movements)(key)),
            "BatchKey": lambda key: posted(_of_batch(ledger, key)),
        },
        params={
            "order": "ManufacturingOrder",
            "material": "Material",
            "plant": "Plant",
            "batch": "Batch",
            "movementType": "GoodsMovementType",
            "kind": "GoodsMovementReason",
            "reference": "ReferenceDocument",
            "batchKey": "BatchKey",
        },
        tests={
            "from": dated("GoodsMovementDateTime", latest=False),
            "to": dated("GoodsMovementDateTime", latest=True),
            "changedSince": changed_since("LastChangeDateTime"),
        },
    )


def _of_batch(ledger: Ledger, key: str) -> list[Movement]:
    item, _, lot = key.partition("|")
    return [row for row in ledger.by_item.get(bare(item), []) if row.lot == lot]


def _document_row(world: World, row: Movement) -> Row:
    posted = row.posted_at or row.occurred_at
    place = world.locations.get(row.source or row.target)
    return {
        "MaterialDocumentYear": f"{posted:%Y}",
        "MaterialDocument": row.document,
        "MaterialDocumentItem": "0001",
        "GoodsMovementType": TYPES[row.kind],
        "GoodsMovementReason": row.kind,
        "Material": material(row.item),
        "Plant": row.plant,
        "StorageLocation": place.parent or place.code if place else storage(row.plant, "A"),
        "IssuingLocation": row.source,
        "ReceivingLocation": row.target,
        "Batch": row.lot,
        "BatchKey": f"{material(row.item)}|{row.lot}",
        "QuantityInBaseUnit": amount(row.quantity),
        "MaterialBaseUnit": unit(world.items[row.item]),
        "ManufacturingOrder": order_no(row.order),
        "DeliveryDocument": line_no(row.shipment) and row.shipment.zfill(10),
        "ReferenceDocument": row.number if row.physical else "",
        "ReversedMaterialDocument": row.reversal_of,
        "PostingDate": when(posted.date()),
        "GoodsMovementDateTime": when(row.occurred_at),
        "CreationDateTime": when(posted),
        "LastChangeDateTime": stamp(posted),
    }
