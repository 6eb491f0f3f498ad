"""The crosswalk in the graph: keys go out as the system's, rows come back with ours, and the answer says how they matched."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest

from gateway.crosswalk.service import CrosswalkService
from gateway.crosswalk.store import Store
from gateway.crosswalk.waiting import Note
from gateway.database import Database
from resolvers.context import Context
from schema.base import SystemKind
from schema.errors import SourceUnavailable
from schema.matching import Entry, Reason
from schema.material import BalanceView, InventoryBalance, Item, Lot, LotMaster
from schema.production import (
    MaterialConsumption,
    MaterialRequirement,
    OrderExecution,
    OrderPlanning,
    ProductionOrder,
)
from sources.base import Batch, Bundle, Part
from sources.catalog import Catalog
from tests.graph.fakes import PLANTS, Fake, Spec, ask, data, pieces, said

ORDER = Part(OrderExecution, "order")
NEEDED = Part(MaterialRequirement, "order", many=True)
USED = Part(MaterialConsumption, "order", many=True)
JOBS = (Part(ProductionOrder), ORDER, NEEDED, USED)
STOCK = Part(InventoryBalance, "item", many=True)
LOT_STOCK = Part(InventoryBalance, "lot", many=True)
KEYS = "keys { system { code } kind key raw matchedBy confirmed }"


def erp() -> Fake:
    """The ERP, whose keys are ours: two orders, an item, two lots."""
    rows = [
        *(ProductionOrder("1710", n, "FG-1", provenance=said("ERP", n)) for n in ("1000000", "1000001")),
        *(OrderPlanning("1710", n, pieces("9"), said("ERP", n)) for n in ("1000000", "1000001")),
        *(Item(n, provenance=said("ERP", n)) for n in ("FG-1", "RM-1")),
        *(Lot("FG-1", n, provenance=said("ERP", n)) for n in ("L1-EU", "L1-US", "L1-")),
        *(LotMaster("FG-1", n, said("ERP", n)) for n in ("L1-EU", "L1-US")),
    ]
    specs = [
        Spec("orders", (Part(ProductionOrder), Part(OrderPlanning, "order"))),
        Spec("items", (Part(Item),)),
        Spec("lots", (Part(Lot), Part(LotMaster, "lot"))),
    ]
    return Fake("ERP", SystemKind.ERP, specs, rows, ["1710"])


def mes(keys: Mapping[str, Any] | None = None) -> Fake:
    """The MES, with keys of its own: job J7 is our order 1000000, X9 is our item FG-1."""
    place = ("1710", "X9", "LINE", BalanceView.WIP)
    rows = [
        ProductionOrder("1710", "J7", "X9", provenance=said("MES", "00J7")),
        OrderExecution("1710", "J7", said("MES", "00J7"), good=pieces("5")),
        MaterialRequirement("1710", "J7", "X9", pieces("4"), provenance=said("MES")),
        MaterialConsumption("1710", "J7", "X9", pieces("4"), said("MES"), ("L1-", "L2")),
        InventoryBalance(*place, pieces("3"), said("MES"), "L1-"),
        InventoryBalance(*place, pieces("2"), said("MES"), "L2"),
    ]
    specs = [
        Spec("jobs", JOBS, listed=True, filters=frozenset({"items"})),
        Spec("stock", (STOCK,)),
        Spec("lot_stock", (LOT_STOCK,)),
    ]
    return Fake("MES", SystemKind.MES, specs, rows, ["1710"], keys or {})


def entry(kind: str, theirs: str, ours: str, **more: Any) -> Entry:
    """An entry for the MES."""
    return Entry("MES", kind, theirs, ours, **more)


J7 = entry("ProductionOrder", "1710/J7", "1710/1000000")
X9 = entry("Item", "X9", "FG-1")
L1 = entry("Lot", "X9/L1-", "FG-1/L1-EU")


class Gateway:
    """Systems with a crosswalk around them, in memory."""

    def __init__(self, *sources: Fake, entries: Sequence[Entry] = ()) -> None:
        self.service = CrosswalkService(Store(Database()))
        self.service.store.open()
        self.service.store.add(entries)
        self.catalog = Catalog(sources, PLANTS, layers=[self.service.layer(sources)], crosswalk=self.service)

    async def context(self) -> Context:
        """A new operation, after the table was looked at."""
        await self.service.changed()
        return Context(self.catalog)

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        return await data(await self.context(), document, **variables)

    async def unmatched(self) -> list[Note]:
        """The queue, after it was written down."""
        await self.service.flush()
        return self.service.store.unmatched()

    def close(self) -> None:
        """Give back the connection."""
        self.service.store.close()


@pytest.fixture
def made(request: pytest.FixtureRequest) -> Any:
    """Makes gateways that are closed at the end."""

    def make(*sources: Fake, entries: Sequence[Entry] = ()) -> Gateway:
        gateway = Gateway(*sources, entries=entries)
        request.addfinalizer(gateway.close)
        return gateway

    return make


ONE = f"""{{ productionOrder(id: "po:1710/1000000") {{
  execution {{ good {{ value }} provenance {{ system {{ code }} confirmed }} }}
  materials {{ component {{ number }} consumedMes {{ value }} lots {{ id }} }} {KEYS} }} }}"""


@pytest.mark.parametrize("confirmed", [True, False])
async def test_a_key_of_the_table_reaches_the_system(made: Any, confirmed: bool) -> None:
    """The MES is asked for its own job; the answer is our order's and says so, as sure as the table is."""
    shop = mes()
    before = deepcopy(shop.rows)
    known = entry("ProductionOrder", "1710/J7", "1710/1000000", confirmed=confirmed)
    order = (await made(erp(), shop, entries=[known]).ask(ONE))["productionOrder"]
    assert shop.asked == [("jobs", ("1710/J7",))]
    assert order["execution"]["good"] == {"value": "5"}
    assert order["execution"]["provenance"]["confirmed"] is confirmed
    assert {
        "system": {"code": "MES"},
        "kind": "ProductionOrder",
        "key": "1000000",
        "raw": "J7",
        "matchedBy": "XREF_TABLE",
        "confirmed": confirmed,
    } in order["keys"]
    assert shop.rows == before


