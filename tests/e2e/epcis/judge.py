"""EPCIS documents before independent judges, where npm is installed."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / ".cache" / "npm-epcis"
PACKAGES = ("epcis2.js@2.7.3", "digital-link.js@1.4.3")
# It names a package "fs" that no registry has any more; node has that module itself.
OVERRIDES = {"private": True, "overrides": {"epcis2.js": {"fs": "npm:is-plain-object@5.0.0"}}}


def installed() -> Path:
    """The folder with the npm packages, installed once and kept."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (CACHE / "node_modules" / "epcis2.js" / "package.json").exists():
        (CACHE / "package.json").write_text(json.dumps(OVERRIDES))
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode:
            pytest.skip(f"npm cannot install {PACKAGES}; npm says: {done.stderr[-300:]}")
    return CACHE


def faults(documents: Sequence[Any], folder: Path) -> list[list[str]]:
    """What is wrong with each document."""
    file = folder / "documents.json"
    file.write_text(json.dumps(documents))
    command = ["node", str(HERE / "validate.mjs"), str(installed()), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found
