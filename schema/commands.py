"""What can be written: every action, who owns it, what it is done to, what it takes and how it is undone.

An action names what shall be so in the words of the model; the owning system's adapter says it in the system's words.
``undo`` is the action that takes it back, or the sentence that says why there is none: a workflow over several systems
compensates by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from schema.base import SystemKind
from schema.errors import CrossdockError
from schema.integration import UserErrorCode
from schema.logistics import Shipment
from schema.material import InventoryBalance
from schema.production import Operation, ProductionOrder
from schema.quality import QualityHold, QualityInspection


class Kind(StrEnum):
    """What a value of an action is, as it travels (JSON): quantities as ``{"value": "12.5", "unit": "KGM"}``."""

    ID = "ID"
    TEXT = "TEXT"
    QUANTITY = "QUANTITY"
    INSTANT = "INSTANT"
    FLAG = "FLAG"
    WORD = "WORD"
    """A word of an enum of the model."""
    ROWS = "ROWS"
    """Several rows of values."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value that an action takes; ``rows`` are those of each of several rows."""

    kind: Kind
    required: bool = False
    rows: "Mapping[str, Value] | None" = None


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done. ``target`` is the class of the object that it is done to, by its id."""

    name: str
    owner: SystemKind
    target: type
    values: Mapping[str, Value]
    undo: str | None = None
    irrevocable: str | None = None
    """Why nothing takes it back, where nothing does."""


_TEXT, _ID, _QUANTITY, _INSTANT = Value(Kind.TEXT), Value(Kind.ID), Value(Kind.QUANTITY), Value(Kind.INSTANT)
_AMOUNT, _AT, _OBJECT, _WHY = (
    Value(kind, required=True) for kind in (Kind.QUANTITY, Kind.INSTANT, Kind.ID, Kind.TEXT)
)
_WORD = Value(Kind.WORD, required=True)
_ERP, _MES, _WMS, _QMS, _TMS = SystemKind.ERP, SystemKind.MES, SystemKind.WMS, SystemKind.QMS, SystemKind.TMS

ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action(
            "release_production_order",
            _ERP,
            ProductionOrder,
            {"reason": _TEXT},
            irrevocable="A released order cannot be made unreleased; close it instead.",
        ),
        Action(
            "reschedule_production_order",
            _ERP,
            ProductionOrder,
            {"planned_start": _INSTANT, "planned_end": _INSTANT, "quantity": _QUANTITY},
            undo="reschedule_production_order",
        ),
        Action(
            "close_production_order",
            _ERP,
            ProductionOrder,
            {"reason": _TEXT},
            irrevocable="Reopening is a matter of the ERP's own staff.",
        ),
        Action(
            "cancel_production_order",
            _ERP,
            ProductionOrder,
            {"reason": _TEXT},
            irrevocable="A cancelled order is created anew.",
        ),
        Action(
            "pause_production_order", _MES, ProductionOrder, {"reason": _TEXT}, undo="resume_production_order"
        ),
        Action(
            "resume_production_order", _MES, ProductionOrder, {"reason": _TEXT}, undo="pause_production_order"
        ),
        Action(
            "report_operation",
            _MES,
            Operation,
            {
                "good": _AMOUNT,
                "scrap": _QUANTITY,
                "rework": _QUANTITY,
                "output_lot": _TEXT,
                "final": Value(Kind.FLAG),
                "at": _AT,
                "reason": _TEXT,
            },
            undo="correct_operation_report",
        ),
        Action(
            "issue_material",
            _MES,
            ProductionOrder,
            {"item": _OBJECT, "lot": _ID, "from": _OBJECT, "quantity": _AMOUNT, "operation": _ID, "at": _AT},
            undo="return_material",
        ),
        Action(
            "adjust_inventory",
            _WMS,
            InventoryBalance,
            {"item": _OBJECT, "location": _OBJECT, "lot": _ID, "counted": _AMOUNT, "reason": _WHY},
            undo="adjust_inventory",
        ),
        Action(
            "move_inventory",
            _WMS,
            InventoryBalance,
            {
                "item": _OBJECT,
                "lot": _ID,
                "handling_unit": _ID,
                "from": _OBJECT,
                "to": _OBJECT,
                "quantity": _AMOUNT,
            },
            undo="move_inventory",
        ),
        Action(
            "place_hold",
            _QMS,
            QualityHold,
            {"scope": _WORD, "target": _OBJECT, "restricts": _WORD, "reason": _WHY},
            irrevocable="A hold is never rolled back: what is enforced stays enforced, the rest is tried again.",
        ),
        Action("release_hold", _QMS, QualityHold, {"justification": _WHY}, undo="place_hold"),
        Action(
            "decide_inspection",
            _QMS,
            QualityInspection,
            {
                "splits": Value(Kind.ROWS, required=True, rows={"disposition": _WORD, "quantity": _AMOUNT}),
                "decision_code": _TEXT,
            },
            undo="decide_inspection",
        ),
        Action(
            "confirm_shipment",
            _WMS,
            Shipment,
            {
                "lines": Value(Kind.ROWS, rows={"line": _WHY, "shipped": _AMOUNT, "lots": _ID}),
                "carrier": _ID,
                "tracking_number": _TEXT,
                "shipped_at": _AT,
            },
            undo="void_shipment",
        ),
        Action(
            "update_tracking",
            _TMS,
            Shipment,
            {
                "status": _WORD,
                "occurred_at": _AT,
                "location": _TEXT,
                "eta": _INSTANT,
                "proof_of_delivery": _TEXT,
            },
            undo="retract_tracking",
        ),
    )
}
"""Every action that a system owns, by name. What follows in other systems is a matter of the workflow, which uses
further commands of adapters (``void_shipment``, ``post_goods_issue``, ``block_stock``, ...) by name."""


class CommandRefused(CrossdockError):
    """The owner (or the gateway before it) refuses a write: trying again unchanged is in vain.

    ``code`` is one of the closed set for users, ``source_code`` the owner's own word; ``version`` is the object's
    present version where the refusal is a conflict.
    """

    def __init__(
        self,
        code: UserErrorCode,
        message: str,
        *,
        source_code: str | None = None,
        version: str | None = None,
        path: tuple[str, ...] | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.user_code = code
        self.source_code, self.version, self.path = source_code, version, path


class OutcomeUnknown(CrossdockError):
    """The write was sent and nobody knows whether it was carried out: ask (probe) before anything is sent again."""

    code = "OUTCOME_UNKNOWN"


def written_value(value: Any) -> Any:
    """A value of an action as JSON holds it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