async def test_what_a_row_names_without_being_found_by_it(made: Any) -> None:
    """Components and their lots are no keys of a consumption, and are ours all the same."""
    order = (await made(erp(), mes(), entries=[J7, X9, L1]).ask(ONE))["productionOrder"]
    assert order["materials"] == [
        {
            "component": {"number": "FG-1"},
            "consumedMes": {"value": "4"},
            "lots": [{"id": "lot:FG-1/L1-EU"}, {"id": "lot:FG-1/L2"}],
        }
    ]


async def test_without_entries_nothing_is_touched(made: Any) -> None:
    """A system without entries gets the very batch that was made, and its rows go through as they are."""
    shop, seen = mes(), []
    gateway = made(erp(), shop, entries=[Entry("WMS", "Item", "A", "B")])

    async def fetch(batch: Batch) -> Bundle:
        seen.append(batch)
        return {OrderExecution: [None]}

    read = shop.reads()[0]
    await gateway.service.changed()
    call, peek = gateway.service.layer([shop]).read(shop.config, read, fetch)
    batch = Batch(("1710/1",), frozenset({OrderExecution}), 0.0)
    await call(batch)
    assert seen[0] is batch
    assert peek is None


STOCK_OF = (
    """{ item(id: "item:FG-1") { positions { lot { id } wip { value } balances { location { code } } } } }"""
)


async def test_rows_hold_more_keys_than_they_are_asked_by(made: Any) -> None:
    """Stock found by item names a lot and a place as well: each is translated by what the table says of its kind."""
    place = entry("Location", "1710/LINE", "1710/LS-1")
    found = (await made(erp(), mes(), entries=[X9, L1, place]).ask(STOCK_OF))["item"]["positions"]
    assert {row["lot"]["id"]: row["wip"]["value"] for row in found} == {
        "lot:FG-1/L1-EU": "3",
        "lot:FG-1/L2": "2",
    }
    assert {row["balances"][0]["location"]["code"] for row in found} == {"LS-1"}


async def test_a_key_inside_a_key(made: Any) -> None:
    """Of a lot of an item that the MES names differently, the item alone is translated."""
    shop = mes()
    document = '{ lot(id: "lot:FG-1/L2") { balances { onHand { value } item { number } lot { number } } } }'
    gateway = made(erp(), shop, entries=[X9])
    gateway.catalog.systems["ERP"].source.rows.append(Lot("FG-1", "L2", provenance=said("ERP")))
    [row] = (await gateway.ask(document))["lot"]["balances"]
    assert shop.asked == [("lot_stock", ("X9/L2",))]
    assert row == {"onHand": {"value": "2"}, "item": {"number": "FG-1"}, "lot": {"number": "L2"}}


