"""One system goes down and comes back at the same address, by the real clock: what clients are given, and what it says."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.cache.gateways import gateway_over
from tests.e2e.demo.conftest import Demo
from tests.e2e.demo.plant import Reply, RunningPlant
from tests.proxy import Proxy

MAX_AGE, AGING, ERROR = 1.0, 1.0, 4.0
SHORT = {
    "types": {"*": {"max_age": MAX_AGE, "stale_while_revalidate": AGING, "stale_if_error": ERROR}},
}
BACK = 20.0
ORDER = """query($freshness: Freshness) { productionOrder(id: "po:1710/1000040", freshness: $freshness) {
    number
    execution %s { percentComplete provenance { mode stale staleReason ageSeconds fetchedAt } }
    sources { system { code } group outcome lastGoodAt message } } }"""

LOT = """{ lot(id: "lot:FG-1050/L2409-07") {
    status holds %s { number state provenance { fetchedAt } } sources { system { code } group outcome } } }"""


class Watched:
    """The gateway whose one system is behind a proxy."""

    def __init__(self, gateway: Demo, proxy: Proxy, code: str, group: str) -> None:
        self.gateway, self.proxy, self.plant = gateway, proxy, gateway.plant
        self.code, self.group = code, group

    def reply(self, directive: str = "", **freshness: Any) -> Reply:
        """The answer as it is."""
        return self.gateway.ask(ORDER % directive, freshness=freshness or None)

    def order(self, **freshness: Any) -> dict[str, Any]:
        """The order in an answer without errors."""
        found: dict[str, Any] = self.reply(**freshness).data["productionOrder"]
        return found

    def source(self, order: dict[str, Any]) -> dict[str, Any]:
        """What is said of the system."""
        (found,) = [
            row
            for row in order["sources"]
            if (row["system"]["code"], row["group"]) == (self.code, self.group)
        ]
        return dict(found)

    def live(self) -> dict[str, Any]:
        """The order as the system gives it now, once it does; the first second of its value's life begins here."""
        end = time.monotonic() + BACK
        while True:
            order = self.order(maxAgeSeconds=0)
            if self.source(order)["outcome"] == "OK" and order[self.group] is not None:
                return order
            assert time.monotonic() < end, order["sources"]
            time.sleep(0.1)


@pytest.fixture
def mes(plant: RunningPlant) -> Iterator[Watched]:
    """The MES behind the proxy: executions may be stale."""
    with (
        Proxy(plant.ports["MES_KAS"]) as proxy,
        gateway_over(plant, {"MES_KAS": proxy.port}, cache=SHORT) as gateway,
    ):
        yield Watched(gateway, proxy, "MES_KAS", "execution")
    plant.heal("MES_KAS")


def read_at(provenance: dict[str, Any]) -> float:
    """When it was read, in seconds since the epoch."""
    return datetime.fromisoformat(provenance["fetchedAt"]).timestamp()


def until(read: float, age: float) -> None:
    """Wait until a value is so old."""
    time.sleep(max(0.0, read + age - time.time()))


def test_a_fresh_value_costs_no_call(mes: Watched) -> None:
    """Within max_age the value is given as it is, and nobody is asked."""
    first = mes.live()["execution"]["provenance"]
    mes.plant.forget()
    again = mes.order()["execution"]["provenance"]
    assert mes.plant.count() == {}
    assert again["fetchedAt"] == first["fetchedAt"]
    assert (again["mode"], again["stale"], again["staleReason"]) == ("CACHE", False, None)


def test_an_aging_value_is_given_at_once(mes: Watched) -> None:
    """Past max_age: the old value at once, labelled, with one call in the background, whose value comes next."""
    first = mes.live()["execution"]["provenance"]
    mes.plant.turn("MES_KAS", latency_ms=700)
    until(read_at(first), MAX_AGE + 0.1)
    mes.plant.forget()
    reply = mes.reply()
    order = reply.data["productionOrder"]
    said = order["execution"]["provenance"]
    assert reply.seconds < 0.6
    assert said["fetchedAt"] == first["fetchedAt"]
    assert (said["mode"], said["stale"], said["staleReason"]) == ("CACHE", True, "STALE")
    assert mes.source(order)["outcome"] == "STALE"
    assert "freshness" not in reply.body.get("extensions", {})
    time.sleep(0.9)
    newer = mes.order()["execution"]["provenance"]
    assert newer["fetchedAt"] > first["fetchedAt"]
    assert newer["stale"] is False
    assert mes.plant.count()["MES_KAS"] == 1


