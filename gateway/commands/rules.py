"""What must hold before a write, and how it shows afterwards. Pure.

A write is refused here only where its owner would surely refuse it; whatever is a matter of the owner's own rules is left
to the owner.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from schema.commands import ACTIONS, Action, CommandRefused, Kind, Value
from schema.integration import UserErrorCode
from schema.logistics import ShipmentTransport
from schema.production import (
    OperationActual,
    OperationStatus,
    OrderExecution,
    OrderPlanning,
    OrderStatus,
)
from sources.commands import Receipt

VIEWS: Mapping[str, type] = {
    "release_production_order": OrderPlanning,
    "reschedule_production_order": OrderPlanning,
    "close_production_order": OrderPlanning,
    "cancel_production_order": OrderPlanning,
    "pause_production_order": OrderExecution,
    "resume_production_order": OrderExecution,
    "report_operation": OperationActual,
    "update_tracking": ShipmentTransport,
}
"""In which class the owner's view of the target is seen: its version, and the effect of the write."""

_PAST = frozenset({OrderStatus.COMPLETED, OrderStatus.CLOSED, OrderStatus.CANCELLED})
_IN_VAIN: Mapping[str, frozenset[str]] = {
    "release_production_order": _PAST | {OrderStatus.RELEASED, OrderStatus.IN_PROGRESS},
    "reschedule_production_order": _PAST,
    "close_production_order": frozenset({OrderStatus.CLOSED, OrderStatus.CANCELLED}),
    "cancel_production_order": _PAST | {OrderStatus.IN_PROGRESS},
    "pause_production_order": _PAST | {OrderStatus.ON_HOLD},
    "resume_production_order": _PAST | {OrderStatus.RELEASED, OrderStatus.IN_PROGRESS},
    "report_operation": frozenset({OperationStatus.CLOSED, OperationStatus.CANCELLED}),
}
"""The states in which an action is in vain."""
_SHOWN: Mapping[str, frozenset[str]] = {
    "release_production_order": frozenset(
        {OrderStatus.RELEASED, OrderStatus.IN_PROGRESS, OrderStatus.ON_HOLD, OrderStatus.COMPLETED}
    ),
    "close_production_order": frozenset({OrderStatus.CLOSED}),
    "cancel_production_order": frozenset({OrderStatus.CANCELLED}),
    "pause_production_order": frozenset({OrderStatus.ON_HOLD}),
    "resume_production_order": frozenset({OrderStatus.RELEASED, OrderStatus.IN_PROGRESS}),
}
"""The states in which an action shows that it was carried out."""


def check_values(action: Action, values: Mapping[str, Any]) -> None:
    """Raises CommandRefused where a value cannot be one of the action."""
    for name, value in action.values.items():
        given = values.get(name)
        if given is None:
            if value.required:
                raise _invalid(f"{name} is missing", name)
        elif value.kind is Kind.QUANTITY:
            _check_quantity(name, value, given)
    if all(values.get(name) is None for name in action.values) and action.name.startswith("reschedule"):
        raise _invalid("nothing is to be changed", "planned_start")


def _check_quantity(name: str, value: Value, given: Mapping[str, str]) -> None:
    try:
        amount = Decimal(given["value"])
    except (InvalidOperation, KeyError):
        raise _invalid(f"{name} is no quantity", name) from None
    if not amount.is_finite() or amount < 0:
        raise _invalid(f"{name} is {given['value']}, and cannot be less than nothing", name)


def _invalid(message: str, *path: str) -> CommandRefused:
    return CommandRefused(UserErrorCode.INVALID_INPUT, message, path=path)


def check_state(action: str, row: Any, expected_version: str | None) -> None:
    """Raises CommandRefused where the owner's view of the object does not allow the action; None: it knows no such."""
    if row is None:
        raise CommandRefused(UserErrorCode.NOT_FOUND, "The owner does not know this object.")
    version = row.provenance.version
    if expected_version is not None and version != expected_version:
        said = f"it has version {version}" if version is not None else "its owner tells no versions"
        raise CommandRefused(
            UserErrorCode.CONFLICT,
            f"The object is not as expected: {said}, not {expected_version[:80]}.",
            version=version,
            path=("options", "expectedVersion"),
        )
    status = getattr(row, "status", None)
    if status in _IN_VAIN.get(action, ()):
        raise CommandRefused(
            UserErrorCode.INVALID_STATE, f"It is {status}: {action.replace('_', ' ')} is not possible."
        )


def shows(action: str, row: Any, before: str | None, receipt: Receipt) -> bool:
    """Whether the owner's view shows that a write was carried out."""
    if row is None:
        return False
    expected = _SHOWN.get(action)
    if expected is not None and row.status != "UNKNOWN":
        return row.status in expected
    version = row.provenance.version
    if version is not None and receipt.version is not None and version == receipt.version:
        return True
    if version is not None and before is not None:
        return bool(version != before)
    return receipt.applied


def action_of(name: str) -> Action:
    """An action by its name."""
    return ACTIONS[name]
