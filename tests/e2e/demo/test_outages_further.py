"""The systems further from an order: each, really stopped, costs its own group and is named beside it."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from gateway.app import create_app
from tests.e2e.demo.conftest import Demo, settings_over
from tests.e2e.demo.plant import running_plant
from tests.e2e.demo.test_outages import about
from tests.serving import serving

BACK_SECONDS = 20
CASES = {
    "TMS_ONE": (
        """{ shipment(id: "s1") { number warehouse { status }
             group: transport { trackingNumber } sources { system { code } outcome } } }""",
        ("shipment",),
    ),
    "CMMS_01": (
        """{ node(id: "wc1") { ... on WorkCenter { code plant { code }
             group: openMaintenance { number } sources { system { code } outcome } } } }""",
        ("node",),
    ),
    "SUP_PORT": (
        """{ purchaseOrders(filter: {suppliers: ["sup-3"]}, first: 1) { nodes { number lines { number
             group: commit { date } sources { system { code } outcome } } } } }""",
        ("purchaseOrders", "nodes", 0, "lines", 0),
    ),
    "MES_ZWO": (
        """{ productionOrders(filter: {plants: ["p2"], statuses: [IN_PROGRESS]}, first: 1) { nodes { number
             planning { dueDate } group: execution { percentComplete } sources { system { code } outcome } } } }""",
        ("productionOrders", "nodes", 0),
    ),
}


@pytest.fixture
def gateway() -> Iterator[Demo]:
    """A plant and a gateway for one outage alone."""
    with (
        running_plant() as plant,
        serving(create_app(settings_over(plant, deadline_ms=3000, cache={"max_entries": 0}))) as url,
        httpx2.Client(timeout=30) as client,
    ):
        yield Demo(plant, url, client)


def asked(gateway: Demo, code: str) -> dict[str, Any]:
    """The object that a system gives a group of."""
    query, path = CASES[code]
    found: Any = gateway.ask(query).data
    for step in path:
        found = found[step]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("code", CASES)
def test_a_stopped_system_is_named_beside_its_group(
    gateway: Demo, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The group is null with its reason, the rest stays, and the outage is two lines in the log."""
    before = asked(gateway, code)
    assert before["group"] is not None
    gateway.plant.stop(code)
    try:
        lost = [asked_again(gateway, code, before) for _ in range(6)]
    finally:
        gateway.plant.start(code)
    for found in lost:
        assert found["group"] is None
        assert {"system": {"code": code}, "outcome": "UNAVAILABLE"} in found["sources"]
    started = time.monotonic()
    while asked_again(gateway, code, before)["group"] != before["group"]:
        assert time.monotonic() - started < BACK_SECONDS
        time.sleep(0.2)
    down, up = about(caplog.records, code)
    assert f"{code} is down" in down
    assert f"{code} is up again" in up


def asked_again(gateway: Demo, code: str, before: dict[str, Any]) -> dict[str, Any]:
    """The same object again; all but its group and its sources is as it was."""
    found = asked(gateway, code)
    told = {name: value for name, value in found.items() if name not in ("group", "sources")}
    assert told == {name: before[name] for name in told}
    return found
