"""How fresh is fresh enough: the policy of a type in a system, and what it makes of a request's own need. Pure.

Precedence, part by part: ``[systems.CODE.cache]`` of the type, then its ``"*"``, then ``[cache.types]`` of the type,
then its ``"*"``, then the table below. Facts on which quality or safety depends are never given stale by default:
what a hold says an hour ago is no reason to ship.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from schema.commerce import Party, SalesOrder, SalesOrderLine
from schema.equipment import WorkCenter
from schema.material import (
    BillOfMaterials,
    InventoryBalance,
    InventoryMovement,
    Item,
    Location,
    LotMaster,
    LotQuality,
    Routing,
)
from schema.production import (
    MaterialConsumption,
    MaterialStaging,
    OperationActual,
    OperationReport,
    OrderExecution,
)
from schema.quality import QualityHold, QualityInspection
from sources.base import Need
from sources.keeping import CacheRule

NEVER = float("inf")
"""Later than any instant of reading: nothing is fresh enough."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long values of one type from one system may be kept, in seconds; see ``CacheRule``."""

    max_age: float = 10.0
    stale_while_revalidate: float = 20.0
    stale_if_error: float = 3600.0
    negative_max_age: float = 2.0
    never_stale: bool = False

    @property
    def lifetime(self) -> float:
        """For how long a value may be of any use."""
        if self.never_stale:
            return self.max_age
        return self.max_age + max(self.stale_while_revalidate, self.stale_if_error)


_MASTER = Policy(300.0, 3600.0, 86_400.0, 10.0)
_MOVING = Policy(2.0, 5.0, 900.0, 1.0)
_STRICT = Policy(1.0, 0.0, 0.0, 1.0, never_stale=True)

DEFAULT = Policy()
DEFAULTS: Mapping[type, Policy] = {
    **dict.fromkeys((Item, BillOfMaterials, Routing, WorkCenter, Location, Party), _MASTER),
    **dict.fromkeys((SalesOrder, SalesOrderLine), Policy(30.0, 60.0, 3600.0, 5.0)),
    **dict.fromkeys((OrderExecution, OperationActual, OperationReport), _MOVING),
    **dict.fromkeys((MaterialStaging, MaterialConsumption), _MOVING),
    **dict.fromkeys((InventoryBalance, InventoryMovement), _MOVING),
    **dict.fromkeys((QualityHold, QualityInspection, LotQuality, LotMaster), _STRICT),
}
"""What holds where nothing is configured: master data for minutes, plans for seconds, the shop floor for moments."""

PARTS = tuple(part.name for part in fields(Policy))


def policy_of(
    cls: type, system: Mapping[str, CacheRule], everywhere: Mapping[str, CacheRule] | None = None
) -> Policy:
    """The policy of a type in a system whose configuration says ``system``, where all of them say ``everywhere``."""
    general = everywhere or {}
    rules = [table[name] for table in (system, general) for name in (cls.__name__, "*") if name in table]
    policy = DEFAULTS.get(cls, DEFAULT)
    said = {
        part: next((value for rule in rules if (value := getattr(rule, part)) is not None), None)
        for part in PARTS
    }
    return replace(policy, **{part: value for part, value in said.items() if value is not None})


def longest_life(tables: Iterable[Mapping[str, CacheRule]]) -> float:
    """For how long anything may be kept at most where these rules are said somewhere."""
    said = [rule for table in tables for rule in table.values()]
    ages = [rule.max_age for rule in said if rule.max_age is not None]
    graces = [g for rule in said for g in (rule.stale_while_revalidate, rule.stale_if_error) if g is not None]
    known = [DEFAULT, *DEFAULTS.values()]
    oldest = max([policy.max_age for policy in known] + ages)
    grace = max([max(policy.stale_while_revalidate, policy.stale_if_error) for policy in known] + graces)
    return oldest + grace


def tightest(policies: Iterable[Policy]) -> Policy:
    """The policy of something made of parts: no part is kept longer than its own policy says."""
    found: Sequence[Policy] = list(policies)
    return Policy(
        min(policy.max_age for policy in found),
        min(policy.stale_while_revalidate for policy in found),
        min(policy.stale_if_error for policy in found),
        min(policy.negative_max_age for policy in found),
        any(policy.never_stale for policy in found),
    )


class Terms(NamedTuple):
    """What one request accepts of one type, as instants of reading: only values read at or after them.

    ``fresh``: given as they are. ``absent``: the same for "the system does not know the key". ``aging``: given, marked,
    while they are read anew. ``last``: given, marked, where reading anew fails. ``met``: read before it, the request's
    own need is not met. ``explicit``: the request stated a need of its own.
    """

    fresh: float
    absent: float
    aging: float
    last: float
    met: float
    explicit: bool


def terms_of(policy: Policy, need: Need, now: float) -> Terms:
    """What a request with this need accepts at this moment."""
    ripe = now - policy.max_age
    if need.within is None:
        fresh = ripe if policy.max_age > 0 else NEVER
    else:
        fresh = need.arrived - need.within
        if policy.never_stale:
            # The client's own bound may be wider than the policy, but not for what must never be stale.
            fresh = max(fresh, ripe)
    if need.written is not None and not need.written.tags:
        fresh = max(fresh, need.written.at)
    flexible = need.allow_stale and not policy.never_stale
    last = ripe - policy.stale_if_error if flexible else NEVER
    aging = ripe - policy.stale_while_revalidate if flexible and need.within is None else NEVER
    explicit = need.within is not None or need.written is not None or not need.allow_stale
    met = fresh if need.within is not None or need.written is not None else -NEVER
    absent = max(fresh, now - policy.negative_max_age)
    return Terms(fresh, absent, min(aging, fresh), min(last, fresh), met, explicit)