async def test_what_belongs_to_another_is_not_asked(made: Any) -> None:
    """The MES's L1- is our L1-EU, so our own L1- is not known there, whatever it looks like."""
    shop = mes()
    gateway = made(erp(), shop, entries=[X9, L1])
    document = """query ($id: ID!) { lot(id: $id) { balances { onHand { value } }
        sources { system { code } group outcome } } }"""
    assert (await gateway.ask(document, id="lot:FG-1/L1-EU"))["lot"]["balances"] == [
        {"onHand": {"value": "3"}}
    ]
    shop.asked.clear()
    same = entry("Lot", "FG-1/L1-", "FG-1/L1-US")
    other = made(erp(), shop, entries=[same])
    found = (await other.ask(document, id="lot:FG-1/L1-"))["lot"]
    assert shop.asked == []
    assert found["balances"] in ([], None)
    assert {"system": {"code": "MES"}, "group": "balances", "outcome": "NOT_FOUND"} in found["sources"]


async def test_a_key_of_ours_that_means_something_else_there(made: Any) -> None:
    """Rows under a key that looks like ours, while the table has another for it, are doubtful and are reported."""
    shop = mes()
    gateway = made(erp(), shop, entries=[X9, entry("Lot", "X9/L3", "FG-1/L2")])
    document = (
        '{ item(id: "item:FG-1") { positions { balances { lot { number } provenance { confirmed } } } } }'
    )
    found = (await gateway.ask(document))["item"]["positions"]
    sure = {b["lot"]["number"]: b["provenance"]["confirmed"] for row in found for b in row["balances"]}
    assert sure == {"L1-": True, "L2": False}
    assert [(row.reason, row.key, row.candidates) for row in await gateway.unmatched()] == [
        (Reason.TAKEN, "X9/L2", ("FG-1/L2",))
    ]


LIST = '{ productionOrders(first: 5, filter: {items: ["item:FG-1"]}) { nodes { id item { number } } } }'


async def test_lists_are_translated_both_ways(made: Any) -> None:
    """A filter goes out with the system's keys, its page comes back with ours; what it lacks is not asked for."""
    shop = mes()
    found = await made(shop, entries=[J7, X9]).ask(LIST)
    assert found["productionOrders"]["nodes"] == [{"id": "po:1710/1000000", "item": {"number": "FG-1"}}]
    assert shop.paged[0].filters["items"] == ("X9",)
    shop.paged.clear()
    other = made(shop, entries=[entry("Item", "FG-1", "RM-1")])
    assert (await other.ask(LIST))["productionOrders"]["nodes"] == []
    assert shop.paged == []


RESOLVE = f"""query ($s: String!, $k: String!, $kind: String!) {{ resolveKey(key: {{system: $s, kind: $kind, key: $k}}) {{
  id ... on ProductionOrder {{ {KEYS} }} ... on Lot {{ {KEYS} }} }} }}"""


async def test_a_systems_key_is_looked_up_in_the_table_first(made: Any) -> None:
    """J7 is our order, found in the ERP that owns it; the answer says that the table knew."""
    found = (await made(erp(), mes(), entries=[J7]).ask(RESOLVE, s="MES", kind="WorkOrder", k=" J7 "))[
        "resolveKey"
    ]
    assert found["id"] == "po:1710/1000000"
    keys = {key["system"]["code"]: (key["raw"], key["matchedBy"], key["confirmed"]) for key in found["keys"]}
    assert keys == {"MES": (" J7 ", "XREF_TABLE", True), "ERP": ("1000000", "GLOBAL_ID", True)}


async def test_a_lot_is_looked_up_with_its_item(made: Any) -> None:
    """A key of two parts is written with both, as the system has them."""
    found = await made(erp(), mes(), entries=[L1]).ask(RESOLVE, s="MES", kind="Batch", k="X9/L1-")
    assert found["resolveKey"]["id"] == "lot:FG-1/L1-EU"
    refused = await ask(await made(erp(), mes()).context(), RESOLVE, s="MES", kind="Lot", k="L1-")
    assert refused.errors is not None
    assert "no single key" in refused.errors[0].message


ORDERS = {"ProductionOrder": {"number": {"prefix": "MO-", "pad": 9}}}


@pytest.mark.parametrize("key", ["MO-001000000", "001000000", "1000000"])
async def test_else_the_systems_own_spelling_decides(made: Any, key: str) -> None:
    """Prefix and zeros are those of the system that is named, not a fixed rule."""
    found = await made(erp(), mes(ORDERS)).ask(RESOLVE, s="MES", kind="ProductionOrder", k=key)
    assert found["resolveKey"]["id"] == "po:1710/1000000"
    assert (await made(erp(), mes()).ask(RESOLVE, s="MES", kind="ProductionOrder", k="001000000")) == {
        "resolveKey": None
    }


