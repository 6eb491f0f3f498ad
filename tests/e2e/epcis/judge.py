"""EPCIS documents before independent judges."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.node import installed, said

HERE = Path(__file__).parent
PACKAGES = ("epcis2.js@2.7.3", "digital-link.js@1.4.3")
# It names a package "fs" that no registry has any more; node has that module itself.
OVERRIDES = {"epcis2.js": {"fs": "npm:is-plain-object@5.0.0"}}


def faults(documents: Sequence[Any], folder: Path) -> list[list[str]]:
    """What is wrong with each document."""
    file = folder / "documents.json"
    file.write_text(json.dumps(documents))
    packages = installed("epcis", PACKAGES, OVERRIDES)
    found: list[list[str]] = json.loads(said(HERE / "validate.mjs", str(packages), str(file)))
    return found
