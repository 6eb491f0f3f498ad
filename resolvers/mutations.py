"""The writes: what they take and what they answer. No system takes a write through this gateway yet, and each says so."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import strawberry

from resolvers.edges import expose
from resolvers.enums import ENUMS
from resolvers.scalars import UnitCodeScalar
from schema.base import SystemKind
from schema.integration import (
    IntegrationTransaction,
    TransactionState,
    UserError,
    UserErrorCode,
    WriteOutcome,
)
from schema.production import ProductionOrder

KNOWN_ENUMS = frozenset(ENUMS)
"""Registered before the inputs below refer to them."""
NO_WRITES = "No connected system takes this write through this gateway yet."


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


async def report_operation(input: ReportOperationInput) -> ProductionOrderPayload:
    """Report work done on an operation to the shop floor's system."""
    refusal = UserError(UserErrorCode.NOT_MAPPED, NO_WRITES, False, system=SystemKind.MES)
    return ProductionOrderPayload(WriteOutcome.REJECTED, (refusal,), input.options.client_mutation_id)


MUTATIONS = (report_operation,)


def install() -> None:
    """Put the answers of the writes into the graph."""
    expose(WritePayload, interface=True)
    expose(ProductionOrderPayload)
