"""Where two owners of one fact do not agree, in numbers that may be compared."""

from datetime import datetime

from resolvers.loaders import Answer
from resolvers.units import convert, of
from schema.base import Quantity
from schema.integration import Claim, Discrepancy, ExceptionCategory
from schema.material import Item
from schema.production import MaterialConsumption, MaterialRequirement


def consumption_variance(
    requirement: MaterialRequirement,
    component: Answer[Item],
    consumption: Answer[MaterialConsumption],
    arrived: datetime,
) -> Discrepancy | None:
    """What the ERP issued against what the shop floor consumed; null where they agree or one is not known."""
    issued, used = requirement.issued_erp, consumption.value
    if issued is None or used is None or requirement.provenance is None:
        return None
    claims = (
        Claim(str(issued.value), requirement.provenance, issued),
        Claim(str(used.consumed.value), used.provenance, used.consumed),
    )
    moment = min(requirement.provenance.fetched_at, used.provenance.fetched_at)
    age = max(0, int((arrived - moment).total_seconds() // 60))
    delta = difference(issued, used.consumed, component.value)
    if delta is None:
        return Discrepancy(ExceptionCategory.UNIT_MISMATCH, "issuedErp", claims, moment, age)
    if delta.value == 0:
        return None
    return Discrepancy(ExceptionCategory.QUANTITY_VARIANCE, "issuedErp", claims, moment, age, delta)


def difference(one: Quantity, other: Quantity, item: Item | None) -> Quantity | None:
    """One minus the other, in the item's base unit where it is known; None where they cannot be compared."""
    unit = item.base_unit if item is not None and item.base_unit is not None else one.unit
    left, right = convert(one, unit, item), convert(other, unit, item)
    if left is None or right is None:
        return None
    return of(left.value - right.value, unit, left.exact and right.exact)
