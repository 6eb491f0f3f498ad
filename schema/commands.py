"""What can be written: every action, who owns it, what it is done to, and what it takes.

An action names what shall be so in the words of the model; the owning system's adapter says it in the system's words.
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
from schema.production import Operation, ProductionOrder


class Kind(StrEnum):
    """What a value of an action is, as it travels (JSON): quantities as ``{"value": "12.5", "unit": "KGM"}``."""

    TEXT = "TEXT"
    QUANTITY = "QUANTITY"
    INSTANT = "INSTANT"
    FLAG = "FLAG"
    WORD = "WORD"
    """A word of an enum of the model."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value that an action takes."""

    kind: Kind
    required: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done. ``target`` is the class of the object that it is done to, by its id."""

    name: str
    owner: SystemKind
    target: type
    values: Mapping[str, Value]


_TEXT, _QUANTITY, _INSTANT = Value(Kind.TEXT), Value(Kind.QUANTITY), Value(Kind.INSTANT)
_REASON = {"reason": _TEXT}

ACTIONS: Mapping[str, Action] = {
    action.name: action
    for action in (
        Action("release_production_order", SystemKind.ERP, ProductionOrder, _REASON),
        Action(
            "reschedule_production_order",
            SystemKind.ERP,
            ProductionOrder,
            {"planned_start": _INSTANT, "planned_end": _INSTANT, "quantity": _QUANTITY},
        ),
        Action("close_production_order", SystemKind.ERP, ProductionOrder, _REASON),
        Action("cancel_production_order", SystemKind.ERP, ProductionOrder, _REASON),
        Action("pause_production_order", SystemKind.MES, ProductionOrder, _REASON),
        Action("resume_production_order", SystemKind.MES, ProductionOrder, _REASON),
        Action(
            "report_operation",
            SystemKind.MES,
            Operation,
            {
                "good": Value(Kind.QUANTITY, required=True),
                "scrap": _QUANTITY,
                "rework": _QUANTITY,
                "output_lot": _TEXT,
                "final": Value(Kind.FLAG),
                "at": Value(Kind.INSTANT, required=True),
                "reason": _TEXT,
            },
        ),
        Action(
            "update_tracking",
            SystemKind.TMS,
            Shipment,
            {
                "status": Value(Kind.WORD, required=True),
                "occurred_at": Value(Kind.INSTANT, required=True),
                "location": _TEXT,
                "eta": _INSTANT,
                "proof_of_delivery": _TEXT,
            },
        ),
    )
}
"""Every action by name."""


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
