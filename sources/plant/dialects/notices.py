"""What the systems send when something happens, each in its own words and signed in its own way.

SAP_PRD: CloudEvents that hold the key alone, with a bearer token. MES_KAS: its own JSON, HMAC-SHA256 in hex, its clock
nine minutes ahead. WMS_CEN: Standard Webhooks. QMS_LAB: HMAC-SHA256 in base64. TMS_ONE: in the manner of EasyPost.
MES_ZWO sends nothing: it must be asked. CMMS_01 and SUP_PORT have nothing that happens by itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from sources.plant.asgi import Row
from sources.plant.dialects import mes_kas, qms, tms
from sources.plant.dialects.common import number
from sources.plant.dialects.sap_words import order_no
from sources.plant.dialects.wms_rows import TYPES
from sources.plant.dialects.wms_shipments import status_of
from sources.plant.dialects.wms_words import local, measured, noisy_lot
from sources.plant.world.material import Movement
from sources.plant.world.motion import ISSUE
from sources.plant.world.production import Operation, Order
from sources.plant.world.quality import Hold
from sources.plant.world.trade import Shipment, TrackEvent
from sources.plant.world.world import Told, World

SAP_TOKEN = "sap-demo-events"  # noqa: S105 nothing real is behind these
MES_SECRET = "kas-demo-events"  # noqa: S105
WMS_SECRET = "whsec_d21zLWRlbW8tZXZlbnRzLW9mLWNyb3NzZG9jaw=="  # noqa: S105
LAB_SECRET = "lab-demo-events"  # noqa: S105
TMS_SECRET = "tms-demo-events"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Notice:
    """A message: its id, its bytes, and the headers that do not depend on when it is sent."""

    id: str
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Voice:
    """How a system speaks: what it says of something told, and how it signs a message at a time (seconds since 1970)."""

    says: Callable[[World, Told], Iterator[tuple[str, Row]]]
    signs: Callable[[Notice, int], dict[str, str]]
    media: str = "application/json"

    def notices(self, world: World, told: Told) -> list[Notice]:
        """The messages about something told, none where it is nothing to this system."""
        return [
            Notice(id, json.dumps(row, separators=(",", ":")).encode(), {"Content-Type": self.media})
            for id, row in self.says(world, told)
        ]


def _sap(world: World, told: Told) -> Iterator[tuple[str, Row]]:
    if told.kind == "order":
        order: Order = told.thing
        what = "productionorder.v1.ProductionOrder.Changed.v1"
        yield _cloud_event(
            what, f"{order.number}-{order.version}", told, {"ManufacturingOrder": order_no(order.number)}
        )
    elif told.kind == "booked":
        movement: Movement = told.thing
        data = {"MaterialDocument": movement.document, "MaterialDocumentYear": f"{told.at:%Y}"}
        yield _cloud_event("materialdocument.v1.MaterialDocument.Created.v1", movement.document, told, data)


def _cloud_event(what: str, id: str, told: Told, data: Row) -> tuple[str, Row]:
    head = {"specversion": "1.0", "type": f"sap.s4.beh.{what}", "source": "/default/sap.s4.beh/PRD", "id": id}
    return id, {
        **head,
        "time": f"{told.at:%Y-%m-%dT%H:%M:%SZ}",
        "datacontenttype": "application/json",
        "data": data,
    }


def _mes_kas(world: World, told: Told) -> Iterator[tuple[str, Row]]:
    if told.thing.plant != "1710":
        return
    times = {"at": mes_kas.when(told.at), "storedAt": mes_kas.when(told.at + timedelta(seconds=5))}
    if told.kind == "started":
        order: Order = told.thing
        id = f"{order.number}-S"
        status = mes_kas.STATUS[order.state]
        head = {"event": "ORDER_STARTED", "messageId": id, "orderNumber": order.number}
        yield id, {**head, "status": status, **times}
    elif told.kind == "ended":
        operation: Operation = told.part
        id = operation.reports[-1].id
        yield (
            id,
            {
                "event": "OPERATION_ENDED",
                "messageId": id,
                "orderNumber": told.thing.number,
                "operationNumber": operation.number,
                "workCenter": operation.work_center,
                "goodQuantity": number(operation.good),
                "scrapQuantity": number(operation.scrap),
                "uom": "PCS",
                **times,
            },
        )
    elif told.kind == "moved" and told.thing.origin == "MES" and told.thing.kind == ISSUE:
        yield told.thing.number, _consumption(world, told.thing) | times


def _consumption(world: World, move: Movement) -> Row:
    return {
        "event": "CONSUMPTION_BOOKED",
        "messageId": move.number,
        "bookingId": move.number,
        "orderNumber": move.order,
        "material": move.item,
        "lot": move.lot,
        "place": move.source or None,
        "quantity": number(world.items[move.item].pieces(move.quantity)),
        "uom": "PCS",
    }


def _wms(world: World, told: Told) -> Iterator[tuple[str, Row]]:
    if told.kind == "shipment":
        row: Shipment = told.thing
        id = f"{row.number}.{row.version}"
        yield (
            id,
            {
                "event": "shipment.status",
                "shipment": row.number,
                "site": row.plant,
                "status": status_of(row),
                "carrier": row.carrier,
                "orders": list(dict.fromkeys(line.order for line in row.lines if line.order)),
                "version": row.version,
                "changed_at": local(told.at),
            },
        )
    elif told.kind == "moved" and told.thing.origin == "WMS":
        move: Movement = told.thing
        quantity, uom = measured(world.items[move.item], move.quantity)
        yield (
            move.number,
            {
                "event": "movement.posted",
                "movement": move.number,
                "type": TYPES[move.kind],
                "site": move.plant,
                "item": move.item,
                "lot": noisy_lot(move.lot),
                "qty": quantity,
                "uom": uom,
                "from_bin": move.source or None,
                "to_bin": move.target or None,
                "order": move.order or None,
                "moved_at": local(move.occurred_at),
                "recorded_at": local(move.recorded_at),
            },
        )


def _qms(world: World, told: Told) -> Iterator[tuple[str, Row]]:
    if told.kind == "hold":
        row: Hold = told.thing
        id = f"{row.number}/{row.version}"
        yield (
            id,
            {
                "id": id,
                "kind": "hold.changed",
                "hold": row.number,
                "status": qms.HOLD[row.state],
                "scope": row.scope,
                "item": row.item or None,
                "lot": row.lot or None,
                "restricts": list(row.restricts),
                "reason": row.reason,
                "version": row.version,
                "changed_at": qms.when(told.at),
            },
        )


def _tms(world: World, told: Told) -> Iterator[tuple[str, Row]]:
    if told.kind == "tracked":
        row: Shipment = told.thing
        event: TrackEvent = told.part
        tracker = row.tracker
        result = {
            "reference": row.number,
            "status": event.status,
            "status_detail": event.code,
            "carrier": row.carrier,
            "tracking_code": event.id.rpartition("-")[0],
            "est_delivery_date": tms.when(tracker.eta) if tracker is not None else None,
            "tracking_details": [
                {
                    "event_id": event.id,
                    "status": event.status,
                    "status_detail": event.code,
                    "datetime": tms.when(event.at),
                    "recorded_at": tms.when(event.recorded_at),
                    "tracking_location": {"city": event.city, "country": event.country},
                }
            ],
        }
        yield (
            f"evt_{event.id}",
            {
                "id": f"evt_{event.id}",
                "object": "Event",
                "description": "tracker.updated",
                "result": result,
            },
        )


def _bearer(notice: Notice, at: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {SAP_TOKEN}"}


def _standard(notice: Notice, at: int) -> dict[str, str]:
    key = base64.b64decode(WMS_SECRET.removeprefix("whsec_"))
    signed = b".".join((notice.id.encode(), str(at).encode(), notice.body))
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {"webhook-id": notice.id, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}


def _hex(header: str, prefix: str, secret: str) -> Callable[[Notice, int], dict[str, str]]:
    return lambda notice, at: {
        header: prefix + hmac.new(secret.encode(), notice.body, hashlib.sha256).hexdigest()
    }


def _lab(notice: Notice, at: int) -> dict[str, str]:
    digest = hmac.digest(LAB_SECRET.encode(), notice.body, "sha256")
    return {"X-Lab-Signature": base64.b64encode(digest).decode()}


VOICES: dict[str, Voice] = {
    "SAP_PRD": Voice(_sap, _bearer, "application/cloudevents+json"),
    "MES_KAS": Voice(_mes_kas, _hex("X-MES-Signature", "sha256=", MES_SECRET)),
    "WMS_CEN": Voice(_wms, _standard),
    "QMS_LAB": Voice(_qms, _lab),
    "TMS_ONE": Voice(_tms, _hex("X-Hmac-Signature", "hmac-sha256-hex=", TMS_SECRET)),
}
"""Code → how that system speaks; the others say nothing."""
