"""The committed AsyncAPI document before AsyncAPI's own parser."""

import json
from pathlib import Path
from typing import Any

from gateway.events.asyncapi import COMMITTED_EVENTS, document
from tests.node import installed, said

HERE = Path(__file__).parent
PACKAGE = "@asyncapi/parser@3.6.3"
ADVICE = "asyncapi-latest-version"
"""The parser would rather have 3.1; 3.0 is what is asked for and more tools read."""


def parsed(file: Path) -> dict[str, Any]:
    """What the parser says of a file."""
    packages = installed("asyncapi", (PACKAGE,))
    found: dict[str, Any] = json.loads(said(HERE / "parse.mjs", str(packages), str(file)))
    return found


def test_the_parser_has_nothing_to_object() -> None:
    """It reads every operation, and finds no fault."""
    found = parsed(HERE.parents[2] / COMMITTED_EVENTS)
    assert [one for one in found["diagnostics"] if one["code"] != ADVICE] == []
    assert found["operations"] == list(document()["operations"])


def test_the_parser_would_object(tmp_path: Path) -> None:
    """A document with a fault is told from one without."""
    spoilt = document()
    spoilt["operations"]["tellMaterialIssued"]["action"] = "shout"
    file = tmp_path / "spoilt.json"
    file.write_text(json.dumps(spoilt))
    assert any(one["path"].endswith("action") for one in parsed(file)["diagnostics"])
