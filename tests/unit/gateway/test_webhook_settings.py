"""What the settings say of webhooks, what a webhook of a format may be, and work that is over when it is given up."""

import asyncio
import threading
from typing import Any

import pytest

from gateway.cautions import warnings_of
from gateway.config import Settings, load_settings
from gateway.epcis.documents import SUBSCRIPTION
from gateway.problems import SettingsError
from gateway.threads import in_thread
from gateway.tomlfile import TomlFile
from gateway.webhooks.service import as_format
from resolvers.webhooks import Wanted
from schema.errors import RequestError
from schema.webhooks import WebhookFormat

WRITTEN = {"webhooks": {"secret": {"value": "sixteen characters"}}}


def settings(**data: Any) -> Settings:
    """The settings of a file."""
    return load_settings(TomlFile("test.toml", data), environ={})


def test_a_secret_may_be_written_out_only_where_nobody_else_gets_in() -> None:
    """Elsewhere the place where it is must be named."""
    assert settings(**WRITTEN).webhooks.secret is not None
    with pytest.raises(SettingsError) as refused:
        settings(**WRITTEN, host="0.0.0.0", auth="upstream")
    assert "sixteen" not in str(refused.value)
    assert [problem.path for problem in refused.value.problems] == [("webhooks", "secret")]


def test_webhooks_that_a_restart_forgets_are_said() -> None:
    """Where there are some and nothing keeps them."""

    def said(**data: Any) -> bool:
        return any("Webhooks are kept in memory" in one for one in warnings_of(settings(**data)))

    assert said(**WRITTEN)
    assert not said(**WRITTEN, database_url="sqlite:////tmp/never-opened.db")
    assert not said()


def test_a_webhook_in_epcis_keeps_its_filter_until_it_is_given_another() -> None:
    """And has the gateway's own document, whichever it is."""
    before = {"filter": {"plants": ["plant:1710"]}}
    named = as_format(Wanted(name="new"), WebhookFormat.EPCIS, before)
    assert (named.name, named.query, named.variables) == ("new", SUBSCRIPTION, before)
    assert as_format(Wanted(variables={}), WebhookFormat.EPCIS, before).variables == {}
    assert as_format(Wanted(query="subscription { x }"), WebhookFormat.GRAPHQL).query == "subscription { x }"


@pytest.mark.parametrize(
    "wrong", [{"query": "{ x }"}, {"operation_name": "X"}, {"variables": {"after": "c"}}]
)
def test_a_webhook_in_epcis_has_no_document_of_its_own(wrong: dict[str, Any]) -> None:
    """Nor an operation or other variables of it."""
    with pytest.raises(RequestError):
        as_format(Wanted(**wrong), WebhookFormat.EPCIS)


async def test_work_that_is_given_up_is_over_first() -> None:
    """Whoever cancels it can rely on nothing being written afterwards."""
    begun, go, over = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(10)
        over.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    await asyncio.sleep(0.05)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert over.is_set()
