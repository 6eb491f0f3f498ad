"""``GET /epcis/events`` over real HTTP: a gateway that takes events in, over a warehouse that answers or does not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest
from aiohttp import web

from gateway.app import create_app
from gateway.config import load_settings
from gateway.tomlfile import TomlFile
from tests.serving import serving

WMS: dict[str, Any] = {
    "adapter": "rest",
    "kind": "WMS",
    "plants": ["1710"],
    "retries": 0,
    "breaker_failures": 1000,
    "ingest": {"auth": "none"},
    "rows": {
        "shipment": {
            "Shipment": {"number": "no"},
            "HandlingUnit": {"each": "units", "shipment": "^no", "code": "sscc", "sscc": "sscc"},
        }
    },
    "reads": {
        "shipments": {
            "row": "shipment",
            "parts": ["Shipment", "HandlingUnit*"],
            "path": "/shipments",
            "keys": {"param": "no", "join": ","},
            "rows": "rows",
        }
    },
    "events": {
        "status": {
            "match": {"what": "status"},
            "type": "mfg.shipment.changed.v1",
            "subject": {"type": "Shipment", "number": "no"},
            "occurred_at": "at",
            "data": {"status": "status"},
        }
    },
}
SSCC = "340123458000009405"


@dataclass
class Warehouse:
    """What it knows of its shipments, and what it was asked."""

    units: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    down: bool = False

    async def answer(self, request: web.Request) -> web.Response:
        """The shipments asked for."""
        self.asked.append(request.query["no"])
        if self.down:
            return web.Response(status=503)
        known = [no for no in request.query["no"].split(",") if no in self.units]
        return web.json_response(
            {"rows": [{"no": no, "units": [{"sscc": one} for one in self.units[no]]} for no in known]}
        )


@dataclass
class Asked:
    """A gateway and its warehouse."""

    client: httpx2.AsyncClient
    warehouse: Warehouse

    async def tell(self, *said: tuple[str, str]) -> None:
        """The warehouse says which shipments have which status."""
        for minute, (no, status) in enumerate(said):
            body = {"what": "status", "no": no, "status": status, "at": f"2026-07-01T09:{minute:02d}:00Z"}
            answer = await self.client.post("/ingest/WMS", json=body)
            assert answer.status_code == 202, answer.text

    async def get(self, path: str = "/epcis/events", **asked: str) -> httpx2.Response:
        """An answer."""
        return await self.client.get(path, params=asked or None)


@asynccontextmanager
async def gateway(tmp_path: Path, **more: Any) -> AsyncIterator[Asked]:
    """All of it."""
    warehouse = Warehouse()
    app = web.Application()
    app.router.add_get("/shipments", warehouse.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    data = {
        "plants": {"1710": {"name": "Kassel", "time_zone": "Europe/Berlin"}},
        "systems": {"WMS": WMS | {"base_url": f"http://127.0.0.1:{runner.addresses[0][1]}"}},
        "events": {"path": str(tmp_path / "events.db")} | more,
        "cache": {"max_entries": 0},
    }
    settings = load_settings(TomlFile("test.toml", data), environ={})
    try:
        with serving(create_app(settings)) as url:
            async with httpx2.AsyncClient(base_url=url, timeout=20) as client:
                yield Asked(client, warehouse)
    finally:
        await runner.cleanup()


def steps(answer: httpx2.Response) -> list[str]:
    """The number and the step of every event of an answer."""
    assert answer.status_code == 200, answer.text
    found = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    return [
        f"{event['bizTransactionList'][0]['bizTransaction'].rpartition(':')[2]} {event.get('bizStep')}"
        for event in found
    ]


async def test_events_are_paged_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    """Each page reads its shipments at once; the link of a page leads to the next, that of the last nowhere."""
    async with gateway(tmp_path) as asked:
        asked.warehouse.units = {"1": [SSCC], "2": []}
        await asked.tell(
            ("1", "PICKED"), ("2", "PICKED"), ("1", "PACKED"), ("2", "SHIPPED"), ("1", "SHIPPED")
        )
        answer = await asked.get(perPage="2")
        assert answer.headers["gs1-epcis-version"] == "2.0.0"
        assert answer.headers["content-type"] == "application/json"
        pages = [steps(answer)]
        while "link" in answer.headers:
            answer = await asked.get(urljoin("/", answer.links["next"]["url"]))
            pages.append(steps(answer))
        assert pages == [["1 picking", "2 picking"], ["1 packing", "2 shipping"], ["1 shipping"]]
        assert asked.warehouse.asked[0] in ("1,2", "2,1")
        chosen = await asked.get(MATCH_anyEPC=f"https://id.gs1.org/00/{SSCC}", EQ_bizStep="shipping,packing")
        assert steps(chosen) == ["1 packing", "1 shipping"]
        assert steps(await asked.get(LT_recordTime="2020-01-01T00:00:00Z")) == []
        assert len(steps(await asked.get(GE_recordTime="2020-01-01T00:00:00Z"))) == 5
        linked = await asked.client.get("/epcis/events", headers={"accept": "application/ld+json"})
        assert linked.headers["content-type"] == "application/ld+json"


async def test_a_shipment_that_its_owner_does_not_know_is_left_out(tmp_path: Path) -> None:
    """It is not there, or not for whoever asks."""
    async with gateway(tmp_path) as asked:
        asked.warehouse.units = {"1": []}
        await asked.tell(("1", "PICKED"), ("9", "PICKED"))
        assert steps(await asked.get()) == ["1 picking"]


async def test_an_owner_that_is_down_is_a_problem_and_no_shorter_answer(tmp_path: Path) -> None:
    """503 and when to come back: events that were left out would be missing for ever."""
    async with gateway(tmp_path) as asked:
        asked.warehouse.units = {"1": []}
        await asked.tell(("1", "PICKED"))
        asked.warehouse.down = True
        answer = await asked.get()
        assert (answer.status_code, answer.json()["type"]) == (503, "epcisException:ImplementationException")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"]
        assert steps(await asked.get(EQ_bizStep="shipping")) == []
        asked.warehouse.down = False
        assert steps(await asked.get()) == ["1 picking"]


@pytest.mark.parametrize(
    ("asked_for", "kind"),
    [
        ({"EQ_colour": "red"}, "QueryParameterException"),
        ({"GE_eventTime": "soon"}, "QueryParameterException"),
        ({"nextPageToken": "another.5"}, "QueryParameterException"),
        ({"nextPageToken": "?"}, "QueryParameterException"),
        (
            {"GE_eventTime": "2026-07-02T00:00:00Z", "LT_eventTime": "2026-07-01T00:00:00Z"},
            "QueryValidationException",
        ),
    ],
)
async def test_what_cannot_be_asked_for_is_a_problem(
    tmp_path: Path, asked_for: dict[str, str], kind: str
) -> None:
    """400 with the standard's name for it."""
    async with gateway(tmp_path) as asked:
        answer = await asked.get(**asked_for)
        assert (answer.status_code, answer.json()["type"]) == (400, f"epcisException:{kind}")
        assert answer.json()["detail"]


async def test_an_unknown_lane_is_refused_as_everywhere(tmp_path: Path) -> None:
    """The same rules hold as for GraphQL."""
    async with gateway(tmp_path) as asked:
        asked.warehouse.units = {"1": []}
        await asked.tell(("1", "PICKED"))
        answer = await asked.client.get("/epcis/events", headers={"crossdock-lane": "fast"})
        assert (answer.status_code, answer.json()["type"]) == (400, "epcisException:ValidationException")
