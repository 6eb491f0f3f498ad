"""The wheel holds what the program needs, installs by itself and runs."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"gateway", "resolvers", "schema", "sources"}
DATA = {".toml", ".graphql", ".html", ".json", ".typed"}


def tool(name: str) -> str:
    """A program beside the interpreter, or the one that `make` installed for itself."""
    found = [
        path for path in (Path(sys.executable).parent / name, ROOT / ".cache/uv/bin" / name) if path.exists()
    ]
    assert found, f"{name} is missing: run the tests by `make test`, which installs it"
    return str(found[0])


def run(*command: str) -> str:
    """Output of a program that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive as an index would get it."""
    out = tmp_path_factory.mktemp("dist")
    run(tool("uv"), "build", "--quiet", "--out-dir", str(out), str(ROOT))
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the wheel and the locked dependencies, and nothing else."""
    home = tmp_path_factory.mktemp("wheel")
    environment = home / "environment"
    locked = home / "requirements.txt"
    uv = tool("uv")
    run(uv, "venv", "--quiet", "--python", sys.executable, str(environment))
    export = ("export", "--quiet", "--locked", "--no-dev", "--no-emit-project", "--project", str(ROOT))
    run(uv, *export, "--output-file", str(locked))
    python = environment / "bin/python"
    run(uv, "pip", "install", "--quiet", "--python", str(python), "--requirements", str(locked), str(wheel))
    return python


def test_contents(wheel: Path) -> None:
    """Exactly the four packages and their data: no tests, no caches, nothing beside."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in names} == PACKAGES
    assert {Path(name).suffix for name in names} <= {".py", *DATA}
    source = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", *DATA} and "__pycache__" not in path.parts
    ]
    assert sorted(names) == sorted(source)


def test_metadata(wheel: Path) -> None:
    """The licence is inside, and the command is the only one."""
    with zipfile.ZipFile(wheel) as archive:
        (licence,) = [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
        (entry,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert "Apache License" in archive.read(licence).decode()
        assert re.findall(r"^(\w+) = ", archive.read(entry).decode(), re.M) == ["crossdock"]


def test_command(installed: Path) -> None:
    """The installed command starts from any folder and lists its own commands."""
    said = run(str(installed.parent / "crossdock"), "--help")
    assert all(command in said for command in ("serve", "demo", "check", "schema"))


def test_owners_of_names(installed: Path) -> None:
    """Each of the four top-level names belongs to this distribution alone: PyPI has a `schema` of its own."""
    code = "import importlib.metadata as m; d = m.packages_distributions(); print({n: d[n] for n in %r})"
    said = run(str(installed), "-I", "-c", code % sorted(PACKAGES))
    assert said.strip() == str({name: ["crossdock"] for name in sorted(PACKAGES)})


BROKER = """
auth = "none"
port = 0

[brokers.plant]
type = "TYPE"
url = "TYPE://127.0.0.1:1"

[systems.MES]
adapter = "rest"
kind = "MES"
base_url = "http://127.0.0.1:1"
broker = { name = "plant", topics = ["a"] STREAM }

[systems.MES.rows.job.OrderExecution]
order = "no"

[systems.MES.reads.jobs]
row = "job"
parts = ["OrderExecution"]
path = "/j"
keys = { param = "no", join = "," }
"""


@pytest.mark.parametrize("type", ["mqtt", "nats", "kafka"])
def test_a_broker_whose_extra_is_missing_is_named(type: str, installed: Path, tmp_path: Path) -> None:
    """The gateway does not start without it, and says what to install."""
    file = tmp_path / "gateway.toml"
    file.write_text(
        BROKER.replace("TYPE", type).replace("STREAM", ', stream = "S"' if type == "nats" else "")
    )
    command = (str(installed.parent / "crossdock"), "serve", "--config", str(file))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert f"pip install 'crossdock[{type}]'" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
