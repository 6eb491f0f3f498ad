"""The simulated plant over real sockets: every system behind its own uvicorn, in threads."""

import base64
import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import uvicorn

from sources.plant.knobs import Knobs
from sources.plant.systems import SYSTEMS
from sources.plant.world.build import build_world
from sources.plant.world.world import World


def basic(user: str, phrase: str) -> dict[str, str]:
    """The header of basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{phrase}".encode()).decode()}


CREDENTIALS = {
    "SAP_PRD": basic("crossdock", "demo"),
    "MES_KAS": {"Authorization": "Bearer kas-demo-bearer"},
    "MES_ZWO": {"X-Api-Key": "zwo-demo-key"},
    "QMS_LAB": {"X-Lab-Key": "lab-demo-key"},
    "TMS_ONE": basic("tms-demo-key", ""),
    "CMMS_01": basic("crossdock", "cmms-demo"),
    "SUP_PORT": {"Authorization": "ApiKey sup-demo-key"},
}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """Speaks to one system at its port, with its credentials unless told otherwise."""

    def __init__(self, code: str, port: int) -> None:
        self.code = code
        self.port = port
        self.headers = CREDENTIALS.get(code, {})

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        timeout: float = 5,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, self.headers if headers is None else headers)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Answer:
        """`dollar_top` stands for `$top`; lists are repeated parameters."""
        pairs = {name.replace("dollar_", "$"): value for name, value in query.items()}
        asked = urlencode(pairs, doseq=True, quote_via=quote)
        return self.send("GET", f"{path}?{asked}" if asked else path)

    def post(self, path: str, body: Any) -> Answer:
        return self.send("POST", path, json.dumps(body).encode())

    def login(self) -> None:
        """OAuth2, for the warehouse."""
        form = {
            "grant_type": "client_credentials",
            "client_id": "crossdock",
            "client_secret": "wms-demo-client",
        }
        answer = self.send("POST", "/oauth/token", urlencode(form).encode())
        self.headers = {"Authorization": f"Bearer {answer.json['access_token']}"}


@dataclass
class Site:
    """The world and a caller per system."""

    world: World
    systems: dict[str, Caller]

    def __getitem__(self, code: str) -> Caller:
        return self.systems[code]


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """All eight systems over one frozen world; tests leave the knobs as they found them."""
    world = build_world()
    servers: list[tuple[uvicorn.Server, threading.Thread]] = []
    callers: dict[str, Caller] = {}
    for factory in SYSTEMS.values():
        config = uvicorn.Config(factory(world, Knobs()), host="127.0.0.1", port=0, log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        servers.append((server, thread))
    for code, (server, _) in zip(SYSTEMS, servers, strict=True):
        while not server.started:
            time.sleep(0.01)
        callers[code] = Caller(code, server.servers[0].sockets[0].getsockname()[1])
    callers["WMS_CEN"].login()
    yield Site(world, callers)
    for server, thread in servers:
        server.should_exit = True
        thread.join(5)


@pytest.fixture
def world() -> World:
    """A fresh frozen world, to let time pass in."""
    return build_world()
