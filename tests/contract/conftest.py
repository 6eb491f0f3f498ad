"""Every adapter against its own sim over a real socket: sim, faults before it, a proxy before those, the guard."""

import importlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sources.base import Read, Search, Source
from sources.guard import Guard
from tests.contract.case import Case
from tests.contract.faults import Faults
from tests.proxy import Proxy
from tests.serving import serving

FOLDER = Path(__file__).parent / "cases"
CASES: dict[str, Case] = {
    path.stem: importlib.import_module(f"tests.contract.cases.{path.stem}").CASE
    for path in sorted(FOLDER.glob("*.py"))
}


@dataclass(slots=True)
class Rig:
    """A source that is open, its guard, and everything between it and its sim."""

    case: Case
    source: Source
    guard: Guard
    faults: Faults
    proxy: Proxy

    @property
    def read(self) -> Read:
        """The read that the case names."""
        return next(read for read in self.source.reads() if read.name == self.case.read)

    @property
    def search(self) -> Search:
        """The list that the case names."""
        return next(search for search in self.source.searches() if search.name == self.case.search)


@pytest.fixture(scope="module", params=list(CASES.values()), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    """Each adapter in turn."""
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def served(case: Case) -> Iterator[tuple[Faults, str]]:
    """The sim behind a switch for troubles, and its address."""
    faults = Faults(case.sim())
    with serving(faults) as url:
        yield faults, url


@pytest.fixture
def faults(served: tuple[Faults, str]) -> Faults:
    """The switch, everything off and nothing counted."""
    served[0].reset()
    return served[0]


@pytest.fixture
def proxy(served: tuple[Faults, str], faults: Faults) -> Iterator[Proxy]:
    """The address at which this test reaches the sim."""
    with Proxy.of(served[1]) as made:
        yield made


def made(case: Case, base_url: str, secret: str, **policy: Any) -> Source:
    """A source of the case, as the gateway makes it from a table."""
    settings = case.settings(base_url, secret) | {"retries": 0, "timeout_ms": 5000} | policy
    return case.source(case.source.Config.model_validate(settings))


@pytest.fixture
async def rig(case: Case, faults: Faults, proxy: Proxy) -> AsyncIterator[Rig]:
    """The adapter, open, with the right credentials and without retries."""
    source = made(case, proxy.url, case.secret)
    await source.open()
    try:
        yield Rig(case, source, Guard(source.config), faults, proxy)
    finally:
        await source.close()
