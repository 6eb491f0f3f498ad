"""The program as people start it: a real process, real sockets, real signals."""

import json
import re
import signal
import socket
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.program import started

QUERY = """{ productionOrder(id: "po:1710/1000040") {
  status planning { quantity { value } } execution { good { value } } sources { system { code } outcome } } }"""
SETTINGS = '[plants.1710]\nname = "Kassel"\ntime_zone = "Europe/Berlin"\n'


def fetch(url: str, query: str | None = None) -> Any:
    """JSON of a GET, or of a GraphQL request."""
    body = json.dumps({"query": query}).encode() if query else None
    with urllib.request.urlopen(
        urllib.request.Request(url, body, {"Content-Type": "application/json"})
    ) as answer:
        return json.load(answer)


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process still runs."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def gone(pids: list[int], seconds: float = 10) -> bool:
    """Whether all processes end within a time: a child may outlive its parent by a moment."""
    until = time.monotonic() + seconds
    while any(map(alive, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration without systems."""
    file = tmp_path / "gateway.toml"
    file.write_text(SETTINGS)
    return file


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_demo_answers_and_ends(tmp_path: Path, number: int) -> None:
    """The demo announces itself, answers one joined order, and a signal ends it and its systems without a traceback."""
    with started(tmp_path / "log", "demo", "--port", "0", "--systems-port", "0") as program:
        url = program.url()
        order = fetch(url, QUERY)["data"]["productionOrder"]
        assert order["planning"]["quantity"]
        assert order["execution"]["good"]
        assert {"SAP_PRD", "MES_KAS"} <= {
            s["system"]["code"] for s in order["sources"] if s["outcome"] == "OK"
        }
        assert len(fetch(url.replace("/graphql", "/health/ready"))["systems"]) == 8
        (plant,) = children(program.process.pid)
        assert program.stop(number) == 0
        assert gone([plant])
        assert "Traceback" not in program.said()


def test_killed_demo_leaves_no_orphan(tmp_path: Path) -> None:
    """Even kill -9 of the demo ends the simulated systems."""
    with started(tmp_path / "log", "demo", "--port", "0", "--systems-port", "0") as program:
        program.url()
        (plant,) = children(program.process.pid)
        program.stop(signal.SIGKILL)
        for _ in range(100):
            if not alive(plant):
                return
            time.sleep(0.1)
        raise AssertionError(f"process {plant} is still there")


def test_demo_on_a_taken_port(tmp_path: Path) -> None:
    """A taken port is one sentence and the option that helps, for the gateway and for the systems."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments in (("--port", port, "--systems-port", "0"), ("--port", "0", "--systems-port", port)):
            with started(tmp_path / "log", "demo", *arguments) as program:
                assert program.process.wait(30) == 2
                assert f"port {port} at 127.0.0.1 is taken" in program.said()
                assert arguments[arguments.index(port) - 1] in program.said()
                assert "Traceback" not in program.said()


def test_serve_without_systems(config: Path, tmp_path: Path) -> None:
    """A gateway without systems is healthy, says aloud what is unsafe or missing, and ends with status 0."""
    with started(tmp_path / "log", "serve", "--config", str(config), "--port", "0") as program:
        base = program.url().removesuffix("/graphql")
        assert fetch(f"{base}/health/live") == {"alive": True}
        assert fetch(f"{base}/health/ready")["ready"] is True
        assert fetch(f"{base}/graphql", "{ __typename }") == {"data": {"__typename": "Query"}}
        assert program.stop() == 0
        assert "whoever reaches this machine" in program.said()
        assert "No systems are connected" in program.said()


def test_serve_with_workers(config: Path, tmp_path: Path) -> None:
    """Several workers share one port, and all are gone after the signal."""
    options = ("--port", "0", "--workers", "2")
    with started(tmp_path / "log", "serve", "--config", str(config), *options) as program:
        url = program.url()
        assert fetch(url, "{ __typename }") == {"data": {"__typename": "Query"}}
        workers = children(program.process.pid)
        assert len(workers) >= 2
        assert program.stop() == 0
        assert gone(workers)


def test_refused_settings(config: Path, tmp_path: Path) -> None:
    """Settings that cannot be used end the program with status 2 and the file and line to mend."""
    config.write_text("prot = 1\n")
    with started(tmp_path / "log", "serve", "--config", str(config)) as program:
        assert program.process.wait(30) == 2
        assert f"{config}:1: prot is no setting. Did you mean 'port'?" in program.said()
        assert "Traceback" not in program.said()


def test_check_of_an_unreachable_system(config: Path, tmp_path: Path) -> None:
    """The check names the system that does not answer, and fails."""
    config.write_text(
        SETTINGS + '[systems.ERP_A]\nadapter = "tryton"\nkind = "ERP"\nbase_url = "http://127.0.0.1:1/mfg"\n'
        'time_zone = "Europe/Berlin"\nauth = { type = "bearer", token = { value = "unguessable" } }\n'
    )
    with started(tmp_path / "log", "check", "--config", str(config)) as program:
        assert program.process.wait(30) == 1
        assert re.search(r"ERP_A\s+reachable\s+failed\s+UNAVAILABLE", program.said())
        assert "1 systems, 1 checks, 1 failed" in program.said()
        assert "unguessable" not in program.said()
