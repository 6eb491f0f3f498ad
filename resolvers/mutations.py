"""The writes: what they take and what they answer. Whoever keeps writes carries them to their owners."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import strawberry
from strawberry.types import Info

from resolvers.context import Actor, Context
from resolvers.edges import expose
from resolvers.enums import ENUMS
from resolvers.freshness import at
from resolvers.ids import decode_as
from resolvers.lookup import found
from resolvers.scalars import UnitCodeScalar
from schema.base import PREFIXES, join_key, split_key
from schema.commands import ACTIONS, Action, written_value
from schema.errors import BadId
from schema.integration import (
    IntegrationTransaction,
    TransactionState,
    UserError,
    UserErrorCode,
    WriteOutcome,
)
from schema.logistics import Shipment, ShipmentStatus
from schema.production import ProductionOrder
from sources.base import Need, Written

KNOWN_ENUMS = frozenset(ENUMS)
"""Registered before the inputs below refer to them."""
NO_WRITES = "This gateway takes no writes: it keeps none, as database_url is not set."
MARGIN = 0.2
"""Seconds kept back of the request's time, to read what was written."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A write as it is asked for. ``target`` is an id, ``values`` are JSON values, ``timeout`` is in seconds."""

    action: str
    target: str
    values: Mapping[str, Any]
    key: str
    expected_version: str | None = None
    dry_run: bool = False
    wait_for: TransactionState = TransactionState.ACCEPTED
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a write so far; ``written`` once it is applied, so that it is seen."""

    outcome: WriteOutcome
    errors: tuple[UserError, ...] = ()
    transaction: IntegrationTransaction | None = None
    written: Written | None = None


class Writes(Protocol):
    """What the graph asks of whoever keeps writes."""

    async def submit(self, actor: Actor, wanted: Wanted, deadline: float) -> Submitted:
        """Accept a write and wait as long as asked, until the deadline (``time.monotonic()``) at most."""
        ...

    async def of_subjects(self, targets: Sequence[str]) -> dict[str, list[IntegrationTransaction]]:
        """The latest writes on some objects, by id, the newest first."""
        ...

    async def transaction(self, number: str) -> IntegrationTransaction | None:
        """One write."""
        ...


@strawberry.input(description="An amount with its unit.")
class QuantityInput:
    """An amount with its unit."""

    value: Decimal = strawberry.field(description="The amount.")
    unit: UnitCodeScalar = strawberry.field(description="Its unit.")


@strawberry.input(description="How a write is carried out.")
class WriteOptions:
    """How a write is carried out."""

    idempotency_key: str = strawberry.field(
        description="Key of the client's own: the same write again gets the first answer."
    )
    client_mutation_id: str | None = strawberry.field(default=None, description="Given back in the answer.")
    expected_version: str | None = strawberry.field(
        default=None, description="Refuse the write where the object has another version."
    )
    dry_run: bool | None = strawberry.field(default=False, description="Check everything, write nothing.")
    wait_for: TransactionState | None = strawberry.field(
        default=TransactionState.ACCEPTED, description="Answer once the write has come this far."
    )
    timeout_ms: int | None = strawberry.field(
        default=None, description="Answer after this time at the latest."
    )


@strawberry.input(description="Something to be done to a production order.")
class OrderActionInput:
    """Something to be done to a production order."""

    order: strawberry.ID = strawberry.field(description="Id of the order.")
    options: WriteOptions = strawberry.field(description="How the write is carried out.")
    reason: str | None = strawberry.field(default=None, description="Why it is done.")


@strawberry.input(description="Another plan for a production order; what is left out stays.")
class RescheduleOrderInput:
    """Another plan for a production order; what is left out stays."""

    order: strawberry.ID = strawberry.field(description="Id of the order.")
    options: WriteOptions = strawberry.field(description="How the write is carried out.")
    planned_start: datetime | None = strawberry.field(default=None, description="When it shall begin.")
    planned_end: datetime | None = strawberry.field(default=None, description="When it shall end.")
    quantity: QuantityInput | None = strawberry.field(default=None, description="How much shall be made.")


@strawberry.input(description="Work done on an operation.")
class ReportOperationInput:
    """Work done on an operation."""

    operation: strawberry.ID = strawberry.field(description="Id of the operation.")
    good: QuantityInput = strawberry.field(description="Good quantity made.")
    at: datetime = strawberry.field(description="When the work was done.")
    options: WriteOptions = strawberry.field(description="How the write is carried out.")
    scrap: QuantityInput | None = strawberry.field(default=None, description="Scrapped quantity.")
    rework: QuantityInput | None = strawberry.field(default=None, description="Quantity to be reworked.")
    output_lot: str | None = strawberry.field(default=None, description="Number of the lot that was made.")
    final: bool | None = strawberry.field(default=False, description="Whether nothing more will be reported.")
    reason: str | None = strawberry.field(default=None, description="Why there is scrap or rework.")


@strawberry.input(description="News of a shipment on its way.")
class TrackingUpdateInput:
    """News of a shipment on its way."""

    shipment: strawberry.ID = strawberry.field(description="Id of the shipment.")
    status: ShipmentStatus = strawberry.field(description="How it stands now.")
    occurred_at: datetime = strawberry.field(description="When that was so.")
    options: WriteOptions = strawberry.field(description="How the write is carried out.")
    location: str | None = strawberry.field(default=None, description="Where that was.")
    eta: datetime | None = strawberry.field(default=None, description="When it is expected.")
    proof_of_delivery: str | None = strawberry.field(
        default=None, description="Who signed, or where it says."
    )


@dataclass(slots=True)
class WritePayload:
    """What became of a write."""

    outcome: WriteOutcome
    user_errors: tuple[UserError, ...]
    client_mutation_id: str | None = None
    transaction: IntegrationTransaction | None = None


@dataclass(slots=True)
class ProductionOrderPayload(WritePayload):
    """What became of a write on a production order."""

    production_order: ProductionOrder | None = None


@dataclass(slots=True)
class ShipmentPayload(WritePayload):
    """What became of a write on a shipment."""

    shipment: Shipment | None = None


async def release_production_order(info: Info, input: OrderActionInput) -> ProductionOrderPayload:
    """Release a production order to the shop floor, in the ERP. It cannot be taken back; close the order instead."""
    return await _on_order(info, "release_production_order", input.order, input)


async def reschedule_production_order(info: Info, input: RescheduleOrderInput) -> ProductionOrderPayload:
    """Give a production order another time or quantity, in the ERP."""
    return await _on_order(info, "reschedule_production_order", input.order, input)


async def close_production_order(info: Info, input: OrderActionInput) -> ProductionOrderPayload:
    """Close a production order, in the ERP. Reopening is a matter of the ERP's own staff."""
    return await _on_order(info, "close_production_order", input.order, input)


