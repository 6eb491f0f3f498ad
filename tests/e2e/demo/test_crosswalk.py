"""Failure story 4 over the simulated plant: MES_ZWO cuts lots to ten characters, so two of ours look the same to it.

From the doubt to its mend, over real sockets: rows marked, twins refused together, the cut key in the queue, the
operator's command, and a running gateway that takes it over by itself.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from sources.plant.world.clock import START
from sources.plant.world.material import Place
from sources.plant.world.seed_special import TWIN_ITEM, TWINS
from tests.e2e.demo.conftest import Demo, settings_over
from tests.e2e.demo.plant import RunningPlant, running_plant
from tests.serving import serving

EU, US = (f"lot:{TWIN_ITEM}/{number}" for number in TWINS)
NOTICED_SECONDS = 30
LOTS = """query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Lot {
  keys { system { code } raw matchedBy confirmed }
  balances { onHand { value } lot { id } provenance { system { code } confirmed } }
  sources { system { code } group outcome message } } } }"""
RESOLVE = """query ($key: String!) { resolveKey(key: {system: "MES_ZWO", kind: "Lot", key: $key}) { id
  ... on Lot { keys { system { code } raw matchedBy confirmed } } } }"""


@pytest.fixture(scope="module")
def twins() -> Iterator[RunningPlant]:
    """A plant in which one of the twins lies at a line, so that their MES has something to mix up."""
    with running_plant() as running:
        running.world.ledger.wip.add(Place(TWIN_ITEM, TWINS[0], "1720", "LS-Z-FIL1", "01"), Decimal(10))
        yield running


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Where this gateway keeps its crosswalk."""
    return f"sqlite:///{tmp_path}/crossdock.db"


@pytest.fixture
def gateway(twins: RunningPlant, database: str) -> Iterator[Demo]:
    """A gateway with a store."""
    app = create_app(settings_over(twins, database_url=database), now=lambda: START)
    with serving(app) as url, httpx2.Client(timeout=30) as client:
        yield Demo(twins, url, client)


def crosswalk(database: str, config: Path, *arguments: str) -> Any:
    """What `crossdock crosswalk … --json` prints in a process of its own, over the demo's configuration."""
    command = [str(Path(sys.executable).parent / "crossdock"), "crosswalk", *arguments, "--json"]
    environ = {"CROSSDOCK_DATABASE_URL": database, "CROSSDOCK_CONFIG": str(config), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def lots(gateway: Demo, *ids: str) -> list[dict[str, Any]]:
    """Some lots."""
    found: list[dict[str, Any]] = gateway.ask(LOTS, ids=list(ids)).data["nodes"]
    return found


def at_line(lot: dict[str, Any]) -> list[tuple[str, bool]]:
    """What MES_ZWO says lies at the line, and whether that is certain."""
    return [
        (row["onHand"]["value"], row["provenance"]["confirmed"])
        for row in lot["balances"]
        if row["provenance"]["system"]["code"] == "MES_ZWO"
    ]


def key_of(lot: dict[str, Any]) -> tuple[str, str, bool] | None:
    """How MES_ZWO's key was matched."""
    found = {key["system"]["code"]: (key["raw"], key["matchedBy"], key["confirmed"]) for key in lot["keys"]}
    return found.get("MES_ZWO")


def outcome(lot: dict[str, Any]) -> str:
    """How MES_ZWO answered for the stock."""
    found = {(row["system"]["code"], row["group"]): row["outcome"] for row in lot["sources"]}
    return str(found["MES_ZWO", "balances"])


def waiting(database: str, config: Path) -> list[dict[str, Any]]:
    """The queue's rows of the cut key, once the gateway has written them."""
    until = time.monotonic() + NOTICED_SECONDS
    while not (rows := crosswalk(database, config, "unmatched", "--system", "MES_ZWO")):
        assert time.monotonic() < until
    return [row for row in rows if row["raw"] == "l2409-07a-"]


def test_one_twin_alone_is_marked(gateway: Demo) -> None:
    """The rows may be its brother's: the balance and the key say so; those of the other systems are certain."""
    for id in (EU, US):
        [lot] = lots(gateway, id)
        assert at_line(lot) == [("10", False)]
        assert key_of(lot) == ("l2409-07a-", "HEURISTIC", False)
        assert [row["provenance"]["confirmed"] for row in lot["balances"]].count(True) == 2


def test_both_twins_together_get_no_rows_of_it(gateway: Demo) -> None:
    """What could be either's belongs to neither; the other systems, which tell them apart, answer as ever."""
    both = lots(gateway, EU, US)
    assert [at_line(lot) for lot in both] == [[], []]
    assert [outcome(lot) for lot in both] == ["UNAVAILABLE"] * 2
    assert all(len(lot["balances"]) == 2 for lot in both)


def test_the_operator_settles_it(gateway: Demo, database: str) -> None:
    """The cut key waits with both candidates; once it is said whose it is, that lot has it for sure and no other."""
    config = Path(__file__).parents[3] / "gateway" / "demo.toml"
    lots(gateway, EU, US)
    [row] = waiting(database, config)
    assert (row["kind"], row["key"], row["reason"]) == ("Lot", f"{TWIN_ITEM}/L2409-07A-", "TRUNCATED")
    assert set(row["candidates"]) == {id.removeprefix("lot:") for id in (EU, US)}

    said = crosswalk(database, config, "add", "MES_ZWO", "Lot", f"{TWIN_ITEM}/{row['raw']}", EU)
    assert said["entry"]["theirs"] == row["key"]
    until = time.monotonic() + NOTICED_SECONDS
    while key_of(lots(gateway, EU)[0]) != ("L2409-07A-", "XREF_TABLE", True):
        assert time.monotonic() < until, "the running gateway did not take the entry over"
        time.sleep(0.2)

    eu, us = lots(gateway, EU, US)
    assert at_line(eu) == [("10", True)]
    assert {row["lot"]["id"] for row in eu["balances"]} == {EU}
    assert (at_line(us), key_of(us)) == ([], None)
    found = gateway.ask(RESOLVE, key=f"{TWIN_ITEM}/{row['raw']}").data["resolveKey"]
    assert found["id"] == EU
    assert key_of(found) == ("l2409-07a-", "XREF_TABLE", True)
    assert [row["raw"] for row in crosswalk(database, config, "unmatched", "--system", "MES_ZWO")] == []


def test_every_system_is_looked_up_by_its_own_spelling(gateway: Demo) -> None:
    """The ERP pads its numbers, the warehouse re-cases lots; one thing has one id, however it was asked for."""
    document = """query ($s: String!, $kind: String!, $k: String!) {
      resolveKey(key: {system: $s, kind: $kind, key: $k}) { id } }"""

    def found(system: str, kind: str, key: str) -> Any:
        return gateway.ask(document, s=system, kind=kind, k=key).data["resolveKey"]

    assert found("SAP_PRD", "ManufacturingOrder", "000001000040") == {"id": "po:1710/1000040"}
    assert found("MES_KAS", "WorkOrder", "1000040") == {"id": "po:1710/1000040"}
    assert found("MES_KAS", "WorkOrder", "1000404040") is None
    padded = gateway.ask('{ productionOrder(id: "po:1710/000001000040") { id number } }').data
    assert padded["productionOrder"] == {"id": "po:1710/1000040", "number": "1000040"}
    assert found("WMS_CEN", "Lot", "FG-1050/l2409-07 ") == {"id": "lot:FG-1050/L2409-07"}
