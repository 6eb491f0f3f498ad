"""The demo's plant in EPCIS: by webhook as it happens, and asked for afterwards; the same events either way."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e.epcis.judge import faults
from tests.program import started
from tests.receiver import receiving

CREATE = """mutation($input: WebhookSubscriptionCreateInput!) { webhookSubscriptionCreate(input: $input) {
  webhook { number secret format query } userErrors { message } } }"""
ENOUGH = 12
OWN = (
    "type",
    "eventTime",
    "eventTimeZoneOffset",
    "recordTime",
    "action",
    "bizStep",
    "disposition",
    "readPoint",
)


async def test_a_partner_is_told_of_shipments_in_epcis(tmp_path: Path) -> None:
    """Signed as every webhook is; valid to others; what a query gives of an event later is the event that was sent."""
    async with receiving() as receiver:
        with started(
            tmp_path / "out.txt", "demo", "--port", "0", "--systems-port", "0", "--speed", "600"
        ) as demo:
            url = (await asyncio.to_thread(demo.url)).removesuffix("/graphql")
            async with httpx2.AsyncClient(base_url=url, timeout=20) as client:
                webhook = await create(client, receiver.url)
                receiver.secrets.append(webhook["secret"])
                async with asyncio.timeout(60):
                    while len(receiver.taken) < ENOUGH:  # noqa: ASYNC110 it is in another process
                        await asyncio.sleep(0.1)
                sent = {event["eventID"]: event for event in map(event_of, documents(receiver.taken))}
                told = ",".join(list(sent)[:ENOUGH])
                answer = await client.get("/epcis/events", params={"EQ_eventID": told, "perPage": "100"})
                assert answer.status_code == 200, answer.text
            await asyncio.to_thread(demo.stop)
    listed = answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    assert {event["eventID"] for event in listed} == set(list(sent)[:ENOUGH])
    # Its objects are the shipment's, which may have been packed meanwhile.
    assert all(own(sent[event["eventID"]]) == own(event) for event in listed)
    assert any(event["epcList"] for event in listed)
    assert any("destinationList" in event for event in sent.values())
    judged = await asyncio.to_thread(faults, [*documents(receiver.taken), answer.json()], tmp_path)
    assert not any(judged), judged


def own(event: dict[str, Any]) -> dict[str, Any]:
    """What an event says itself."""
    return {name: event.get(name) for name in OWN}


async def create(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    """A webhook for shipments in EPCIS; one that brings a document of its own is refused."""
    asked = {"name": "3PL", "url": url, "format": "EPCIS"}
    for wrong in ({"query": "subscription { x }"}, {"variables": {"snapshot": True}}):
        said = await made(client, asked | wrong)
        assert "EPCIS" in said["userErrors"][0]["message"]
    said = await made(client, asked | {"variables": {"filter": {"plants": ["p1", "p2"]}}})
    assert said["userErrors"] == []
    webhook = dict(said["webhook"])
    assert webhook["format"] == "EPCIS"
    assert "shipmentChanged" in webhook["query"]
    return webhook


async def made(client: httpx2.AsyncClient, input: dict[str, Any]) -> dict[str, Any]:
    """What became of a mutation."""
    answer = await client.post("/graphql", json={"query": CREATE, "variables": {"input": input}})
    return dict(answer.json()["data"]["webhookSubscriptionCreate"])


def documents(taken: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """What was taken, without the ids."""
    return [body for _, body in taken]


def event_of(document: dict[str, Any]) -> dict[str, Any]:
    """The only event of a document."""
    [event] = document["epcisBody"]["eventList"]
    return dict(event)
