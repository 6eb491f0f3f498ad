"""Ages, lanes and traces over the demo, whose own clock stands still while real time goes on."""

import time
from datetime import UTC, datetime
from typing import Any

from tests.e2e.demo.conftest import Demo

QUERY = """{ productionOrder(key: {system: "SAP_PRD", kind: "ManufacturingOrder", key: "1000040"}) {
    execution { provenance { mode ageSeconds fetchedAt stale } } } }"""


def post(demo: Demo, extensions: dict[str, Any] | None = None, **headers: str) -> Any:
    """The answer to the query."""
    body = {"query": QUERY, "extensions": extensions or {}}
    return demo.client.post(f"{demo.url}/graphql", json=body, headers=headers)


def test_what_is_read_live_says_so(demo: Demo) -> None:
    """With no cache every value is read for its request: LIVE, 0 seconds old, at a moment that is really now."""
    before = time.time()
    said = post(demo).json()["data"]["productionOrder"]["execution"]["provenance"]
    assert (said["mode"], said["ageSeconds"], said["stale"]) == ("LIVE", 0, False)
    assert (
        datetime.fromtimestamp(before, UTC) <= datetime.fromisoformat(said["fetchedAt"]) <= datetime.now(UTC)
    )


def test_the_lane_of_a_request_is_read(demo: Demo) -> None:
    """The application reads the header: a lane it knows is in the trace, another is refused."""
    trace = post(demo, {"crossdock": {"trace": True}}, **{"Crossdock-Lane": "analytics"}).json()
    assert trace["extensions"]["crossdock"]["lane"] == "analytics"
    hops = trace["extensions"]["crossdock"]["hops"]
    assert {hop["system"] for hop in hops} >= {"SAP_PRD", "MES_KAS"}
    assert all(hop["calls"] == 1 and hop["ms"] > 0 for hop in hops)
    refused = post(demo, None, **{"Crossdock-Lane": "fast"})
    assert refused.status_code == 400
    assert "fast" in refused.json()["errors"][0]["message"]
