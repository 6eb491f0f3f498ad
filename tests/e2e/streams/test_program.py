"""The program with open streams: what it says of them, and how it stops."""

import json
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.graph.streams.test_http import MULTIPART, raw
from tests.graph.streams.wire import Wire
from tests.program import Program, started

SETTINGS = '[plants.1710]\nname = "Kassel"\ntime_zone = "Europe/Berlin"\n'
HOLDS = "subscription Holds { holdChanged { kind cursor } }"


def place(program: Program) -> Any:
    """Where it listens, as the clients of these tests want it."""
    url = urlsplit(program.url())
    # The port is open before there is a worker behind it.
    with urllib.request.urlopen(f"http://{url.netloc}/health/live", timeout=40):
        pass
    return SimpleNamespace(host=url.hostname, port=url.port)


def lines(program: Program) -> list[dict[str, Any]]:
    """Its log."""
    return [json.loads(line) for line in program.said().splitlines() if line.startswith("{")]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_program_stops_soon_with_streams_open(tmp_path: Path, workers: str) -> None:
    """Every socket and stream is told, in each process; each has its line with its length and its number of results."""
    config = tmp_path / "gateway.toml"
    config.write_text(SETTINGS)
    arguments = ("serve", "--config", str(config), "--port", "0")
    with started(tmp_path / "log", *arguments, workers=workers, log_format="json") as program:
        server = place(program)
        with raw(server, HOLDS) as events, raw(server, HOLDS, MULTIPART) as parts:
            assert b'"kind":"READY"' in events.chunk()
            assert b'"kind":"READY"' in parts.chunk()
            wires = [Wire(server) for _ in range(6)]
            for wire in wires:
                wire.init()
                wire.subscribe("1", HOLDS)
                assert wire.hear()["payload"]["data"]["holdChanged"]["kind"] == "READY"
            began = time.monotonic()
            program.process.terminate()
            assert [wire.hear()["close"] for wire in wires] == [1012] * len(wires)
            assert b"complete" not in b"".join(iter(events.chunk, b""))
            assert b"The gateway is stopping." in b"".join(iter(parts.chunk, b""))
            for wire in wires:
                wire.close()
            assert program.process.wait(8) == 0
            assert time.monotonic() - began < 6
        streams = [line for line in lines(program) if "payloads" in line]
        assert len(streams) == 8
        for line in streams:
            assert (line["operation"], line["kind"], line["payloads"]) == ("Holds", "subscription", 1)
            assert line["ms"] > 0
            assert line["status"] == 200
            assert line["end"] in ("SUBSCRIPTION_ENDED", "client")
        closed = [line for line in lines(program) if line["event"] == "socket closed"]
        assert [(line["code"], line["operations"]) for line in closed] == [(1012, 1)] * 6
        assert not [line for line in lines(program) if line.get("level") == "error"]
