"""The application wires subscriptions to its own parts: contexts, rights, the log, the cache, what is waited for."""

from starlette.requests import HTTPConnection

from gateway.app import client_of, ends_at, rights_of
from gateway.cache.layer import Caching
from gateway.cache.memory import Memory
from gateway.cache.reading import Tiers
from gateway.cache.store import Entry


def test_who_is_not_asked_is_told_apart_by_address() -> None:
    """Two connections of one address are one client; nobody's credentials expire."""
    scope = {"type": "http", "headers": [], "client": ("10.0.0.1", 5)}
    assert client_of(scope) == client_of({**scope, "client": ("10.0.0.1", 6)})
    assert client_of(scope) != client_of({**scope, "client": ("10.0.0.2", 5)})
    assert client_of({**scope, "client": None}) == "address "
    assert ends_at(HTTPConnection(scope).scope) is None
    assert rights_of(scope) == rights_of({**scope, "client": None})


def test_what_is_heard_makes_older_values_old() -> None:
    """What was read before the event is let go of; what was read after it stays; ids of no kind are nobody's."""
    memory = Memory(100, 1_000_000, clock=lambda: 100.0)
    caching = Caching(Tiers(memory, clock=lambda: 100.0))
    before, after = Entry("old", 10.0, ("po:1/1",), 1_000.0), Entry("new", 30.0, ("po:1/1",), 1_000.0)
    memory.keep("shelf", "before", before)
    memory.keep("shelf", "after", after)
    caching.heard(["po:1/1", "nonsense"], 20.0)
    assert memory.look("shelf", "before") is None
    assert memory.look("shelf", "after") is after
