"""Upstream calls: as many as the document has distinct hops, never as many as there are rows."""

import pytest

from tests.graph.fakes import context, data, hops
from tests.graph.plant import number, systems

CARD = """
  number status item { number description }
  planning { quantity { value } provenance { system { code } } } posting { received { value } }
  execution { good { value } } materials { component { number } variance { delta { value unit } } }
  operations { number status workCenter { code } } holds { number }
  sources { system { code } group outcome }
"""
HOPS = [
    ("ERP", "items"),  # what is made
    ("ERP", "items"),  # what goes in, known once the materials are
    ("ERP", "materials"),
    ("ERP", "operations"),
    ("ERP", "orders"),
    ("MES", "actuals"),
    ("MES", "consumption"),
    ("MES", "orders"),
    ("QMS", "holds"),
]


async def test_an_order_costs_its_hops() -> None:
    """A card over every owner costs one call a hop, though one payload serves three groups."""
    ctx = context(*systems().all)
    found = await data(ctx, f'{{ productionOrder(id: "po:1710/{number(0)}") {{ {CARD} }} }}')
    assert found["productionOrder"]["status"] == "IN_PROGRESS"
    assert hops(ctx) == HOPS


async def test_a_page_of_fifty_costs_no_more() -> None:
    """Fifty orders cost the same hops, the list standing for the read of its rows."""
    ctx = context(*systems().all)
    found = await data(ctx, f"{{ productionOrders(first: 50) {{ nodes {{ {CARD} }} }} }}")
    assert len(found["productionOrders"]["nodes"]) == 50
    assert hops(ctx) == [
        (system, "orders_list" if (system, read) == ("ERP", "orders") else read) for system, read in HOPS
    ]


@pytest.mark.parametrize("rows", [1, 7, 60])
async def test_calls_do_not_grow_with_rows(rows: int) -> None:
    """However many rows a page has, the calls stay the same."""
    ctx = context(*systems().all)
    await data(ctx, f"{{ productionOrders(first: {rows}) {{ nodes {{ status checkpoints {{ kind }} }} }} }}")
    assert len(hops(ctx)) == len(set(hops(ctx)))


async def test_aliases_share_one_load() -> None:
    """The same object under five aliases is loaded once."""
    ctx = context(*systems().all)
    roots = " ".join(f'a{i}: node(id: "po:1710/{number(0)}") {{ id }}' for i in range(5))
    await data(ctx, f"{{ {roots} }}")
    assert hops(ctx) == [("ERP", "orders")]


async def test_what_is_not_selected_is_not_loaded() -> None:
    """A field left out by @skip costs nothing, not even through the sources beside it."""
    ctx = context(*systems().all)
    document = """query ($off: Boolean!) { productionOrder(id: "po:1710/1000000") {
        execution @skip(if: $off) { good { value } } planning { priority } sources { group } } }"""
    found = await data(ctx, document, off=True)
    assert [s["group"] for s in found["productionOrder"]["sources"]] == ["planning"]
    assert hops(ctx) == [("ERP", "orders")]


async def test_large_sets_are_cut_to_what_the_system_takes() -> None:
    """A read that takes ten keys at once is asked in chunks of ten."""
    plant = systems()
    plant.mes.specs = [spec.__class__(spec.name, spec.parts, max_keys=10) for spec in plant.mes.specs]
    ctx = context(*plant.all)
    await data(ctx, "{ productionOrders(first: 60) { nodes { execution { good { value } } } } }")
    assert [len(keys) for name, keys in plant.mes.asked if name == "orders"] == [10] * 6
