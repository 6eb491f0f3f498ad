"""The roots that find things: by id, by key, by a system's own key, as entities of a federation."""

from typing import Any

import pytest

from schema.errors import SourceUnavailable
from tests.graph.fakes import ask, code_of, context, data, hops
from tests.graph.plant import number, systems

ORDER = f"po:1710/{number(0)}"
ENTITIES = """query ($r: [_Any!]!) { _entities(representations: $r) { __typename
  ... on Item { number description } ... on ProductionOrder { number status } ... on Plant { code } } }"""


async def test_a_node_is_found_by_its_id() -> None:
    """Every kind of node answers to its id, also one whose number has a slash."""
    ids = [ORDER, "item:FG-0", "plant:1710", "sys:ERP", "lot:ODD%2F1/A%2FB", "item:ODD%2F1", "item:none"]
    document = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    found = (await data(context(*systems().all), document, ids=ids))["nodes"]
    assert [node and node["id"] for node in found] == [*ids[:-1], None]
    assert [node["__typename"] for node in found[:-1]] == [
        "ProductionOrder",
        "Item",
        "Plant",
        "SourceSystem",
        "Lot",
        "Item",
    ]


async def test_nodes_are_one_batch_a_class() -> None:
    """Forty ids of two classes cost two calls, in order and with duplicates kept."""
    ctx = context(*systems().all)
    ids = [f"po:1710/{number(i)}" for i in range(20)] + ["item:FG-1", "item:FG-0"] * 10
    document = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert [node["id"] for node in (await data(ctx, document, ids=ids))["nodes"]] == ids
    assert hops(ctx) == [("ERP", "items"), ("ERP", "orders")]


async def test_a_number_with_a_slash_is_found_by_its_parts() -> None:
    """A lot is found by item and number whatever characters they have."""
    document = '{ lot(item: "item:ODD%2F1", number: "A/B") { id number item { number description } } }'
    assert (await data(context(*systems().all), document))["lot"] == {
        "id": "lot:ODD%2F1/A%2FB",
        "number": "A/B",
        "item": {"number": "ODD/1", "description": "Slash"},
    }


@pytest.mark.parametrize("key", ["1000000", "000001000000"])
async def test_a_systems_own_key_is_resolved(key: str) -> None:
    """An ERP key finds the order, with or without leading zeros."""
    document = """query ($k: String!) { resolveKey(key: {system: "ERP", kind: "ManufacturingOrder", key: $k}) { id }
        productionOrder(key: {system: "ERP", kind: "ProductionOrder", key: $k}) { keys { system { code } raw confirmed } } }"""
    found = await data(context(*systems().all), document, k=key)
    assert found["resolveKey"] == {"id": ORDER}
    assert found["productionOrder"]["keys"][0] == {
        "system": {"code": "ERP"},
        "raw": f"00000{number(0)}",
        "confirmed": True,
    }


REFUSED: list[tuple[str, str, str]] = [
    ('node(id: "zzz")', "BAD_ID", "id: 'zzz'"),
    ('node(id: "po:1710")', "BAD_ID", "id: 'po:1710'"),
    ('nodes(ids: ["item:FG-0", "x:y"])', "BAD_ID", "ids: 'x:y'"),
    ('item(id: "plant:1710")', "BAD_ID", "id: 'plant:1710'"),
    ("item", "BAD_USER_INPUT", "exactly one of id, number"),
    ('item(id: "item:FG-0", number: "FG-0")', "BAD_USER_INPUT", "exactly one of id, number"),
    ('lot(number: "L1")', "BAD_USER_INPUT", "item"),
    (
        'resolveKey(key: {system: "NOPE", kind: "Lot", key: "1"})',
        "BAD_USER_INPUT",
        "key.system: no system 'NOPE'",
    ),
    ('resolveKey(key: {system: "GATEWAY", kind: "Lot", key: "1"})', "BAD_USER_INPUT", "key.system"),
    (
        'resolveKey(key: {system: "GATEWAY", kind: "ProductionOrder", key: "1"})',
        "BAD_USER_INPUT",
        "key.system",
    ),
    ('resolveKey(key: {system: "ERP", kind: "Spoon", key: "1"})', "BAD_USER_INPUT", "key.kind: 'Spoon'"),
    ('productionOrder(key: {system: "ERP", kind: "Item", key: "FG-0"})', "BAD_USER_INPUT", "key.kind"),
    ('trace(root: "item:FG-0", direction: FORWARD)', "BAD_ID", "root: 'item:FG-0'"),
    ('trace(root: "lot:RM-1/L1", direction: FORWARD, maxDepth: 0)', "BAD_USER_INPUT", "maxDepth: 0"),
    ('trace(root: "lot:RM-1/L1", direction: FORWARD, maxNodes: 99999)', "BAD_USER_INPUT", "maxNodes: 99999"),
    ("inventoryPositions(filter: {})", "BAD_USER_INPUT", "filter"),
    ('lots(filter: {items: ["plant:1710"]})', "BAD_ID", "filter.items: 'plant:1710'"),
    ("productionOrders(filter: {hasOpenException: true})", "BAD_USER_INPUT", "filter.hasOpenException"),
    ("productionOrders(filter: {checkpoint: SHIPPED})", "BAD_USER_INPUT", "checkpointState"),
    (
        'productionOrders(filter: {due: {from: "2026-11-24T00:00:00Z", to: "2026-11-23T00:00:00Z"}})',
        "BAD_USER_INPUT",
        "filter.due",
    ),
    ("productionOrders(freshness: {deadlineMs: 0})", "BAD_USER_INPUT", "freshness.deadlineMs: 0"),
    ("productionOrders(freshness: {maxAgeSeconds: -1})", "BAD_USER_INPUT", "freshness.maxAgeSeconds: -1"),
    ("movements(first: 0)", "BAD_PAGE_SIZE", "first: 0"),
]


