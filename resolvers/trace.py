"""Genealogy: from a lot forward to where its material went, or backward to where it came from, level by level."""

from collections.abc import Iterable
from typing import Annotated

import strawberry
from strawberry.types import Info

from resolvers.context import Context
from resolvers.edges import Edge, Fact, expose
from resolvers.freshness import Loads, at
from resolvers.ids import decode_as, encode
from resolvers.loaders import Answer
from schema.base import SourceSystem, join_key, split_key
from schema.errors import RequestError
from schema.integration import TraceDirection, TraceEdge, TraceGap, TraceNode, TraceResult
from schema.logistics import Shipment
from schema.material import InventoryBalance, Lot, LotTransformation

LIMIT_DEPTH, LIMIT_NODES = 30, 5000
WAYS = {
    TraceDirection.FORWARD: (("input", "output"),),
    TraceDirection.BACKWARD: (("output", "input"),),
    TraceDirection.BOTH: (("input", "output"), ("output", "input")),
}


async def trace(
    info: Info,
    start: Annotated[strawberry.ID, strawberry.argument(name="root", description="Id of a lot.")],
    direction: TraceDirection,
    max_depth: int = 10,
    max_nodes: int = 2000,
) -> TraceResult | None:
    """Where the material of a lot went to or came from, with the stock and the shipments it is in."""
    ctx: Context = info.context
    key = decode_as(start, Lot, "root", ctx.aliases)
    if not 1 <= max_depth <= LIMIT_DEPTH:
        raise RequestError(f"maxDepth: {max_depth} is out of bounds.", hint=f"1 to {LIMIT_DEPTH}.")
    if not 1 <= max_nodes <= LIMIT_NODES:
        raise RequestError(f"maxNodes: {max_nodes} is out of bounds.", hint=f"1 to {LIMIT_NODES}.")
    walk = _Walk(at(info), key)
    for near, far in WAYS[direction]:
        await walk.follow(near, far, max_depth, max_nodes)
    return await walk.result()


class _Walk:
    def __init__(self, loads: Loads, root: str) -> None:
        self.loads, self.root = loads, root
        self.depths: dict[str, int] = {root: 0}
        self.edges: dict[tuple[str, str], LotTransformation] = {}
        self.orders: dict[str, str] = {}
        self.gaps: list[TraceGap] = []
        self.truncated = False

    async def follow(self, near: str, far: str, max_depth: int, max_nodes: int) -> None:
        level = [self.root]
        for depth in range(1, max_depth + 1):
            answers = await self.loads.load_set(LotTransformation, near, level, True)
            following: dict[str, None] = {}
            cut: dict[str, None] = {}
            for key, answer in zip(level, answers, strict=True):
                self._note(key, answer)
                for link in answer.value or ():
                    reached = join_key(getattr(link, f"{far}_item"), getattr(link, f"{far}_lot"))
                    if reached not in self.depths:
                        if len(self.depths) >= max_nodes:
                            cut[key] = None
                            continue
                        self.depths[reached] = depth
                        following[reached] = None
                    self._link(link)
            if cut:
                return self._cut(cut, f"The trace was cut here: maxNodes {max_nodes} reached.")
            level = list(following)
            if not level:
                return None
        return self._cut(level, f"The trace was cut here: maxDepth {max_depth} reached.")

    def _cut(self, keys: Iterable[str], reason: str) -> None:
        self.truncated = True
        self.gaps.extend([TraceGap(_id(key), reason) for key in keys])

    def _link(self, link: LotTransformation) -> None:
        place = (join_key(link.input_item, link.input_lot), join_key(link.output_item, link.output_lot))
        self.edges.setdefault(place, link)
        if link.plant and link.order:
            self.orders[place[1]] = join_key(link.plant, link.order)

    def _note(self, key: str, answer: Answer[list[LotTransformation]]) -> None:
        for system, error in answer.failures:
            self.gaps.append(TraceGap(_id(key), str(error), None if system == "GATEWAY" else system))

    async def result(self) -> TraceResult:
        keys = list(self.depths)
        lots = [_lot(key, answer) for key, answer in zip(keys, await self.loads.each(Lot, keys), strict=True)]
        stock = await self.loads.load_set(InventoryBalance, "lot", keys, True)
        orders = list(dict.fromkeys([*self.orders.values(), *_orders(lots)]))
        shipped = await self.loads.load_set(Shipment, "order", orders, True)
        for key, answer in [*zip(keys, stock, strict=True)]:
            self.gaps.extend(TraceGap(_id(key), str(error), system) for system, error in answer.failures)
        for answer in shipped:
            self.gaps.extend(
                TraceGap(_id(self.root), str(error), system) for system, error in answer.failures
            )
        shipments = {row.number: row for answer in shipped for row in answer.value or ()}
        return TraceResult(
            root=lots[0],
            nodes=tuple(
                TraceNode(_id(key), depth, lot)
                for (key, depth), lot in zip(self.depths.items(), lots, strict=True)
            ),
            edges=tuple(
                TraceEdge(_id(one), _id(other), link.provenance, link.quantity, link.at)
                for (one, other), link in self.edges.items()
            ),
            affected_lots=tuple(lots[1:]),
            affected_shipments=tuple(shipments.values()),
            on_hand=tuple(row for answer in stock for row in answer.value or ()),
            complete=not self.gaps,
            truncated=self.truncated,
            gaps=tuple(self.gaps),
        )


def _orders(lots: Iterable[Lot]) -> list[str]:
    return [join_key(lot.plant, lot.order) for lot in lots if lot.plant and lot.order]


def _lot(key: str, answer: Answer[Lot]) -> Lot:
    return answer.value or _known(key)


def _id(key: str) -> str:
    return encode(_known(key))


def _known(key: str) -> Lot:
    item, number = split_key(key)
    return Lot(item, number)


def from_(row: TraceEdge) -> str:
    """Id of the lot the material came from."""
    return row.from_id


def to(row: TraceEdge) -> str:
    """Id of the lot the material went into."""
    return row.to_id


def install() -> None:
    """Put the results of a trace into the graph."""
    expose(TraceResult)
    expose(TraceNode)
    expose(TraceEdge, Fact("from", from_), Fact("to", to))
    expose(TraceGap, Edge("system", SourceSystem, ("system",)))
