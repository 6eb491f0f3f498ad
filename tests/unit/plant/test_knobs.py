"""The troubles that can be switched on in every system, and the counts it keeps."""

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sources.plant.knobs import Knobs
from tests.unit.plant.conftest import Caller, Site

HEALTHY = Knobs().as_dict()


@pytest.fixture
def lab(site: Site) -> Iterator[Caller]:
    """The laboratory, healthy again afterwards."""
    yield site["QMS_LAB"]
    site["QMS_LAB"].post("/__knobs", HEALTHY)


def turn(caller: Caller, **knobs: Any) -> None:
    """Set knobs that exist."""
    assert caller.post("/__knobs", knobs).status == 200


def test_knobs_are_shown(lab: Caller) -> None:
    """A changed knob shows, the others stay."""
    turn(lab, latency_ms=5)
    assert lab.get("/__knobs").json == HEALTHY | {"latency_ms": 5}


@pytest.mark.parametrize(
    ("change", "message"),
    [({"speed": 1}, "no knob 'speed'"), ({"garbage": 1}, "takes bool"), ({"outage": "gone"}, "takes one of")],
)
def test_a_wrong_knob_is_refused(lab: Caller, change: dict[str, Any], message: str) -> None:
    """An unknown knob or a value of the wrong kind is 400, names the mend and changes nothing."""
    answer = lab.post("/__knobs", {"latency_ms": 7, **change})
    assert answer.status == 400
    assert message in answer.json["error"]
    assert lab.get("/__knobs").json == HEALTHY


def test_latency(lab: Caller) -> None:
    """A slow system takes its time."""
    turn(lab, latency_ms=80)
    began = time.monotonic()
    assert lab.get("/lab/alive").status == 200
    assert time.monotonic() - began >= 0.08


def test_outage_503_speaks_the_dialect(lab: Caller) -> None:
    """An unavailable system still has its own error body."""
    turn(lab, outage="503")
    answer = lab.get("/lab/alive")
    assert (answer.status, answer.json["title"]) == (503, "LAB-503")


def test_outage_drops_the_connection(lab: Caller) -> None:
    """A dropped connection ends before the body."""
    turn(lab, outage="drop")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        lab.get("/lab/alive")


def test_outage_hangs(lab: Caller) -> None:
    """A hanging system never answers."""
    turn(lab, outage="hang")
    with pytest.raises(TimeoutError):
        lab.send("GET", "/lab/alive", timeout=0.2)


def test_throttle(lab: Caller) -> None:
    """Every second request is turned away with a time to wait."""
    lab.send("POST", "/__stats/reset")
    turn(lab, throttle=3, throttle_every=2)
    answers = [lab.get("/lab/alive") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 429, 200, 429]
    assert answers[1].headers["retry-after"] == "3"


def test_garbage_is_not_json(lab: Caller) -> None:
    """Garbage comes with status 200 and cannot be decoded."""
    turn(lab, garbage=True)
    answer = lab.get("/lab/alive")
    assert answer.status == 200
    with pytest.raises(json.JSONDecodeError):
        _ = answer.json


def test_slow_body_is_whole(lab: Caller) -> None:
    """A trickling body arrives late and complete."""
    turn(lab, slow_body=100)
    began = time.monotonic()
    assert lab.get("/lab/alive").json == {"alive": True}
    assert time.monotonic() - began >= 0.09


def test_half_closed(lab: Caller) -> None:
    """The connection ends in the middle of the body."""
    turn(lab, half_closed=True)
    with pytest.raises(http.client.IncompleteRead):
        lab.get("/lab/alive")


def test_error_500(lab: Caller) -> None:
    """An internal error is worded by the dialect."""
    turn(lab, error_500=True)
    assert lab.get("/lab/alive").json["status"] == 500


def test_requests_are_counted(site: Site) -> None:
    """Requests count by route; controls and tokens do not."""
    warehouse = site["WMS_CEN"]
    warehouse.send("POST", "/__stats/reset")
    warehouse.login()
    warehouse.get("/api/shipments/80000036")
    warehouse.get("/api/shipments/80000037")
    warehouse.get("/api/nothing")
    assert warehouse.get("/__stats").json == {
        "requests": 3,
        "tokens": 1,
        "by_path": {"GET /api/shipments/{number}": 2, "unknown": 1},
    }
