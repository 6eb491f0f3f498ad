"""The world: coherent, the same every time, and moving by its clock."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

from sources.plant.world.build import build_world
from sources.plant.world.clock import START, Clock
from sources.plant.world.material import LotKey
from sources.plant.world.truth import Truth
from sources.plant.world.world import World


def everything_explained(world: World) -> bool:
    """Whether only what was lost is unexplained."""
    truth = Truth(world)
    return all(
        truth.position(item, plant).unexplained == -truth.lost(item, plant)
        for item in world.items
        for plant in world.plants
    )


def nothing_negative(world: World) -> bool:
    """Whether no place owes stock."""
    tables = (world.ledger.book, world.ledger.physical, world.ledger.wip)
    return all(quantity > 0 for table in tables for _, quantity in table.everything())


def test_same_seed_same_world(world: World) -> None:
    """Two worlds of one seed agree on every order, movement and shipment."""
    other = build_world()
    assert list(world.orders.values()) == list(other.orders.values())
    assert world.ledger.movements == other.ledger.movements
    assert world.shipments == other.shipments


def test_another_seed_is_another_plant(world: World) -> None:
    """A different seed gives different orders under the same numbers."""
    other = build_world(seed=8)
    assert other.orders.keys() == world.orders.keys()
    assert other.orders != world.orders


def test_every_stage_of_life_is_there(world: World) -> None:
    """Both plants have orders in each of the seven states."""
    counts = Counter((order.plant, order.state) for order in world.orders.values())
    assert len(counts) == 14


def test_a_page_of_fifty_has_lots_and_shipments(world: World) -> None:
    """At least fifty orders of Kassel have an output lot, an item with a BOM and a shipment."""
    full = [
        order
        for order in world.orders_by["plant"]["1710"]
        if order.lot and world.items[order.item].bom and world.shipments_by["order"].get(order.number)
    ]
    assert len(full) >= 50


def test_stock_is_explained(world: World) -> None:
    """Physical and line stock differ from the books only by what is under way, and by what was lost."""
    assert everything_explained(world)
    assert nothing_negative(world)
    assert sum(1 for row in world.ledger.movements.values() if row.posted_at is None) > 10


def test_time_passes_coherently(world: World) -> None:
    """After ten days orders have finished, shipments arrived, and stock is still explained."""
    before = Counter(order.state for order in world.orders.values())
    for _ in range(10):
        world.clock.advance(timedelta(days=1))
        assert world.catch_up() > 0
    after = Counter(order.state for order in world.orders.values())
    assert after["COMPLETED"] > before["COMPLETED"]
    assert after["CREATED"] < before["CREATED"]
    assert everything_explained(world)
    assert nothing_negative(world)


def test_frozen_clock_stands_still(world: World) -> None:
    """With speed 0 nothing ever happens by itself."""
    assert world.now() == START
    assert world.catch_up() == 0


def test_clock_runs_faster_than_life() -> None:
    """At speed 60 a real second is a world minute."""
    seconds = iter((100.0, 101.0, 102.5))
    clock = Clock(speed=60, seconds=lambda: next(seconds))
    assert clock.now() == START + timedelta(minutes=1)
    assert clock.now() == START + timedelta(minutes=2, seconds=30)


def test_a_delayed_posting_arrives(world: World) -> None:
    """What the books do not know yet they know some hours later."""
    late = next(row for row in world.ledger.movements.values() if row.posted_at is None)
    world.clock.advance(timedelta(hours=10))
    world.catch_up()
    assert late.document
    assert late.posted_at is not None
    assert late.posted_at > late.occurred_at


def test_backflush_duplicate(world: World) -> None:
    """Order 1000052 has one component booked twice over."""
    component = world.orders["1000052"].components[0]
    assert component.issued == 2 * component.consumed > 0


def test_showcase_order(world: World) -> None:
    """The order, sales order, pallet, lot, customer and supplier the example queries name exist and belong together."""
    order = world.orders["1000040"]
    sales = world.sales_by_reference["4500123987"][0]
    shipment = world.shipments_by["sscc"]["006141411234567890"][0]
    assert (order.plant, order.state, order.lot) == ("1710", "IN_PROGRESS", "L2409-07")
    assert (sales.customer, sales.lines[0].item, order.sales_order) == ("cust-42", order.item, sales.number)
    assert (shipment.carrier, shipment.lines[0].order) == ("3pl-7", order.number)
    assert len(world.shipments_by["carrier"]["3pl-7"]) > 5
    assert any(row.supplier == "sup-3" for row in world.purchases.values())


def test_genealogy_reaches_shipments(world: World) -> None:
    """A component lot of the showcase order leads forward to the pallet it went into."""
    order = world.orders["1000040"]
    component = order.components[0]
    truth = Truth(world)
    lots = truth.descendants(LotKey(component.item, component.lot))
    assert LotKey(order.item, order.lot) in lots
    pallet = world.shipments_by["sscc"]["006141411234567890"][0]
    assert pallet.number in truth.shipments_with(lots)


def test_cartons_fill_their_pallet(world: World) -> None:
    """What lies in the cartons of a pallet is what the pallet holds."""
    for shipment in world.shipments.values():
        pallets = [unit for unit in shipment.units if not unit.parent]
        for pallet in pallets:
            inside = [unit for unit in shipment.units if unit.parent == pallet.sscc]
            held = sum((quantity for unit in inside for _, quantity in unit.contents), Decimal(0))
            assert held == sum((quantity for _, quantity in pallet.contents), Decimal(0))


def test_hold_loses_the_race(world: World) -> None:
    """The showcase lot was held twenty seconds before it left, and the warehouse followed forty seconds late."""
    hold = next(iter(world.holds.values()))
    movement = world.ledger.movements[hold.violations[0]]
    wms = next(row for row in hold.enforcement if row.system == "WMS_CEN")
    assert movement.occurred_at - hold.placed_at == timedelta(seconds=20)
    assert wms.confirmed_at is not None
    assert wms.confirmed_at - movement.occurred_at == timedelta(seconds=40)


def test_some_orders_wait_for_material(world: World) -> None:
    """Released orders whose start has passed lack staged components: the late list is not empty."""
    late = [
        order.number
        for order in world.orders.values()
        if order.state == "RELEASED"
        and order.planned_start < world.now()
        and any(row.staged < row.required for row in order.components if not row.backflush)
    ]
    assert len(late) >= 3
