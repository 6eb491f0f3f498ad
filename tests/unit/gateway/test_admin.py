"""The operators' routes: who may use them, what they say, and the command that does."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from gateway.admin import admin_routes
from gateway.cache.layer import Caching
from gateway.cache.memory import Memory
from gateway.cache.reading import Tiers
from gateway.config import Settings, load_settings
from gateway.invalidating import address, invalidated
from schema.errors import RequestError
from tests.serving import serving
from tests.unit.gateway.cache.shelf import START
from tests.unit.gateway.cache.test_memory import an_entry

TOKEN = {"admin_token": {"value": "let me in"}}
UPSTREAM = {"auth": "upstream", "host": "0.0.0.0"}


def settings(**said: Any) -> Settings:
    """Settings of a gateway."""
    return load_settings(None, environ={}, options=said)


@contextmanager
def admin(**said: Any) -> Iterator[tuple[str, Memory]]:
    """A gateway's operators' routes over a memory with one item in it."""
    memory = Memory(clock=lambda: START + 1)
    memory.keep("s", "A", an_entry())
    routes = admin_routes(settings(**said), Caching(Tiers(memory, None, lambda: START + 1)))
    with serving(Starlette(routes=routes)) as url:
        yield url, memory


def test_an_object_is_forgotten() -> None:
    """The command tells the gateway, which lets go of the entry and says what that touched."""
    with admin() as (url, memory):
        assert invalidated(["item:B"], url, None) == ["item:B", "item:#"]
        assert memory.look("s", "A") is not None
        invalidated(["item:*", "po:1710/1"], url, None)
        assert memory.look("s", "A") is None


def test_a_token_is_asked_for_where_there_is_one() -> None:
    """Without it, or with another: 401, and nothing is forgotten."""
    with admin(**TOKEN) as (url, memory):
        for token in (None, "let me", "lêt me in"):
            with pytest.raises(RequestError, match="for operators"):
                invalidated(["item:A"], url, token)
        assert memory.look("s", "A") is not None
        assert invalidated(["item:A"], url, "let me in")
        assert memory.look("s", "A") is None


def test_behind_a_proxy_there_is_nothing_without_a_token() -> None:
    """Whoever reaches the network address must not be able to forget everything."""
    with admin(**UPSTREAM) as (url, _), pytest.raises(RequestError, match="not there") as caught:
        invalidated(["item:A"], url, None)
    assert "admin_token" in (caught.value.hint or "")
    with admin(**UPSTREAM, **TOKEN) as (url, _):
        assert invalidated(["item:A"], url, "let me in")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"tags": ["nonsense"]}, "neither an id"),
        ({"tags": []}, "a list of texts"),
        ({"tags": "item:A"}, "a list of texts"),
        ([], "a list of texts"),
        ({"tags": ["item:A"] * 1001}, "too many"),
    ],
)
def test_what_is_no_tag_is_refused(body: Any, words: str) -> None:
    """400, with the value and the mend."""
    with admin() as (url, _):
        answer = httpx2.post(f"{url}/admin/invalidate", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["errors"][0]["message"]
    assert answer.json()["errors"][0]["extensions"]["hint"]


def test_a_foreign_page_cannot_send_it() -> None:
    """Only JSON is read, which a browser does not send across origins without asking."""
    with admin() as (url, _):
        answer = httpx2.post(f"{url}/admin/invalidate", content=b'{"tags": ["item:A"]}')
        assert answer.status_code == 415
        assert httpx2.get(f"{url}/admin/invalidate").status_code == 405


def test_nobody_at_the_address_is_said() -> None:
    """The address that was tried, and the option that names another."""
    with pytest.raises(
        RequestError, match=r"http://127\.0\.0\.1:9/admin/invalidate cannot be reached"
    ) as caught:
        invalidated(["item:A"], "http://127.0.0.1:9", None)
    assert "--url" in (caught.value.hint or "")


def test_the_address_is_that_of_the_settings() -> None:
    """A gateway that listens everywhere is reached at loopback."""
    assert address(settings(port=8123)) == "http://127.0.0.1:8123"
    assert address(settings(**UPSTREAM)) == "http://127.0.0.1:8000"
    assert address(settings(host="::1")) == "http://[::1]:8000"
