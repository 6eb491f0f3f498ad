"""The README does what it says: every command in it is run, every answer in it is the real one."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.core import TyperGroup
from typer.main import get_command

from gateway.app import make_catalog
from gateway.cli import app
from gateway.config import load_settings
from gateway.tomlfile import parse_toml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SYSTEMS = 8
STOPPED = 28
"""How curl ends when its time is over."""


def free_ports(count: int) -> int:
    """The first of some adjacent ports that nobody listens at."""
    for first in range(21000, 60000, 97):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for offset, bound in enumerate(sockets):
                bound.bind(("127.0.0.1", first + offset))
            return first
        except OSError:
            continue
        finally:
            for bound in sockets:
                bound.close()
    raise AssertionError("no free ports")


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """`make demo`, as the README says, at free ports and with the plant standing still."""
    first = free_ports(SYSTEMS + 1)
    gateway, systems = first, first + 1
    arguments = f"--port {gateway} --systems-port {systems} --speed 0"
    with subprocess.Popen(
        ["make", "demo", f"ARGS={arguments}"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PYTHON": sys.executable},
    ) as demo:
        try:
            wait_for(f"http://127.0.0.1:{gateway}/health/ready", demo)
            yield gateway, systems
        finally:
            os.killpg(demo.pid, signal.SIGINT)
            demo.wait(20)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return when the address answers; fail when the process ends first."""
    for _ in range(1200):
        assert process.poll() is None, "make demo ended"
        try:
            if httpx2.get(url).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")


def run(command: str, ports: tuple[int, int]) -> str:
    """Run a command of the README, at the ports of this demo."""
    gateway, systems = ports
    here = command.replace("127.0.0.1:8000", f"127.0.0.1:{gateway}").replace(
        "127.0.0.1:9101", f"127.0.0.1:{systems + 1}"
    )
    words = shlex.split(here)
    words[0] = str(Path(sys.executable).with_name("crossdock")) if words[0] == "crossdock" else words[0]
    environ = {**os.environ, "CROSSDOCK_PORT": str(gateway)}
    done = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=environ
    )
    # A stream ends when its reader has had enough.
    assert done.returncode == (STOPPED if "--max-time" in words else 0), done.stderr
    return done.stdout


def commands() -> list[str]:
    """Every command of the README."""
    return [text.strip() for language, text in BLOCKS if language == "sh"]


def without_ages(value: Any) -> Any:
    """An answer with every age set to 0: how old a value is depends on when it is asked for; all else is compared."""
    if isinstance(value, dict):
        return {
            name: 0 if name == "ageSeconds" and isinstance(inner, int) else without_ages(inner)
            for name, inner in value.items()
        }
    return [without_ages(inner) for inner in value] if isinstance(value, list) else value


def messages(stream: str) -> list[Any]:
    """The results in a stream of events; which place of the log a cursor names is left out."""
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    return [json.loads(re.sub(r'"cursor":"[^"]+"', '"cursor":"…"', line)) for line in lines]


@pytest.mark.timeout(300)
def test_every_curl_gives_the_answer_beside_it(ports: tuple[int, int]) -> None:
    """The questions of the README, asked one after the other, are answered as it shows."""
    compared = 0
    for (language, text), following in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if language != "sh" or not text.startswith("curl"):
            continue
        if "--max-time" in text:
            assert messages(run(text.strip(), ports)) == messages(following[1])
            continue
        said = json.loads(run(text.strip(), ports))
        if following[0] == "json":
            assert without_ages(said) == without_ages(json.loads(following[1]))
            compared += 1
    assert compared == README.count("```json")


def test_explain_prints_hops(ports: tuple[int, int]) -> None:
    """The cost of a query is printed without asking anybody."""
    explain = next(command for command in commands() if command.startswith("crossdock explain"))
    said = run(explain, ports)
    assert "SAP_PRD" in said
    assert "WMS_CEN" in said


def test_invalidate_speaks_to_the_demo(ports: tuple[int, int]) -> None:
    """The gateway of the demo is told without any option, and says what it let go of."""
    (invalidate,) = [command for command in commands() if command.startswith("crossdock invalidate")]
    assert run(invalidate, ports).split() == [invalidate.split()[-1], "po:#"]


def test_the_list_of_commands_is_whole() -> None:
    """Every command of the program is in the table with its own subcommands, and no other."""
    rows = re.findall(r"^\| `crossdock (\w+)` \| (.*) \|$", README, re.MULTILINE)
    program = get_command(app)
    assert isinstance(program, TyperGroup)
    assert {name for name, _ in rows} == set(program.commands)
    for name, told in rows:
        command = program.commands[name]
        inner = set(command.commands) if isinstance(command, TyperGroup) else set()
        assert set(re.findall(r"`(\w+)`", told)) == inner


def test_every_other_command_exists() -> None:
    """What is not run here is a target of the Makefile or a command that other tests run."""
    known = {
        "make demo",
        "make test",
        "crossdock serve --config gateway.toml",
        "crossdock check --config gateway.toml",
    }
    others = [
        c for c in commands() if not c.startswith(("curl", "crossdock explain", "crossdock invalidate"))
    ]
    assert set(others) == known
    targets = (ROOT / "Makefile").read_text("utf-8")
    assert all(f"\n{name.split()[1]}: " in targets for name in others if name.startswith("make"))


def test_the_table_of_the_readme_is_a_valid_configuration() -> None:
    """A reader who copies the table has a gateway that starts."""
    (table,) = [text for language, text in BLOCKS if language == "toml"]
    settings = load_settings(parse_toml(table, "README.md"), environ={})
    reads = make_catalog(settings).systems["MES"].source.reads()
    assert [read.name for read in reads] == ["jobs"]


def test_links_lead_somewhere() -> None:
    """Every file the README links to is there."""
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
