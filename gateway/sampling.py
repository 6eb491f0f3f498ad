"""Keys to try reads with: those that the systems' own lists and rows name."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from schema.base import KEYS, is_scoped, keys_of
from schema.commerce import PurchaseOrder, PurchaseOrderLine, SalesOrder, SalesOrderLine, SupplierCommit
from schema.equipment import WorkCenter
from schema.logistics import Shipment
from schema.material import Item, Location, Lot
from schema.production import ProductionOrder

Role: TypeAlias = tuple[type, str]
"""What a key is a key of: of rows of this class, under this name."""

_NAMED: dict[str, type] = {
    "order": ProductionOrder,
    "item": Item,
    "lot": Lot,
    "input": Lot,
    "output": Lot,
    "shipment": Shipment,
    "work_center": WorkCenter,
    "sales_line": SalesOrderLine,
    "location": Location,
}
_OWN: dict[Role, type] = {
    (SalesOrderLine, "order"): SalesOrder,
    (PurchaseOrderLine, "order"): PurchaseOrder,
    (SupplierCommit, "order"): PurchaseOrder,
}


def role_of(cls: type, by: str) -> Role:
    """Whose key it is: an execution by order takes the key of a production order."""
    target = _OWN.get((cls, by)) or _NAMED.get(by)
    return (target, "id") if target else (cls, by)


@dataclass(slots=True)
class Keys:
    """The keys seen so far, in the order they were seen, by what they are keys of."""

    seen: dict[Role, dict[str, None]] = field(default_factory=dict)

    def learn(self, rows: Iterable[Any]) -> None:
        """Every key that these rows name, their own and those of what they refer to."""
        for row in rows:
            cls = type(row)
            for by in KEYS.get(cls, ()):
                known = self.seen.setdefault(role_of(cls, by), {})
                known.update(dict.fromkeys(keys_of(row, by)))

    def some(self, cls: type, by: str, plants: Iterable[str], count: int) -> tuple[str, ...]:
        """At most so many keys of a read; of the plants named where the key starts with one."""
        wanted = set(plants)
        keys = self.seen.get(role_of(cls, by), {})
        if wanted and is_scoped(cls, by):
            return tuple([key for key in keys if key.partition("/")[0] in wanted][:count])
        return tuple(list(keys)[:count])
