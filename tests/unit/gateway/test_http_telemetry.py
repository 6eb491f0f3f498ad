"""Logs: one access line per request, one id through all of them, no secrets from tracebacks."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from starlette.types import Message, Receive, Scope, Send

from gateway.telemetry import RequestLog, configure_logging, request_facts


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """A stream that receives the logs as JSON lines; logging is put back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    configure_logging("json", "info", stream)
    yield stream
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers, naming an operation; or breaks where asked to."""
    password = "hunter" + "2"
    if scope["path"] == "/break":
        raise RuntimeError("broken " + str(len(password)))
    request_facts(scope).operation = "Orders"
    structlog.get_logger("test").info("inside")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def call(path: str, request_id: str = "") -> list[Message]:
    """Runs one request through the middleware."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    headers = [(b"x-request-id", request_id.encode())] if request_id else []
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    await RequestLog(app)(scope, receive, send)
    return sent


async def test_one_access_line_with_the_facts(lines: io.StringIO) -> None:
    """Method, path, status, milliseconds and operation are in one line; the id is in every line."""
    sent = await call("/graphql", "abc-1")
    inside, access = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert inside["request_id"] == access["request_id"] == "abc-1"
    assert (access["event"], access["status"], access["operation"]) == ("request", 200, "Orders")
    assert access["ms"] >= 0
    assert (b"x-request-id", b"abc-1") in sent[0]["headers"]


async def test_a_broken_request_is_logged_as_500(lines: io.StringIO) -> None:
    """The access line is written even if the application breaks."""
    with pytest.raises(RuntimeError):
        await call("/break")
    (access,) = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert access["status"] == 500


async def test_health_checks_are_quiet(lines: io.StringIO) -> None:
    """A probe every second does not fill the log."""
    await call("/health/live")
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == ["inside"]


async def test_tracebacks_have_no_locals(lines: io.StringIO) -> None:
    """A traceback says where, not with which values."""
    try:
        await call("/break")
    except RuntimeError:
        structlog.get_logger("test").exception("failed")
    assert "RuntimeError" in lines.getvalue()
    assert "hunter2" not in lines.getvalue()


def test_libraries_log_alike(lines: io.StringIO) -> None:
    """What a library says through logging is one JSON line too."""
    logging.getLogger("some.library").warning("hello %s", "you")
    line = json.loads(lines.getvalue())
    assert (line["event"], line["level"], line["logger"]) == ("hello you", "warning", "some.library")


async def test_lines_that_follow_closely_are_all_written_in_order(lines: io.StringIO) -> None:
    """The first is there at once, the others within a moment, and each before any other line that comes after it."""
    for number in range(5):
        await call("/graphql", f"r-{number}")
    await asyncio.sleep(0.1)
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(line["event"], line["request_id"]) for line in told] == [
        (event, f"r-{number}") for number in range(5) for event in ("inside", "request")
    ]


async def test_the_last_lines_are_written_when_logging_is_set_up_anew(lines: io.StringIO) -> None:
    """Whatever waits is written before the lines go elsewhere."""
    for _ in range(3):
        await call("/graphql")
    configure_logging("json", "info", io.StringIO())
    assert lines.getvalue().count('"event": "request"') == 3
