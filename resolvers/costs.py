"""What operations cost."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """Upstream calls, and the rows they may bring."""

    calls: int = 0
    rows: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.calls + other.calls, self.rows + other.rows)


@dataclass(frozen=True, slots=True)
class Price:
    """What an operation costs at most, and system by system."""

    cost: Cost
    systems: Mapping[str, Cost]