async def test_an_unknown_key_waits_in_the_queue(made: Any) -> None:
    """Nobody knows it: null, and the operator can see who was asked for what, how often."""
    gateway = made(erp(), mes(ORDERS))
    for _ in range(3):
        assert await gateway.ask(RESOLVE, s="MES", kind="ProductionOrder", k="MO-000000404") == {
            "resolveKey": None
        }
    [row] = await gateway.unmatched()
    assert (row.system, row.kind, row.raw, row.key) == ("MES", "ProductionOrder", "MO-000000404", "1710/404")
    assert (row.reason, row.count) == (Reason.UNKNOWN, 3)


async def test_a_silent_owner_is_no_proof(made: Any) -> None:
    """Where the owner could not be asked, the key may well exist: it is not put into the queue."""
    from_erp = erp()
    gateway = made(from_erp)
    from_erp.cell_faults["1710/404"] = SourceUnavailable("down")
    await data(await gateway.context(), RESOLVE, s="ERP", kind="ProductionOrder", k="404")
    assert await gateway.unmatched() == []


async def test_a_wrong_check_digit_is_no_key(made: Any) -> None:
    """Nothing is asked of anybody, and it waits in the queue with its reason."""
    keys = {"Item": {"number": {"check_digit": "verify"}}}
    owner, shop = erp(), mes(keys)
    gateway = made(owner, shop)
    assert await gateway.ask(RESOLVE, s="MES", kind="Item", k="6291041500214") == {"resolveKey": None}
    assert owner.asked == shop.asked == []
    assert [row.reason for row in await gateway.unmatched()] == [Reason.CHECK_DIGIT]


async def test_a_key_as_long_as_the_cut_is_never_confirmed(made: Any) -> None:
    """It is tried as it is; if there is such a thing, it is shown with the doubt."""
    keys = {"Lot": {"number": {"cut": 3, "case": "upper", "send_case": "lower"}}}
    found = await made(erp(), mes(keys)).ask(RESOLVE, s="MES", kind="Lot", k="FG-1/l1-")
    [key] = [key for key in found["resolveKey"]["keys"] if key["system"]["code"] == "MES"]
    assert (key["raw"], key["matchedBy"], key["confirmed"]) == ("l1-", "HEURISTIC", False)


async def test_any_adapter_can_be_spelled_for(made: Any) -> None:
    """Where the adapter does not spell itself, `keys` is applied around it, and cut twins belong to neither."""
    shop = mes({"Lot": {"number": {"case": "upper", "send_case": "lower", "cut": 3}}})
    shop.rows.append(
        InventoryBalance("1710", "FG-1", "LINE", BalanceView.WIP, pieces("8"), said("MES"), "l1-")
    )
    document = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Lot {{ balances {{ onHand {{ value }} }} {KEYS} }} }} }}"
    gateway = made(erp(), shop)
    [alone] = (await gateway.ask(document, ids=["lot:FG-1/L1-EU"]))["nodes"]
    assert shop.asked[-1] == ("lot_stock", ("FG-1/l1-",))
    assert alone["balances"] == [{"onHand": {"value": "8"}}]
    assert [(k["raw"], k["confirmed"]) for k in alone["keys"] if k["system"]["code"] == "MES"] == [
        ("l1-", False)
    ]
    both = (await gateway.ask(document, ids=["lot:FG-1/L1-EU", "lot:FG-1/L1-US"]))["nodes"]
    assert [node["balances"] for node in both] in ([[], []], [None, None])
    [row] = await gateway.unmatched()
    assert (row.reason, set(row.candidates)) == (Reason.TRUNCATED, {"FG-1/L1-EU", "FG-1/L1-US"})


async def test_a_change_is_taken_over_and_told(made: Any) -> None:
    """From the next look on the new entry counts; whoever keeps rows hears the ids that are matched differently."""
    told: list[frozenset[str]] = []
    gateway = made(erp(), mes())
    gateway.service.listeners.append(told.append)
    assert (await gateway.ask(ONE))["productionOrder"]["execution"] is None
    gateway.service.store.add([J7])
    assert (await gateway.ask(ONE))["productionOrder"]["execution"]["good"] == {"value": "5"}
    gateway.service.store.remove("MES", "ProductionOrder", "1710/J7")
    assert (await gateway.ask(ONE))["productionOrder"]["execution"] is None
    assert told == [frozenset({"po:1710/1000000", "po:1710/J7"})] * 2
