"""What the roots ask for, as far as their arguments tell: which keys, which lists, how many pages of them.

Of an id only its class and its plant count, of other texts only that they are there: what is found out here holds for
all requests that differ in no more (see ``reduced``).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from graphql import GraphQLField, get_named_type

from resolvers.context import Systems
from resolvers.edges import EXPOSED
from resolvers.ledger import ASSUMED, LOCAL, Keys
from resolvers.lookup import KINDS
from resolvers.paging import MAX_PAGES
from resolvers.trace import WAYS
from resolvers.trail import snake
from schema.base import KEYS, NODES, PREFIXES, Plant, is_scoped
from schema.integration import TraceDirection
from schema.logistics import Shipment
from schema.material import InventoryBalance, InventoryMovement, Item, Lot, LotTransformation
from sources.base import Lister

LOOKUPS = {"sscc": "sscc", "trackingNumber": "tracking", "customerReference": "customer_reference"}
"""Arguments of roots that find by another key than the id."""

SIFTS: Mapping[str, Mapping[str, str]] = {
    "productionOrders": {
        "workCenters": "operations",
        "due": "planning",
        "statuses": "status",
        "checkpoint": "checkpoints",
    },
    "shipments": {"statuses": "status", "shipDate": "warehouse"},
    "lots": {"statuses": "status", "expiringBefore": "master"},
    "movements": {"missingIn": "posted_in"},
    "purchaseOrders": {"dueBefore": "lines"},
    "qualityHolds": {"targets": ""},
}
"""Filters of lists that look at whole pages, and the field whose loads they need."""
SIFTED = 100
"""Rows of a page where such a filter looks at it."""
DEEPEST, LARGEST = 20, 5_000
"""What the values of variables are looked at for: how deep, and the largest size that any root takes."""
MAX_NODES = 2000
"""Lots that a trace visits unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Load:
    """Rows that a root asks for by their keys, so many times."""

    cls: type
    by: str
    keys: Keys
    times: int = 1


@dataclass(frozen=True, slots=True)
class Paged:
    """Pages that a root asks for."""

    lister: Lister
    pages: int
    size: int
    further: bool


@dataclass(slots=True)
class Rooted:
    """What a root asks for. ``found`` are the rows that it shows, by their classes; otherwise it shows ``rows`` rows,
    of a list of ``cls`` with ``keys`` where it is one, whose pages ``sifts`` look at.
    """

    rows: int = 1
    found: list[Load] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    cls: type | None = None
    keys: Keys = field(default_factory=lambda: Keys(1))
    plants: frozenset[str] | None = None
    listed: list[Paged] = field(default_factory=list)
    sifts: list[str] = field(default_factory=list)
    pages: int = 1
    page_rows: int = 0


def rooted(
    systems: Systems,
    name: str,
    definition: GraphQLField,
    arguments: Mapping[str, Any],
    aliases: Mapping[str, str],
) -> Rooted:
    """What a root asks for, by its arguments. Values that the graph will refuse count as none."""
    if name in ("node", "nodes", "_entities"):
        return _by_ids(_ids(name, arguments), aliases)
    if name == "inventoryPositions":
        return _positions(arguments)
    if name == "trace":
        return _trace(arguments)
    key = arguments.get("key")
    if name == "resolveKey" or isinstance(key, dict):
        return _by_key(systems, key if isinstance(key, dict) else {})
    named = get_named_type(definition.type).name
    classes = {cls.__name__: cls for cls in EXPOSED}
    if named.endswith("Connection"):
        return _list(systems, name, classes[named.removesuffix("Connection")], arguments, aliases)
    cls = classes.get(named)
    if cls is None or cls not in KEYS or cls in LOCAL:
        return Rooted()
    by = next((LOOKUPS[each] for each in arguments if each in LOOKUPS), "id")
    return Rooted(found=[Load(cls, by, Keys(1, _plants([arguments.get("id")], cls, aliases)))])


