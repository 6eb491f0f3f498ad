"""Systems that stop, hang, throttle or talk nonsense while clients go on asking: each costs its own groups only."""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from tests.e2e.demo.conftest import Demo, settings_over
from tests.e2e.demo.plant import Reply, RunningPlant, running_plant
from tests.serving import serving

CLIENTS = 8
DEADLINE_MS = 3000
BACK_SECONDS = 20
ORDER = """{ productionOrder(id: "po1") {
  number
  planning { quantity { value } dueDate }
  posting { received { value } }
  execution { good { value } percentComplete }
  outputs { number }
  inspections { number status }
  holds { number state }
  operations { number workCenter { openMaintenance { number } } }
  shipments { number transport { trackingNumber } sources { system { code } group outcome } }
  sources { system { code } group outcome message }
} }"""
LOST = {
    "MES_KAS": ("execution", "MES_KAS"),
    "QMS_LAB": ("inspections", "QMS_LAB"),
    "WMS_CEN": ("shipments", "WMS_CEN"),
}
"""System → the group of an order that it alone gives."""
KEPT = ("planning", "posting", "execution", "inspections", "holds")


@pytest.fixture(scope="module")
def fragile() -> Iterator[RunningPlant]:
    """A plant for these tests alone, so that no counts or breakers of others are disturbed."""
    with running_plant() as running:
        yield running


@pytest.fixture
def gateway(fragile: RunningPlant) -> Iterator[Demo]:
    """A gateway with a short deadline, whose breakers are new."""
    app = create_app(settings_over(fragile, deadline_ms=DEADLINE_MS, cache={"max_entries": 0}))
    with serving(app) as url, httpx2.Client(timeout=30) as client:
        yield Demo(fragile, url, client)


def ask_all(gateway: Demo, rounds: int = 2) -> list[Reply]:
    """The order, asked by several clients at once, several times."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda _: gateway.ask(ORDER), range(CLIENTS * rounds)))


def outcomes(order: dict[str, Any]) -> dict[tuple[str, str], str]:
    """What ``sources`` says, by system and group."""
    return {(row["system"]["code"], row["group"]): row["outcome"] for row in order["sources"]}


def whole(gateway: Demo) -> dict[str, Any]:
    """The order when everything runs; the first question of a new gateway may come too early on a busy machine."""
    started = time.monotonic()
    while True:
        order: dict[str, Any] = gateway.ask(ORDER).data["productionOrder"]
        if set(outcomes(order).values()) == {"OK"}:
            return order
        assert time.monotonic() - started < BACK_SECONDS, order["sources"]
        time.sleep(0.2)


def wait_until_back(gateway: Demo, before: dict[str, Any]) -> float:
    """Seconds until the order is whole again."""
    started = time.monotonic()
    while time.monotonic() - started < BACK_SECONDS:
        order = gateway.ask(ORDER).data["productionOrder"]
        if order == before:
            return time.monotonic() - started
        time.sleep(0.2)
    raise AssertionError(f"not whole again after {BACK_SECONDS} s: {order['sources']}")


def about(records: list[logging.LogRecord], code: str) -> list[str]:
    """What the sources logged about a system."""
    return [
        record.getMessage()
        for record in records
        if record.levelno >= logging.WARNING
        and record.name == "crossdock.sources"
        and code in record.getMessage()
    ]


def check(replies: list[Reply], before: dict[str, Any], code: str, expected: set[str]) -> None:
    """Every reply is an answer in time; the system's group is gone with its reason, the others are as before."""
    group, _ = LOST[code]
    for reply in replies:
        order = reply.data["productionOrder"]
        assert reply.seconds < DEADLINE_MS / 1000 + 1
        assert order[group] is None
        assert outcomes(order)[code, group] in expected
        assert {name: order[name] for name in KEPT if name != group and name != "holds"} == {
            name: before[name] for name in KEPT if name != group and name != "holds"
        }


@pytest.mark.parametrize("code", LOST)
def test_a_stopped_system_costs_its_group(gateway: Demo, code: str, caplog: pytest.LogCaptureFixture) -> None:
    """Stopped under load, started again: its group null with the reason, back in seconds, two log lines in all."""
    before = whole(gateway)
    caplog.clear()
    gateway.plant.stop(code)
    try:
        check(ask_all(gateway), before, code, {"UNAVAILABLE"})
    finally:
        gateway.plant.start(code)
    assert wait_until_back(gateway, before) < BACK_SECONDS
    down, up = about(caplog.records, code)
    assert f"{code} is down" in down
    assert f"{code} is up again" in up


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({"outage": "503"}, {"UNAVAILABLE"}),
        ({"outage": "drop"}, {"UNAVAILABLE"}),
        ({"outage": "hang"}, {"TIMEOUT", "UNAVAILABLE"}),
        ({"garbage": True}, {"UNAVAILABLE", "MAPPING_ERROR"}),
        ({"throttle": 1}, {"RATE_LIMITED", "UNAVAILABLE"}),
        ({"error_500": True}, {"UNAVAILABLE"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_troubled_system_costs_its_group(gateway: Demo, knobs: dict[str, Any], expected: set[str]) -> None:
    """Whatever the trouble, the order is answered in time and the system's group says what kind it is."""
    before = whole(gateway)
    gateway.plant.turn("MES_KAS", **knobs)
    try:
        check(ask_all(gateway), before, "MES_KAS", expected)
    finally:
        gateway.plant.heal("MES_KAS")


def test_the_other_systems_stopped_one_after_the_other(gateway: Demo) -> None:
    """A system that gives no group of the order itself: the order is as before but for what lies further off."""
    before = whole(gateway)
    for code in ("TMS_ONE", "CMMS_01", "MES_ZWO", "SUP_PORT"):
        gateway.plant.stop(code)
        try:
            replies = ask_all(gateway, rounds=1)
        finally:
            gateway.plant.start(code)
        for reply in replies:
            order = reply.data["productionOrder"]
            assert reply.seconds < DEADLINE_MS / 1000 + 1
            assert {name: order[name] for name in KEPT} == {name: before[name] for name in KEPT}
    wait_until_back(gateway, before)


def test_the_erp_stopped(gateway: Demo) -> None:
    """Without the ERP there is no planning and no posting; what the shop floor knows of the order is told."""
    before = whole(gateway)
    gateway.plant.stop("SAP_PRD")
    try:
        replies = ask_all(gateway, rounds=1)
    finally:
        gateway.plant.start("SAP_PRD")
    for reply in replies:
        order = reply.data["productionOrder"]
        assert (order["planning"], order["posting"]) == (None, None)
        assert (
            outcomes(order)["SAP_PRD", "planning"] == outcomes(order)["SAP_PRD", "posting"] == "UNAVAILABLE"
        )
        assert (order["number"], order["execution"]) == (before["number"], before["execution"])
        assert reply.seconds < DEADLINE_MS / 1000 + 1
    wait_until_back(gateway, before)