def test_a_dead_system_is_spoken_for_and_comes_back(mes: Watched) -> None:
    """Down: the last value, labelled, with when it was good; after stale_if_error nothing; up again: the live value."""
    first = mes.live()["execution"]
    read = read_at(first["provenance"])
    mes.proxy.down()
    until(read, MAX_AGE + AGING + 0.1)
    order = mes.order()
    said = order["execution"]["provenance"]
    assert order["execution"]["percentComplete"] == first["percentComplete"]
    assert (said["stale"], said["staleReason"]) == (True, "UNAVAILABLE")
    assert said["fetchedAt"] == first["provenance"]["fetchedAt"]
    assert said["ageSeconds"] + 1 >= MAX_AGE + AGING
    source = mes.source(order)
    assert source["outcome"] == "STALE"
    assert abs(datetime.fromisoformat(source["lastGoodAt"]).timestamp() - read) < 0.25
    assert "MES_KAS" in source["message"]
    until(read, MAX_AGE + ERROR + 0.1)
    order = mes.order()
    assert order["execution"] is None
    assert mes.source(order)["outcome"] == "UNAVAILABLE"
    assert order["number"] == "1000040"
    mes.proxy.up()
    again = mes.live()["execution"]["provenance"]
    assert (again["stale"], again["staleReason"]) == (False, None)
    assert read_at(again) > read + MAX_AGE + ERROR


def test_what_a_client_wants_and_does_not_get_is_said(mes: Watched) -> None:
    """Down, and the client wants better than there is: served and listed, or withheld with an error, as it asked."""
    mes.live()
    mes.proxy.down()
    for reply in (mes.reply(maxAgeSeconds=0), mes.reply('@fresh(within: "1ms")')):
        order = reply.data["productionOrder"]
        assert order["execution"]["provenance"]["staleReason"] == "UNAVAILABLE"
        assert mes.source(order)["outcome"] == "STALE"
        (entry,) = [one for one in reply.body["extensions"]["freshness"] if one["path"][-1] == "execution"]
        assert (entry["code"], entry["system"], entry["served"]) == ("FRESHNESS_NOT_MET", "MES_KAS", True)
        assert (entry["reason"], entry["path"]) == ("UNAVAILABLE", ["productionOrder", "execution"])
    withheld = mes.reply(maxAgeSeconds=0, allowStale=False).body
    assert withheld["data"]["productionOrder"]["execution"] is None
    assert withheld["data"]["productionOrder"]["number"] == "1000040"
    (error,) = [one for one in withheld["errors"] if one["path"] == ["productionOrder", "execution"]]
    assert error["extensions"]["code"] == "FRESHNESS_NOT_MET"
    (entry,) = [one for one in withheld["extensions"]["freshness"] if one["path"][-1] == "execution"]
    assert entry["served"] is False
    # What is old enough for the policy and young enough for the client needs no word.
    wide = mes.reply(maxAgeSeconds=3600)
    assert wide.data["productionOrder"]["execution"]["provenance"]["stale"] is False
    assert "freshness" not in wide.body.get("extensions", {})


def test_a_hold_is_never_stale(plant: RunningPlant) -> None:
    """Down: a hold younger than max_age is given; after that there is none at once, however patient the client is."""
    with (
        Proxy(plant.ports["QMS_LAB"]) as proxy,
        gateway_over(plant, {"QMS_LAB": proxy.port}, cache=SHORT) as gateway,
    ):

        def lot(directive: str = "") -> dict[str, Any]:
            found: dict[str, Any] = gateway.ask(LOT % directive).data["lot"]
            return found

        first = lot()
        (hold,) = first["holds"]
        proxy.down()
        assert lot()["holds"] == [hold]
        assert time.time() < read_at(hold["provenance"]) + MAX_AGE, "this machine is too busy to tell"
        until(read_at(hold["provenance"]), MAX_AGE + 0.05)
        for patience in ("", '@fresh(within: "1h")'):
            without = lot(patience)
            assert without["holds"] is None
            assert {"system": {"code": "QMS_LAB"}, "group": "holds", "outcome": "UNAVAILABLE"} in without[
                "sources"
            ]
            assert without["status"] != "UNRESTRICTED"
        proxy.up()
        end = time.monotonic() + BACK
        while (again := lot()["holds"]) is None:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert again[0]["number"] == hold["number"]
        assert read_at(again[0]["provenance"]) > read_at(hold["provenance"])
