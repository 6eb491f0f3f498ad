"""What a document will cost, before it runs: its hops, system by system.

A hop is one read of one system. Everything a document asks of it, at any depth and for any number of rows, is one
upstream call for every ``max_keys`` keys. Fallback systems are asked only where the owner fails or does not know a key.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    visit,
)

from resolvers.context import Systems
from resolvers.edges import EXPOSED, Edge, Fact, Function
from resolvers.trail import snake
from schema.base import KEYS
from schema.logistics import Shipment
from schema.material import InventoryBalance, InventoryMovement, Item, Lot, LotTransformation
from schema.production import ProductionOrder
from schema.quality import QualityHold
from sources.base import Providers

LOOKUPS = {"sscc": "sscc", "trackingNumber": "tracking", "customerReference": "customer_reference"}
"""Arguments of roots that find by another key than the id."""

WHOLE: Mapping[str, tuple[tuple[type, str], ...]] = {
    "inventoryPositions": ((InventoryBalance, "item"), (InventoryMovement, "item"), (Item, "id")),
    "trace": ((LotTransformation, "input"), (LotTransformation, "output"), (Lot, "id")),
}
"""Roots that compute over whole reads."""


TOLD: Mapping[str, tuple[tuple[type, str], ...]] = {
    "ProductionOrderChange": ((ProductionOrder, "id"),),
    "ShipmentChange": ((Shipment, "id"),),
    "HoldChange": ((QualityHold, "id"),),
    "InventoryChange": WHOLE["inventoryPositions"],
}
"""What is read for an event, whatever the subscriber selects of it."""


@dataclass(slots=True)
class Hop:
    """One read of one system and the fields that want it. ``fallback``: asked only where the owner is silent."""

    system: str
    read: str
    max_keys: int
    fallback: bool
    fields: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Explanation:
    """The hops of a document, in the order in which its fields ask for them, and what nobody provides."""

    hops: list[Hop]
    unmapped: list[str]

    @property
    def calls(self) -> int:
        """Upstream calls when every owner answers and no list needs more than one chunk."""
        return sum(not hop.fallback for hop in self.hops)

    def lines(self) -> Iterator[str]:
        """The explanation for a terminal."""
        width = max([len(f"{hop.system}.{hop.read}") for hop in self.hops], default=0)
        for hop in self.hops:
            note = "  only if the owner is silent" if hop.fallback else f"  1 call per {hop.max_keys} keys"
            yield f"{f'{hop.system}.{hop.read}':<{width}}{note:<30}  {', '.join(hop.fields)}"
        for path in self.unmapped:
            yield f"{'nobody':<{width}}  no connected system         {path}"
        yield f"{self.calls} upstream calls when every owner answers."


def explain(schema: GraphQLSchema, systems: Systems, document: DocumentNode) -> Explanation:
    """The hops of a valid document."""
    collector = _Collector(schema, systems)
    visit(document, TypeInfoVisitor(collector.info, collector))
    return Explanation(list(collector.hops.values()), collector.unmapped)


class _Collector(Visitor):
    def __init__(self, schema: GraphQLSchema, systems: Systems) -> None:
        super().__init__()
        self.info = TypeInfo(schema)
        self.systems = systems
        self.classes = {cls.__name__: cls for cls in EXPOSED}
        self.hops: dict[tuple[str, str], Hop] = {}
        self.unmapped: list[str] = []
        self.path: list[str] = []

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        """Start a path."""
        self.path = []

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Note what a field loads."""
        self.path.append(node.name.value)
        parent = self.info.get_parent_type()
        if not isinstance(parent, GraphQLObjectType):
            return
        if parent.name == "Query":
            self._root(node)
            return
        if parent.name == "Subscription":
            self._subscribed()
            return
        cls = self.classes.get(parent.name)
        attached = EXPOSED[cls].fields.get(snake(node.name.value)) if cls is not None else None
        if cls is not None and attached is not None:
            self._attached(cls, attached)

    def leave_field(self, *_: Any) -> None:
        """End of a field's path."""
        self.path.pop()

    def _attached(self, cls: type, attached: Edge | Fact | Function) -> None:
        if isinstance(attached, Edge):
            self._reads(attached.target, attached.by)
            return
        for need in attached.needs:
            edge = EXPOSED[cls].fields[need]
            if isinstance(edge, Edge):
                self._reads(edge.target, edge.by)
        for target, by in attached.loads if isinstance(attached, Function) else ():
            self._reads(target, by)

    def _root(self, node: FieldNode) -> None:
        name = node.name.value
        for cls, by in WHOLE.get(name, ()):
            self._reads(cls, by)
        result = self.info.get_type()
        named = get_named_type(result).name if result is not None else ""
        if name in WHOLE:
            return
        if named.endswith("Connection"):
            self._lists(self.classes[named.removesuffix("Connection")])
        elif named in self.classes and self.classes[named] in KEYS:
            by = next((LOOKUPS[a.name.value] for a in node.arguments or () if a.name.value in LOOKUPS), "id")
            self._reads(self.classes[named], by)

    def _subscribed(self) -> None:
        """The object that an event is about is read before anything else."""
        result = self.info.get_type()
        name = get_named_type(result).name if result is not None else ""
        for cls, by in TOLD.get(name, ()):
            self._reads(cls, by)

    def _lists(self, cls: type) -> None:
        tiers = self.systems.listers(cls)
        for rank, tier in enumerate(tiers):
            for lister in tier:
                self._note(lister.system, lister.search.name, lister.search.max_page, rank > 0)
        if not tiers:
            self.unmapped.append(".".join(self.path))

    def _reads(self, cls: type, by: str) -> None:
        if cls.__name__ in ("Plant", "SourceSystem"):
            return
        tiers: Providers = self.systems.tiers(cls, by)
        for rank, tier in enumerate(tiers):
            for provider in tier:
                self._note(provider.system, provider.read.name, provider.read.max_keys, rank > 0)
        if not tiers:
            self.unmapped.append(".".join(self.path))

    def _note(self, system: str, read: str, max_keys: int, fallback: bool) -> None:
        hop = self.hops.setdefault((system, read), Hop(system, read, max_keys, fallback))
        hop.fallback = hop.fallback and fallback
        path = ".".join(self.path)
        if path not in hop.fields:
            hop.fields.append(path)