def reduced(value: Any, systems: Systems, aliases: Mapping[str, str], depth: int = 0) -> Any:
    """A variable's value without what does not change a price. Reducing it again changes nothing."""
    if depth > DEEPEST:
        return None
    if isinstance(value, dict):
        return {str(name): reduced(inner, systems, aliases, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [reduced(inner, systems, aliases, depth + 1) for inner in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _word(value, systems, aliases)
    return min(max(value, 0), LARGEST + 1) if isinstance(value, int) else 0


def _word(text: str, systems: Systems, aliases: Mapping[str, str]) -> str:
    """What counts of a text: the class and the plant of an id, a word that means a class, the code of a system."""
    cls, code = _decoded(text, aliases)
    if cls is not None:
        return f"{PREFIXES[cls]}:{code if code in systems.plants else ''}/"
    known = _kind(text) is not None or text in WORDS or systems.system(text) is not None
    return text if known else ""


def _kind(text: Any) -> type | None:
    """The class that a word of some system means."""
    return KINDS.get(text.replace("_", "").lower()) if isinstance(text, str) else None


WORDS = frozenset([*[cls.__name__ for cls in PREFIXES], *[direction.name for direction in TraceDirection]])
"""Texts that change a price."""


def _ids(name: str, arguments: Mapping[str, Any]) -> list[Any]:
    """The ids that are asked for; a class's name stands for one that has another key."""
    if name == "node":
        return [arguments.get("id")]
    given = arguments.get("ids" if name == "nodes" else "representations")
    if name == "nodes" or not isinstance(given, list):
        return given if isinstance(given, list) else [None]
    found = [one if isinstance(one, dict) else {} for one in given]
    return [one.get("id") or one.get("__typename") for one in found]


def _by_ids(ids: Sequence[Any], aliases: Mapping[str, str]) -> Rooted:
    counts: dict[type, list[Any]] = {}
    for one in ids:
        cls, _ = _decoded(one, aliases)
        known = [cls] if cls is not None else [each for each in PREFIXES if each.__name__ == one]
        # An id that is not known yet may be any.
        for each in known or ([] if one is not None else PREFIXES):
            counts.setdefault(each, []).append(one)
    return Rooted(
        found=[Load(cls, "id", Keys(len(some), _plants(some, cls, aliases))) for cls, some in counts.items()]
    )


def _by_key(systems: Systems, key: Mapping[str, Any]) -> Rooted:
    cls = _kind(key.get("kind"))
    system = key.get("system")
    known = isinstance(system, str) and systems.system(system) is not None and system != "GATEWAY"
    plants = frozenset(systems.serving(str(system)) if known else systems.plants)
    count = max(1, len(plants))
    classes = dict.fromkeys(KINDS.values()) if cls is None else [cls]
    return Rooted(
        found=[Load(one, "id", Keys(count, plants) if is_scoped(one, "id") else Keys(1)) for one in classes]
    )


def _list(
    systems: Systems, name: str, cls: type, arguments: Mapping[str, Any], aliases: Mapping[str, str]
) -> Rooted:
    wanted = arguments.get("filter")
    wanted = (
        {each: value for each, value in wanted.items() if value is not None}
        if isinstance(wanted, dict)
        else {}
    )
    sifts = [field for each, field in SIFTS.get(name, {}).items() if each in wanted]
    first = _size(arguments.get("first"), ASSUMED)
    plants = _codes(wanted.get("plants"), aliases)
    found = Rooted(
        first, cls=cls, keys=Keys(first, plants), plants=plants, sifts=[one for one in sifts if one]
    )
    for rank, tier in enumerate(systems.listers(cls, plants or ())):
        for lister in tier:
            sifted = bool(sifts) or not _evaluates(lister, wanted)
            size = min(lister.search.max_page, SIFTED if sifted else first)
            pages = MAX_PAGES if sifted else ceil(first / size)
            found.listed.append(Paged(lister, pages, size, rank > 0))
            found.pages, found.page_rows = MAX_PAGES, max(size, found.page_rows)
    return found


def _evaluates(lister: Lister, wanted: Collection[str]) -> bool:
    """Whether a system evaluates all filters itself."""
    theirs = lister.search.filters
    return all(snake(each) in theirs or f"{snake(each)}_from" in theirs for each in wanted)


def _positions(arguments: Mapping[str, Any]) -> Rooted:
    wanted = arguments.get("filter")
    wanted = wanted if isinstance(wanted, dict) else {}
    items = wanted.get("items") or wanted.get("lots")
    keys = Keys(len(items) if isinstance(items, list) else 1)
    loads = [
        Load(InventoryBalance, "item", keys),
        Load(InventoryMovement, "item", keys),
        Load(Item, "id", keys),
    ]
    return Rooted(_size(arguments.get("first"), ASSUMED), loads=loads)


def _trace(arguments: Mapping[str, Any]) -> Rooted:
    """Level after level of lots, at most so many of both, and then what is known of them."""
    most = _size(arguments.get("maxNodes"), MAX_NODES)
    depth, lots = _size(arguments.get("maxDepth"), 1), Keys(most)
    ways = [near for pairs in _directions(arguments.get("direction")) for near, _ in pairs]
    levels = [Load(LotTransformation, way, Keys(1), depth) for way in ways]
    loads = [*levels, *[Load(LotTransformation, way, Keys(most)) for way in ways]]
    after = [(Lot, "id", lots), (InventoryBalance, "lot", lots), (Shipment, "order", Keys(most))]
    return Rooted(most, loads=[*loads, *[Load(cls, by, keys) for cls, by, keys in after]])


def _directions(said: Any) -> list[tuple[tuple[str, str], ...]]:
    return [ways for direction, ways in WAYS.items() if direction.name == said] or [WAYS[TraceDirection.BOTH]]


def _size(value: Any, otherwise: int) -> int:
    usable = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST
    return value if usable else otherwise


def _decoded(text: Any, aliases: Mapping[str, str]) -> tuple[type | None, str]:
    """The class of an id and the first part of its key."""
    if not isinstance(text, str):
        return None, ""
    prefix, colon, key = aliases.get(text, text).partition(":")
    return (NODES.get(prefix) if colon else None), key.partition("/")[0]


def _codes(ids: Any, aliases: Mapping[str, str]) -> frozenset[str] | None:
    """The codes in ids of plants."""
    if not isinstance(ids, list):
        return None
    found = [_decoded(one, aliases) for one in ids]
    return frozenset(code for cls, code in found if cls is Plant) if all(cls for cls, _ in found) else None


def _plants(ids: Sequence[Any], cls: type, aliases: Mapping[str, str]) -> frozenset[str] | None:
    """The plants that ids of a class route themselves to; None where that is not known."""
    plants = [_decoded(one, aliases)[1] for one in ids]
    return frozenset(plants) if is_scoped(cls, "id") and all(plants) else None
