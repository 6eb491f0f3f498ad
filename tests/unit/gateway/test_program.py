"""The program's own parts: the demo's addresses, the schema's changes, the check of a configuration."""

import io
import logging
import socket
from typing import Any

import pytest

from gateway.check import MAPPING_LOGGER, Check, Finding, run_check, table, unmapped
from gateway.config import Settings
from gateway.demo import at_ports
from gateway.sampling import Keys, role_of
from gateway.sdl import compare, read_excuses
from gateway.serving import listening_socket
from schema.base import Plant, SystemKind
from schema.errors import ConfigError, SourceForbidden
from schema.material import Item, Lot
from schema.production import OrderExecution, ProductionOrder
from sources.base import Batch, Bundle, Page, Part, Query, Source, batch, search
from sources.catalog import Catalog
from sources.settings import SystemConfig

OLD = "type Query { lot(id: ID!): Lot } type Lot { id: ID! name: String }"


def test_addresses_are_moved_wherever_they_stand() -> None:
    """A token's address moves along with the system's base address; those of other systems stay."""
    table: dict[str, Any] = {
        "base_url": "http://127.0.0.1:9103/api",
        "auth": {"token_url": "http://127.0.0.1:9103/oauth/token"},
        "other": ["http://127.0.0.1:91030/"],
    }
    moved = at_ports({"systems": {"WMS": table, "MES": {"base_url": "http://127.0.0.1:1"}}}, {"WMS": 5})[
        "systems"
    ]
    assert moved["WMS"]["base_url"] == "http://127.0.0.1:5/api"
    assert moved["WMS"]["auth"]["token_url"] == "http://127.0.0.1:5/oauth/token"
    assert moved["WMS"]["other"] == table["other"]
    assert moved["MES"]["base_url"] == "http://127.0.0.1:1"


def test_taken_port() -> None:
    """A port that another program has is named, with the option that chooses another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} at 127.0.0.1 is taken") as caught:
            listening_socket("127.0.0.1", port, "--port")
    assert "--port" in str(caught.value.hint)


def test_foreign_address() -> None:
    """An address that is not this machine's is refused in one sentence."""
    with pytest.raises(ConfigError, match=r"203\.0\.113\.7"):
        listening_socket("203.0.113.7", 0, "--port")


def test_breaking_change_needs_a_reason() -> None:
    """A removed field is breaking, until it is excused by name."""
    new = OLD.replace(" name: String", " name: String title: String").replace(" name: String", "", 1)
    found = compare(OLD, new, {})
    assert found.breaking == ("Field Lot.name was removed.",)
    assert compare(OLD, new, {found.breaking[0]: "never filled"}).breaking == ()


def test_additions_are_no_break() -> None:
    """A new field changes the schema and breaks nobody."""
    found = compare(OLD, OLD.replace("name: String", "name: String title: String"), {})
    assert (found.same, found.breaking, found.dangerous) == (False, (), ())


def test_excuses_have_reasons(tmp_path: Any) -> None:
    """An excuse without a reason is none; no file means no excuses."""
    assert read_excuses(tmp_path / "absent.toml") == {}
    (tmp_path / "breaking.toml").write_text('"Lot.name was removed." = " "\n')
    with pytest.raises(ConfigError, match="has no reason"):
        read_excuses(tmp_path / "breaking.toml")


def test_roles() -> None:
    """An execution is asked for by the key of an order, a lot by its own."""
    assert role_of(OrderExecution, "order") == role_of(ProductionOrder, "id")
    assert role_of(Lot, "id") == (Lot, "id")


def test_keys_of_served_plants() -> None:
    """Keys that start with a plant are tried only where the plant is served."""
    keys = Keys()
    keys.seen[role_of(OrderExecution, "order")] = {"1710/1": None, "1720/2": None}
    assert keys.some(OrderExecution, "order", ["1720"], 5) == ("1720/2",)
    assert keys.some(OrderExecution, "order", [], 1) == ("1710/1",)
    assert keys.some(Item, "id", [], 5) == ()


class Small(Source):
    """A system of one item; it can be made to refuse."""

    refuses = False

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def ping(self) -> None:
        """Refuses where it should."""
        if self.refuses:
            raise SourceForbidden("401 from small", hint="Look at the password.")

    @search(Part(Item))
    async def items(self, query: Query) -> Page:
        """The one item."""
        return Page(["A"], {Item: [_item()]})

    @batch(Part(Item))
    async def item(self, asked: Batch) -> Bundle:
        """The one item, by its number."""
        return {Item: [_item() if key == "A" else None for key in asked.keys]}

    @batch(Part(Lot, by="item", many=True))
    async def lots(self, asked: Batch) -> Bundle:
        """No lots."""
        return {Lot: [[] for _ in asked.keys]}

    @batch(Part(OrderExecution, by="order"))
    async def executions(self, asked: Batch) -> Bundle:
        """Never asked: nobody names an order."""
        raise AssertionError(asked)


class Refusing(Small):
    """A system with other credentials."""

    refuses = True


def _item() -> Item:
    fields: dict[str, Any] = dict.fromkeys(Item.__dataclass_fields__)
    return Item(**{**fields, "number": "A"})


def catalog_of(kind: type[Source]) -> Catalog:
    """A catalog of one system."""
    config = SystemConfig(code="SMALL", adapter="rest", kind=SystemKind.ERP)
    return Catalog([kind(config)], [Plant("1710", "Kassel", "Europe/Berlin")])


async def test_check_samples_every_read() -> None:
    """Lists give keys, keys try the reads, and a read nobody can try is said to be untried."""
    findings = await Check(catalog_of(Small)).run()
    assert [(f.what, f.result, f.detail) for f in findings[1:]] == [
        ("list items", "ok", "1 Item"),
        ("read item", "ok", "1 Item"),
        ("read lots", "empty", "no rows for 1 keys"),
        ("read executions", "empty", "no row seen names a key of OrderExecution by order"),
    ]


async def test_check_of_refused_credentials() -> None:
    """A system that refuses us fails once, with its own words and the hint, and is not asked further."""
    findings = await Check(catalog_of(Refusing)).run()
    assert [(f.what, f.result, f.detail) for f in findings] == [
        ("reachable", "failed", "NOT_AUTHORIZED: 401 from small Look at the password.")
    ]


async def test_check_without_systems() -> None:
    """Nothing connected is no failure, and is said."""
    out = io.StringIO()
    assert await run_check(Settings(), out) == 0
    assert "No systems are connected" in out.getvalue()


def test_table() -> None:
    """Columns are as wide as their widest cell."""
    lines = table(
        [Finding("A", "reachable", "ok", "3 ms"), Finding("LONG_CODE", "x", "failed", "why")]
    ).splitlines()
    assert len({line.index(word) for line, word in zip(lines, ("DETAIL", "3 ms", "why"), strict=True)}) == 1


def test_unmapped_codes_are_collected() -> None:
    """What a mapping says about a code it does not know ends up in the check."""
    with unmapped() as codes:
        logging.getLogger(MAPPING_LOGGER).warning("WMS.status: %r", "ZZ")
    assert codes == ["WMS.status: 'ZZ'"]
