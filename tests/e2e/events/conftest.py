"""A gateway that takes messages, over real HTTP: the small systems of the unit tests, known in several ways."""

import base64
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from standardwebhooks import Webhook

from gateway.app import create_app
from gateway.config import Settings, load_settings
from gateway.tomlfile import TomlFile
from tests.serving import serving
from tests.unit.gateway.events.house import ERP, MES

KEY = b"0123456789abcdef0123456789abcdef"
INGEST: dict[str, dict[str, Any]] = {
    "standard": {
        "auth": "standard-webhooks",
        "secrets": [{"value": base64.b64encode(KEY).decode()}],
        "max_body_bytes": 4096,
        "max_messages": 5,
    },
    "bearer": {"auth": "bearer", "secrets": [{"value": "a-token"}]},
    "open": {"auth": "none"},
}


def tables(path: Path | None = None) -> dict[str, Any]:
    """A configuration: the MES known by signature (MES), by token (MES_B), by nothing (MES_O) or not at all (MES_X)."""
    systems: dict[str, Any] = {"ERP": {**deepcopy(ERP), "ingest": INGEST["open"]}}
    for code, how in (("MES", "standard"), ("MES_B", "bearer"), ("MES_O", "open"), ("MES_X", None)):
        systems[code] = deepcopy(MES) | ({} if how is None else {"ingest": INGEST[how]})
    for system in systems.values():
        del system["code"]
    events = {} if path is None else {"path": str(path)}
    plants = {code: {"name": code, "time_zone": "UTC"} for code in ("P1", "P2")}
    return {"plants": plants, "systems": systems, "events": events, "port": 0}


def settings(path: Path | None = None, **more: Any) -> Settings:
    """These settings."""
    return load_settings(TomlFile("test.toml", {**tables(path), **more}), environ={})


@dataclass
class Gateway:
    """Its address and a client of it."""

    url: str
    client: httpx2.Client

    def send(self, system: str, body: Any, **headers: str) -> httpx2.Response:
        """Post a body as it is, or as JSON."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        named = {"content-type": "application/json"} | {
            n.replace("_", "-"): value for n, value in headers.items()
        }
        sent = {name.encode(): value.encode("latin-1") for name, value in named.items()}
        return self.client.post(f"{self.url}/ingest/{system}", content=raw, headers=sent)

    def signed(self, body: Any, id: str, **headers: str) -> httpx2.Response:
        """Post a body that is signed as Standard Webhooks are."""
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        now = datetime.now(UTC)
        made = {
            "webhook_id": id,
            "webhook_timestamp": str(int(now.timestamp())),
            "webhook_signature": Webhook(KEY).sign(id, now, raw.decode()),
        }
        return self.send("MES", raw, **{**made, **headers})

    def events(self, **asked: str) -> list[dict[str, Any]]:
        """What the log tells."""
        found: list[dict[str, Any]] = self.client.get(f"{self.url}/admin/events", params=asked).json()[
            "events"
        ]
        return found


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway whose log is in memory."""
    with serving(create_app(settings())) as url, httpx2.Client(timeout=20) as client:
        yield Gateway(url, client)
