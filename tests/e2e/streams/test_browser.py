"""A real browser: its own EventSource through a restart of the gateway, and the page with its live list."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.subscribing import Payload
from tests.e2e.streams.hearing import Heard, running
from tests.graph.streams.served import served
from tests.node import installed

PACKAGES = ("@sparticuz/chromium@147.0.0", "puppeteer-core@24.43.1")
FEED = "subscription { feed }"


@pytest.fixture(scope="module")
def folder() -> Path:
    """The folder with the browser, which comes inside an npm package."""
    return installed("browser", PACKAGES)


@contextmanager
def browser(folder: Path, task: str, url: str, picture: Path) -> Iterator[Heard]:
    """A browser that does something."""
    with running("browser.mjs", str(folder), task, url, FEED, str(picture), patience=10) as heard:
        heard.next("ready")
        yield heard


def listed(heard: Heard, count: int, status: str = "Live") -> dict[str, Any]:
    """The page once its list has so many results and its status begins so."""
    while True:
        found: dict[str, Any] = heard.next("list")
        if len(found["results"]) == count and found["status"].startswith(status):
            return found


def test_the_browser_goes_on_by_itself_after_a_restart(folder: Path, tmp_path: Path) -> None:
    """Its EventSource comes back when it is told to, with the id of the event that it saw last."""
    with (
        served(retry_after_ms=100) as first,
        browser(folder, "eventsource", first.url, tmp_path / "x.png") as heard,
    ):
        first.feed.until("open", 1, 15)
        first.feed.push(Payload(b'{"data":{"feed":"before"}}', "e.1"))
        assert heard.next("next") == {"data": {"feed": "before"}, "id": "e.1"}
        first.stop()
        assert first.stopped(5)
        with served(port=first.port) as second:
            second.feed.until("open", 1, 15)
            assert second.feed.requests[0].extensions == {"lastEventId": "e.1"}
            second.feed.push(Payload(b'{"data":{"feed":"after"}}', "e.2"))
            assert heard.next("next") == {"data": {"feed": "after"}, "id": "e.2"}


def test_the_page_shows_results_as_they_come(folder: Path, tmp_path: Path) -> None:
    """The newest on top, until Stop; then the gateway has nothing left of it. A restart is outlived."""
    picture = tmp_path / "live.png"
    with served(retry_after_ms=100) as server, browser(folder, "page", server.url, picture) as heard:
        server.feed.until("open", 1, 15)
        for number in (1, 2):
            server.feed.push(Payload(b'{"data":{"feed":"%d"}}' % number, f"e.{number}"))
            found = listed(heard, number)
        assert [result["data"]["feed"] for result in found["results"]] == ["2", "1"]
        assert (found["button"], found["shown"]) == ("Stop", True)
        heard.say("picture")
        heard.next("picture")
        assert picture.stat().st_size > 5_000
        server.stop()
        assert server.stopped(5)
        with served(port=server.port) as second:
            second.feed.until("open", 1, 15)
            assert second.feed.requests[0].extensions == {"lastEventId": "e.2"}
            second.feed.push(Payload(b'{"data":{"feed":"3"}}', "e.3"))
            listed(heard, 3)
            heard.say("click")
            second.feed.until("open", 0, 15)
            assert listed(heard, 3, "Stopped")["status"] == "Stopped · 3 result(s)"
