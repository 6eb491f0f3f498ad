"""The reference pages say what the code does."""

import re
from pathlib import Path

import pytest

from gateway.reference import PAGES, REQUEST_CODES
from schema.errors import RequestError

ROOT = Path(__file__).parents[2]
CODE = re.compile(r'"([A-Z]+(?:_[A-Z]+)+)"')
OTHER_MODULES = {
    "cli.py",
    "config.py",
    "demo.py",
    "environment.py",
    "reference.py",
    "serving.py",
    "sorting.py",
    "worker.py",
}
"""Their words in capitals are names of variables and systems, and the reasons for which messages are parked."""


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_current(name: str) -> None:
    """A page that is not what the code says is rewritten by `make docs`."""
    assert (ROOT / "docs" / name).read_text("utf-8") == PAGES[name](), "run: make docs"


def test_request_codes_are_listed() -> None:
    """Every error code that the HTTP side spells is explained, and no other."""
    rooms = (ROOT / "gateway", ROOT / "gateway/events")
    files = [file for room in rooms for file in room.glob("*.py") if file.name not in OTHER_MODULES]
    spelled = {code for file in files for code in CODE.findall(file.read_text("utf-8"))}
    assert spelled - {RequestError.code} == set(REQUEST_CODES)