@pytest.mark.parametrize(("root", "code", "words"), REFUSED, ids=[case[0][:48] for case in REFUSED])
async def test_bad_arguments_are_named(root: str, code: str, words: str) -> None:
    """A bad argument is refused with a code, its name, its value and how to mend it, and nothing is asked."""
    ctx = context(*systems().all)
    result = await ask(ctx, f"{{ r: {root} {{ __typename }} }}")
    assert result.errors is not None
    [error] = result.errors
    assert (code_of(error), words in error.message) == (code, True), error.message
    assert getattr(error.original_error, "hint", None)
    assert hops(ctx) == []


@pytest.mark.parametrize(
    "root",
    [
        'shipment(sscc: "1")',
        'shipment(trackingNumber: "1")',
        'salesOrder(customerReference: "1")',
        'shipment(number: "S100")',
    ],
)
async def test_a_null_root_has_a_reason(root: str) -> None:
    """A root that is null because nobody could be asked says so in the extensions."""
    plant = systems()
    for system in plant.all:
        system.fault = SourceUnavailable("down")
    result = await ask(context(*plant.all), f"{{ r: {root} {{ number }} }}")
    assert (result.errors, result.data) == (None, {"r": None})
    assert result.extensions is not None
    assert result.extensions["sources"]


async def test_entities_keep_order_and_duplicates_in_one_batch() -> None:
    """Representations are resolved in order, duplicates kept, one call a class."""
    ctx = context(*systems().all)
    wanted = ["item:FG-1", "item:FG-0", "item:FG-1", "item:none"]
    given: list[Any] = [{"__typename": "Item", "id": one} for one in wanted]
    found = (await data(ctx, ENTITIES, r=[*given, {"__typename": "Plant", "id": "plant:1710"}]))["_entities"]
    assert [one and one.get("number", one.get("code")) for one in found] == [
        "FG-1",
        "FG-0",
        "FG-1",
        None,
        "1710",
    ]
    assert hops(ctx) == [("ERP", "items")]


async def test_an_entity_is_known_by_its_number() -> None:
    """A subgraph that knows only an item's number may use it as the key."""
    found = await data(context(*systems().all), ENTITIES, r=[{"__typename": "Item", "number": "ODD/1"}])
    assert found["_entities"] == [{"__typename": "Item", "number": "ODD/1", "description": "Slash"}]


@pytest.mark.parametrize(
    "bad",
    [
        {"__typename": "Nope", "id": "item:FG-0"},
        {"__typename": ["Item"], "id": "item:FG-0"},
        {"id": "item:FG-0"},
        {"__typename": "Item"},
        {"__typename": "Item", "id": {"a": 1}},
        {"__typename": "Item", "id": "plant:1710"},
        {"__typename": "Item", "id": "zzz"},
        {"__typename": "Item", "number": {"a": 1}},
        "Item",
        7,
        None,
    ],
    ids=str,
)
async def test_a_bad_representation_costs_itself_only(bad: Any) -> None:
    """What names no entity is an error of its place, with a code; the others are resolved."""
    good = {"__typename": "Item", "id": "item:FG-0", "extra": {"is": "ignored"}}
    result = await ask(context(*systems().all), ENTITIES, r=[good, bad, good])
    assert result.errors is not None
    if bad is None:  # [_Any!]! refuses it before anything runs
        return
    [error] = result.errors
    assert code_of(error) in ("BAD_REPRESENTATION", "BAD_ID")
    assert error.path == ["_entities", 1]
    assert result.data is not None
    assert [one and one["number"] for one in result.data["_entities"]] == ["FG-0", None, "FG-0"]


async def test_too_many_representations_are_refused() -> None:
    """The number of entities in one request is capped."""
    ctx = context(*systems().all)
    result = await ask(ctx, ENTITIES, r=[{"__typename": "Item", "id": "item:FG-0"}] * 501)
    assert result.errors is not None
    assert code_of(result.errors[0]) == "BAD_PAGE_SIZE"
    assert hops(ctx) == []


async def test_the_service_gives_its_schema() -> None:
    """``_service`` gives the schema with its federation directives."""
    sdl = (await data(context(*systems().all), "{ _service { sdl } }"))["_service"]["sdl"]
    assert '@key(fields: "id")' in sdl
    assert "@shareable" in sdl


async def test_the_systems_and_the_viewer_are_shown() -> None:
    """Who is connected and who asks."""
    found = await data(
        context(*systems().all), "{ sourceSystems { code kind healthy } viewer { subject plants { code } } }"
    )
    assert [system["code"] for system in found["sourceSystems"]] == ["ERP", "MES", "WMS", "QMS", "TMS"]
    assert found["viewer"] == {"subject": "anonymous", "plants": [{"code": "1710"}, {"code": "1720"}]}
