"""Writes by configuration: what is sent, what the answers mean, and which tables are refused."""

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from schema.commands import CommandRefused, OutcomeUnknown
from schema.errors import (
    ConfigError,
    SourceError,
    SourceForbidden,
    SourceNotReached,
    SourceThrottled,
    SourceUnavailable,
)
from schema.integration import UserErrorCode
from sources.commands import Command, CommandPort
from sources.rest.config import RestConfig
from sources.rest.source import Rest
from tests.transport import mocked
from tests.unit.sources.rest.test_docs_examples import BLOCKS, merged

NAME = "reschedule_production_order"
TABLE = merged(BLOCKS[0], next(block for block in BLOCKS if "commands" in block))


def with_words(**words: Any) -> dict[str, Any]:
    """The table of the page with other words for its command."""
    return merged(TABLE, {"commands": {NAME: words}})


@asynccontextmanager
async def port(
    answer: Callable[[httpx2.Request], httpx2.Response], table: dict[str, Any] = TABLE
) -> AsyncIterator[CommandPort]:
    """The command of the page, over a system that answers so."""
    source = Rest(RestConfig(code="DOC", **table), mocked(answer))
    await source.open()
    yield source.commands()[0]
    await source.close()


def command(**values: Any) -> Command:
    """Order 7 gets another plan."""
    given = values or {"quantity": {"value": "12.5", "unit": "H87"}}
    return Command(NAME, "po:P1/7", ("P1", "7"), given, "k" * 32, "r" * 32, time.monotonic() + 5, 'W/"3"')


async def test_what_is_sent() -> None:
    """Key, version, reference and values are in the system's words: padded, in its unit, zone and format."""
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"result": "S"}, headers={"ETag": 'W/"4"'})

    async with port(answer) as offered:
        receipt = await offered.send(
            command(
                quantity={"value": "12.5", "unit": "KGM"},
                planned_end="2026-12-24T11:00:00+00:00",
                planned_start="2026-12-01T00:00:00+00:00",
            )
        )
    [request] = seen
    assert (request.method, request.url.path) == ("PATCH", "/orders/00000007")
    assert request.headers["if-match"] == 'W/"3"'
    assert json.loads(request.content) == {
        "ref": "r" * 32,
        "qty": {"value": "12.5", "unit": "kg"},
        "plan": {"end": "24.12.2026 12:00"},
    }
    assert (receipt.applied, receipt.version) == (True, 'W/"4"')
    assert (offered.keyed, offered.versioned) == (False, True)


@pytest.mark.parametrize(
    ("response", "error", "code"),
    [
        (
            httpx2.Response(200, json={"result": "E", "code": "CLOSED", "text": "too late"}),
            CommandRefused,
            "INVALID_STATE",
        ),
        (httpx2.Response(200, json={"result": "E", "code": "ODD"}), CommandRefused, "SOURCE_REJECTED"),
        (httpx2.Response(404), CommandRefused, "NOT_FOUND"),
        (httpx2.Response(412), CommandRefused, "CONFLICT"),
        (httpx2.Response(422, text="not even JSON"), CommandRefused, "SOURCE_REJECTED"),
        (httpx2.Response(429, headers={"Retry-After": "7"}), SourceThrottled, None),
        (httpx2.Response(403), SourceForbidden, None),
        (httpx2.Response(503), SourceUnavailable, None),
        (httpx2.Response(500), OutcomeUnknown, None),
        (httpx2.Response(408), OutcomeUnknown, None),
        (httpx2.Response(200, text="<html>"), OutcomeUnknown, None),
    ],
)
async def test_what_answers_mean(response: httpx2.Response, error: type[Exception], code: str | None) -> None:
    """A refusal is a refusal; what was surely not done may be sent again; of everything else nobody knows."""
    async with port(lambda request: response) as offered:
        with pytest.raises(error) as raised:
            await offered.send(command())
    assert type(raised.value) is error
    if isinstance(raised.value, CommandRefused):
        assert raised.value.user_code == code


@pytest.mark.parametrize(
    ("trouble", "error"),
    [(SourceNotReached("no"), SourceNotReached), (SourceUnavailable("reset"), OutcomeUnknown)],
)
async def test_only_without_a_connection_it_was_surely_not_sent(
    trouble: SourceError, error: type[Exception]
) -> None:
    """A connection that breaks may have brought the request there."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        raise trouble

    async with port(answer) as offered:
        with pytest.raises(error):
            await offered.send(command())


async def test_what_cannot_be_said_is_refused_before_it_is_sent() -> None:
    """A unit that the system has not, and a value that has no place."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError("sent")

    async with port(answer) as offered:
        with pytest.raises(CommandRefused) as raised:
            await offered.send(command(quantity={"value": "1", "unit": "MTR"}))
        assert (raised.value.user_code, raised.value.path) == (
            UserErrorCode.UNIT_NOT_CONVERTIBLE,
            ("quantity", "unit"),
        )
        with pytest.raises(CommandRefused) as raised:
            await offered.send(command(reason="because"))
        assert raised.value.path == ("reason",)


@pytest.mark.parametrize(
    ("rows", "document"),
    [([], None), ([{"ref": "other", "doc": "1"}], None), ([{"ref": "r" * 32, "doc": 12}], "12")],
)
async def test_a_probe_knows_the_write_by_its_reference(rows: list[Any], document: str | None) -> None:
    """Found under the reference it was carried out; an empty journal, or a 404, says that it was not."""
    async with port(lambda request: httpx2.Response(200, json={"rows": rows})) as offered:
        assert offered.probe is not None
        found = await offered.probe(command())
        assert (None if found is None else found.document) == document
    async with port(lambda request: httpx2.Response(404)) as offered:
        assert offered.probe is not None
        assert await offered.probe(command()) is None
    async with port(lambda request: httpx2.Response(500)) as offered:
        assert offered.probe is not None
        with pytest.raises(SourceUnavailable):
            await offered.probe(command())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"path": "/orders/{nummer}"}, "{nummer} is no part of its key"),
        ({"key": ["number"]}, "has 2 parts"),
        ({"values": {"colour": "c"}}, "'colour' is no value of it"),
        ({"values": {"planned_end": {"put": "e", "format": "soon"}}}, "format 'soon'"),
        ({"probe": {"match": {"ref": "{who}"}}}, "{who} is no part of its key"),
    ],
)
def test_tables_that_cannot_be_followed_are_refused(words: dict[str, Any], said: str) -> None:
    """Each names the place and what is wrong."""
    with pytest.raises(ConfigError, match=f"systems.DOC.commands.{NAME}") as raised:
        Rest(RestConfig(code="DOC", **with_words(**words)))
    assert said in str(raised.value)


def test_an_unknown_action_and_a_value_that_goes_nowhere_are_refused() -> None:
    """Nothing is dropped in silence."""
    other = {"commands": {"release_producton_order": {"path": "/x"}}}
    with pytest.raises(ConfigError, match="did you mean release_production_order"):
        Rest(RestConfig(code="DOC", **merged(BLOCKS[0], other)))
    report = {"commands": {"report_operation": {"path": "/x", "values": {"good": "good"}}}}
    with pytest.raises(ConfigError, match="at goes nowhere"):
        Rest(RestConfig(code="DOC", **merged(BLOCKS[0], report)))
    with pytest.raises(ValidationError, match="put or to param"):
        RestConfig(code="DOC", **with_words(values={"quantity": {"param": "q"}}))
    with pytest.raises(ValidationError, match="only statuses of 500"):
        RestConfig(code="DOC", **with_words(not_done=[409]))
