"""``POST /ingest/{system}`` over HTTP: who may, in which forms, with which answers."""

import base64
from typing import Any

import orjson
import pytest

from gateway.config import load_settings, warnings_of
from gateway.problems import SettingsError
from gateway.tomlfile import TomlFile
from tests.e2e.events.conftest import Gateway, settings, tables
from tests.unit.gateway.events.house import state

BODY = state("1", "RELEASED", 1).body


def code_of(answer: Any) -> str:
    """The code of the error that an answer holds."""
    code: str = answer.json()["errors"][0]["extensions"]["code"]
    return code


def test_a_signed_message_is_accepted_and_told(gateway: Gateway) -> None:
    """202 with its number; it can be read at once, and again from the cursor on."""
    answer = gateway.signed(BODY, "m1")
    assert answer.status_code == 202
    [became] = answer.json()["messages"]
    assert became["state"] == "ACCEPTED"
    [event] = gateway.events()
    assert [event["number"]] == became["events"]
    assert (event["subject"], event["id"], event["data"]["status"]) == ("po:P1/1", "m1", "RELEASED")
    assert gateway.events(after=event["cursor"]) == []
    assert gateway.events(about="po:P1/1") == [event]
    [again] = gateway.signed(BODY, "m1").json()["messages"]
    assert (again["state"], again["duplicateOf"]) == ("DUPLICATE", became["events"])
    assert len(gateway.events()) == 1


def test_whoever_cannot_show_who_they_are_is_refused(gateway: Gateway) -> None:
    """401, whatever the body is: it was not looked at."""
    assert gateway.send("MES", BODY).status_code == 401
    assert gateway.send("MES", b"{broken").status_code == 401
    assert gateway.signed(BODY, "m1", webhook_id="m2").status_code == 401
    assert gateway.send("MES_B", BODY, authorization="Bearer other").status_code == 401
    refused = gateway.send("MES_B", BODY, authorization="Bearer ünknown")
    assert (refused.status_code, code_of(refused)) == (401, "NOT_AUTHENTICATED")
    assert "a-token" not in refused.text
    assert gateway.send("MES_B", BODY, authorization="Bearer a-token").status_code == 202
    assert len(gateway.events()) == 1


def test_a_system_without_an_ingest_table_has_no_such_place(gateway: Gateway) -> None:
    """Nor has one that does not exist: nothing tells them apart."""
    for system in ("MES_X", "NOBODY", "%2e%2e"):
        answer = gateway.send(system, BODY)
        assert (answer.status_code, code_of(answer)) == (404, "INGEST_NOT_FOUND")
    assert gateway.client.get(f"{gateway.url}/ingest/MES").status_code == 405


def test_bodies_that_are_no_messages_are_refused(gateway: Gateway) -> None:
    """Too large, of another type, not JSON, too many at once; nothing of them is kept."""
    large = orjson.dumps({**BODY, "x": "y" * 5000})
    assert code_of(gateway.signed(large, "m1")) == "REQUEST_TOO_LARGE"
    assert gateway.signed(large, "m1").status_code == 413
    assert gateway.signed(BODY, "m1", content_type="text/xml").status_code == 415
    assert code_of(gateway.signed(b"{broken", "m1")) == "BAD_JSON"
    assert gateway.signed([BODY] * 6, "m1").status_code == 413
    assert gateway.events() == []


def test_a_batch_is_answered_message_by_message(gateway: Gateway) -> None:
    """In its order: accepted, again the same, not understood; all of it is a 202."""
    mixed = [BODY, BODY, {"what": "news"}, state("2", "RELEASED", 1).body]
    answer = gateway.signed(mixed, "m1")
    assert answer.status_code == 202
    states = [one["state"] for one in answer.json()["messages"]]
    assert states == ["ACCEPTED", "DUPLICATE", "PARKED", "ACCEPTED"]
    [parked] = gateway.client.get(f"{gateway.url}/admin/events/parked").json()["parked"]
    assert parked["reason"] == "UNKNOWN_KIND: with what"
    assert orjson.loads(parked["body"])["body"] == {"what": "news"}


def test_cloud_events_come_in_all_their_modes(gateway: Gateway) -> None:
    """The same event three times is one event, by its source and id."""
    event = {"specversion": "1.0", "type": "x", "source": "/m", "id": "1", **BODY}
    structured = "application/cloudevents+json"
    answers = [
        gateway.send("MES_O", event, content_type=structured),
        gateway.send("MES_O", [event], content_type="application/cloudevents-batch+json"),
        gateway.send(
            "MES_O", {**event, "data_base64": base64.b64encode(b"1").decode()}, content_type=structured
        ),
    ]
    assert [answer.json()["messages"][0]["state"] for answer in answers] == [
        "ACCEPTED",
        "DUPLICATE",
        "DUPLICATE",
    ]
    headers = {"ce_specversion": "1.0", "ce_type": "x", "ce_source": "/m", "ce_id": "2"}
    assert gateway.send("MES_O", {"order": "1"}, **headers).json()["messages"][0]["state"] == "PARKED"


def test_dead_letters_are_dropped_and_replayed_by_number_system_or_all(gateway: Gateway) -> None:
    """What only waits for its system is no dead letter and stays."""
    gateway.send("MES_O", [{"what": "a"}, {"what": "b"}])
    gateway.send("ERP", {"what": "changed", "order": "1"})
    place = f"{gateway.url}/admin/events"

    def parked() -> dict[str, str]:
        found = gateway.client.get(f"{place}/parked").json()["parked"]
        return {one["number"]: one["system"] for one in found}

    numbers = list(parked())
    assert len(numbers) == 3
    replayed = gateway.client.post(f"{place}/replay", json={"system": "MES_O"}).json()["messages"]
    assert [one["state"] for one in replayed] == ["PARKED", "PARKED"]
    dead = [number for number, system in parked().items() if system == "MES_O"]
    assert gateway.client.post(f"{place}/drop", json={"numbers": dead[:1]}).json() == {"dropped": dead[:1]}
    assert gateway.client.post(f"{place}/drop", json={"numbers": ["nonsense"]}).status_code == 400
    assert gateway.client.post(f"{place}/drop", json={}).status_code == 400
    assert gateway.client.post(f"{place}/drop", json={"all": True}).json() == {"dropped": dead[1:]}
    assert set(parked().values()) == {"ERP"}


def test_messages_of_anybody_are_taken_on_this_machine_only_and_said_aloud() -> None:
    """A gateway that the network reaches does not start so."""
    assert any("MES_O" in said and "whoever reaches" in said for said in warnings_of(settings()))
    with pytest.raises(SettingsError, match=r"systems\.MES_O\.ingest\.auth"):
        load_settings(TomlFile("t", {**tables(), "host": "0.0.0.0", "auth": "upstream"}), environ={})


def test_a_secret_is_written_out_only_for_a_system_on_this_machine() -> None:
    """Elsewhere it is named by reference, like every other secret."""
    data = tables()
    data["systems"]["MES_B"]["base_url"] = "https://mes.example.com"
    with pytest.raises(SettingsError, match=r"ingest\.secrets is written out") as caught:
        load_settings(TomlFile("t", data), environ={})
    assert "a-token" not in str(caught.value)