async def cancel_production_order(info: Info, input: OrderActionInput) -> ProductionOrderPayload:
    """Cancel a production order before anything was made, in the ERP."""
    return await _on_order(info, "cancel_production_order", input.order, input)


async def pause_production_order(info: Info, input: OrderActionInput) -> ProductionOrderPayload:
    """Let the shop floor's system stop work on a production order until it is resumed."""
    return await _on_order(info, "pause_production_order", input.order, input)


async def resume_production_order(info: Info, input: OrderActionInput) -> ProductionOrderPayload:
    """Let the shop floor's system go on with a production order."""
    return await _on_order(info, "resume_production_order", input.order, input)


async def report_operation(info: Info, input: ReportOperationInput) -> ProductionOrderPayload:
    """Report work done on an operation to the shop floor's system."""
    return await _on_order(info, "report_operation", input.operation, input)


async def update_tracking(info: Info, input: TrackingUpdateInput) -> ShipmentPayload:
    """Tell the transport system how a shipment stands."""
    submitted, key = await _submit(info, "update_tracking", input.shipment, input)
    shipment = None if key is None else await found(info, Shipment, key)
    return ShipmentPayload(**_told(submitted, input.options), shipment=shipment)


async def _on_order(info: Info, action: str, id: str, input: Any) -> ProductionOrderPayload:
    """Write, and read the production order back as it is after the write."""
    submitted, key = await _submit(info, action, id, input)
    order = None if key is None else await found(info, ProductionOrder, join_key(*split_key(key)[:2]))
    return ProductionOrderPayload(**_told(submitted, input.options), production_order=order)


def _told(submitted: Submitted, options: WriteOptions) -> dict[str, Any]:
    return {
        "outcome": submitted.outcome,
        "user_errors": submitted.errors,
        "client_mutation_id": options.client_mutation_id,
        "transaction": submitted.transaction,
    }


async def _submit(info: Info, name: str, id: str, input: Any) -> tuple[Submitted, str | None]:
    """What became of it, and the key of its target where that is to be read: everything below sees the write."""
    ctx: Context = info.context
    action = ACTIONS[name]
    place = next(field for field in ("order", "operation", "shipment") if hasattr(input, field))
    if ctx.writes is None:
        return _refused(action, UserErrorCode.NOT_MAPPED, NO_WRITES), None
    try:
        key = decode_as(id, action.target, place, ctx.aliases)
    except BadId as error:
        said = f"{error} {error.hint}" if error.hint else str(error)
        return _refused(action, UserErrorCode.INVALID_INPUT, said, ("input", place)), None
    options: WriteOptions = input.options
    wanted = Wanted(
        name,
        f"{PREFIXES[action.target]}:{key}",
        _values(action, input),
        options.idempotency_key,
        options.expected_version,
        bool(options.dry_run),
        options.wait_for or TransactionState.ACCEPTED,
        None if options.timeout_ms is None else options.timeout_ms / 1000,
    )
    writes: Writes = ctx.writes
    submitted = await writes.submit(ctx.actor, wanted, ctx.bounds.deadline - MARGIN)
    _see(info, submitted)
    nobody = any(error.code is UserErrorCode.NOT_MAPPED for error in submitted.errors)
    return submitted, None if nobody else key


def _see(info: Info, submitted: Submitted) -> None:
    """Let everything below this field be read as it is after the write."""
    ctx: Context = info.context
    need = at(info).need
    if submitted.written is not None:
        written = submitted.written
        seen = Need(need.within, max(need.arrived, written.at), need.allow_stale, written)
        ctx.asked[str(info.path.key)] = ctx.loading(seen)


def _refused(
    action: Action, code: UserErrorCode, message: str, path: tuple[str, ...] | None = None
) -> Submitted:
    return Submitted(WriteOutcome.REJECTED, (UserError(code, message, False, path, action.owner),))


def _values(action: Action, input: Any) -> dict[str, Any]:
    """The values of an input as JSON; what was not given is left out."""
    given = {name: getattr(input, name, None) for name in action.values}
    return {name: _value(value) for name, value in given.items() if value is not None}


def _value(value: Any) -> Any:
    if isinstance(value, QuantityInput):
        return {"value": str(value.value), "unit": str(value.unit)}
    return written_value(value)


MUTATIONS = (
    release_production_order,
    reschedule_production_order,
    close_production_order,
    cancel_production_order,
    pause_production_order,
    resume_production_order,
    report_operation,
    update_tracking,
)


def install() -> None:
    """Put the answers of the writes into the graph."""
    expose(WritePayload, interface=True)
    expose(ProductionOrderPayload)
    expose(ShipmentPayload)
