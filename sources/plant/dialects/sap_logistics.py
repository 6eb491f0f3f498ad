"""SAP_PRD: deliveries (the books' side of a shipment), plants, work centers, storage locations, partners."""

from __future__ import annotations

from typing import Any

from sources.plant.asgi import Row
from sources.plant.dialects.common import Rows, bare, one
from sources.plant.dialects.sap_words import (
    EntitySet,
    amount,
    changed_since,
    contains,
    document,
    flag,
    line_no,
    material,
    order_no,
    stamp,
    unit,
    when,
)
from sources.plant.world.material import Location
from sources.plant.world.places import Plant, WorkCenter
from sources.plant.world.trade import Party, Shipment
from sources.plant.world.world import World

DELIVERY = "API_OUTBOUND_DELIVERY_SRV/A_OutbDeliveryHeader"
PARTNER = "API_BUSINESS_PARTNER/A_BusinessPartner"
PLANT = "API_PLANT_SRV/A_Plant"
WORK_CENTER = "API_WORK_CENTERS/A_WorkCenters"
LOCATION = "API_STORAGELOCATION_SRV/A_StorageLocation"
ROLES = {
    "CUSTOMER": "FLCU01",
    "SUPPLIER": "FLVN01",
    "CARRIER": "CRM010",
    "THREE_PL": "3PL001",
    "CONTRACT_MANUFACTURER": "CMF001",
}


def sets(world: World) -> list[EntitySet[Any]]:
    """The entity sets around the orders."""
    return [_deliveries(world), _partners(world), _plants(world), _centers(world), _locations(world)]


def _deliveries(world: World) -> EntitySet[Shipment]:
    by = world.shipments_by
    return EntitySet(
        path=DELIVERY,
        key="DeliveryDocument",
        everything=world.shipments.values,
        row=Rows[Shipment](lambda row: row.number, lambda row: _delivery_row(world, row)),
        indexes={
            "DeliveryDocument": lambda key: one(world.shipments)(bare(key)),
            "SalesOrder": lambda key: by["sales_order"].get(bare(key), []),
            "ShipToParty": lambda key: by["partner"].get(key, []),
            "ShippingPoint": lambda key: by["plant"].get(key, []),
        },
        params={"salesOrder": "SalesOrder", "customer": "ShipToParty", "plant": "ShippingPoint"},
        tests={"changedSince": changed_since("LastChangeDateTime")},
        nested=("to_DeliveryDocumentItem",),
    )


def _delivery_row(world: World, row: Shipment) -> Row:
    issued = row.issued_at is not None
    return {
        "DeliveryDocument": document(row.number),
        "DeliveryDocumentType": "LF",
        "ShippingPoint": row.plant,
        "ShipToParty": row.partner,
        "SalesOrder": document(row.lines[0].sales_order) if row.lines else "",
        "OverallPickingStatus": "C" if row.picked_percent else "A",
        "OverallPackingStatus": "C" if row.units else "A",
        "OverallGoodsMovementStatus": "C" if issued else "A",
        "GoodsIssueIsPosted": flag(issued),
        "PlannedGoodsIssueDate": when(row.planned_ship),
        "ActualGoodsMovementDate": when(row.issued_at),
        "MaterialDocument": row.issue_document,
        "LastChangeDateTime": stamp(max(row.issued_at or row.changed_at, row.changed_at)),
        "to_DeliveryDocumentItem": {"results": [_line(world, row, n) for n in range(len(row.lines))]},
    }


def _line(world: World, row: Shipment, n: int) -> Row:
    line = row.lines[n]
    return {
        "DeliveryDocument": document(row.number),
        "DeliveryDocumentItem": line_no(line.number),
        "Material": material(line.item),
        "Batch": line.lot,
        "DeliveryQuantity": amount(line.ordered),
        "DeliveryQuantityUnit": unit(world.items[line.item]),
        "ReferenceSDDocument": document(line.sales_order),
        "ReferenceSDDocumentItem": line_no(line.sales_line),
        "ManufacturingOrder": order_no(line.order),
    }


def _partners(world: World) -> EntitySet[Party]:
    return EntitySet(
        path=PARTNER,
        key="BusinessPartner",
        everything=world.parties.values,
        row=Rows[Party](lambda party: party.code, _partner_row),
        indexes={"BusinessPartner": one(world.parties)},
        tests={"search": contains("BusinessPartner", "BusinessPartnerFullName")},
        nested=("to_BusinessPartnerRole",),
    )


def _partner_row(party: Party) -> Row:
    roles = [{"BusinessPartner": party.code, "BusinessPartnerRole": ROLES[role]} for role in party.roles]
    return {
        "BusinessPartner": party.code,
        "BusinessPartnerFullName": party.name,
        "GlobalLocationNumber": party.gln,
        "StandardCarrierAlphaCode": party.scac,
        "Country": party.country,
        "CityName": party.city,
        "to_BusinessPartnerRole": {"results": roles},
    }


def _plants(world: World) -> EntitySet[Plant]:
    return EntitySet(
        path=PLANT,
        key="Plant",
        everything=world.plants.values,
        row=lambda plant: {
            "Plant": plant.code,
            "PlantName": plant.name,
            "TimeZone": plant.time_zone,
            "GlobalLocationNumber": plant.gln,
            "CityName": plant.city,
            "Country": plant.country,
        },
        indexes={"Plant": one(world.plants)},
    )


def _centers(world: World) -> EntitySet[WorkCenter]:
    return EntitySet(
        path=WORK_CENTER,
        key="WorkCenter",
        everything=world.work_centers.values,
        row=lambda center: {
            "WorkCenter": center.code,
            "Plant": center.plant,
            "WorkCenterText": center.name,
            "EquipmentLevel": center.level,
        },
        indexes={"WorkCenter": one(world.work_centers)},
        params={"plant": "Plant"},
    )


def _locations(world: World) -> EntitySet[Location]:
    def stores() -> list[Location]:
        return [row for row in world.locations.values() if row.kind == "STORAGE_LOCATION"]

    return EntitySet(
        path=LOCATION,
        key="StorageLocation",
        everything=stores,
        row=lambda row: {
            "StorageLocation": row.code,
            "Plant": row.plant,
            "StorageLocationName": {"A": "Raw material", "B": "Finished goods", "Q": "Quarantine"}[
                row.code[-1]
            ],
        },
        indexes={"StorageLocation": lambda key: [row for row in stores() if row.code == key]},
        params={"plant": "Plant"},
    )
