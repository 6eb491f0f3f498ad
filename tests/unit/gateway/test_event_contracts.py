"""What an event must say: every type has its contract, the check and the published schemas mean the same."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema_rs
import pytest

from gateway.events.asyncapi import COMMITTED_EVENTS, compare_events, document, present_events
from gateway.events.contracts import CONTRACTS, Contract, flaw, schema_of, to_cloud_event
from gateway.sdl import EXCUSES, read_excuses
from schema.events import TYPES, Event, fact_of
from schema.logistics import ShipmentStatus
from tests.contract.event_logs import NOW, event

ALL = list(CONTRACTS.values())
NAMES = list(CONTRACTS)


def made(contract: Contract, data: dict[str, Any]) -> Event:
    """An event of a type with these data."""
    subject = f"{contract.subjects[0]}:1710/1"
    return event(1, type=contract.type, subject=subject, touches=(subject, "item:FG-1050"), data=data)


def example(contract: Contract, only_required: bool = False) -> dict[str, Any]:
    """Data as the published schema shows them: its own examples, the first of each enumeration."""
    schema = schema_of(contract.type)
    data = schema["properties"]["data"]
    names = data["required"] if only_required else list(data["properties"])
    return {name: value_of(data["properties"][name], schema["$defs"]) for name in names}


def value_of(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """A value that a schema allows, never null."""
    schema = next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)
    if "$ref" in schema:
        return value_of(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema:
        return schema["enum"][0]
    if "examples" in schema:
        return schema["examples"][0]
    if schema["type"] == "array":
        return [value_of(schema["items"], definitions)]
    return {"string": "text", "boolean": True}[schema["type"]]


def allows(contract: Contract, told: dict[str, Any]) -> bool:
    """What an independent validator says of a message."""
    return jsonschema_rs.validator_for(schema_of(contract.type), validate_formats=True).is_valid(told)


def test_every_canonical_type_has_a_contract() -> None:
    """No type without one, none without a type; each says what it means and who owns it."""
    assert set(CONTRACTS) == set(TYPES)
    assert len({contract.name for contract in ALL}) == len(ALL)
    for contract in ALL:
        assert contract.meaning.endswith(".")
        assert contract.owners
        assert contract.type.rpartition(".")[2] == "v1"


@pytest.mark.parametrize("contract", ALL, ids=NAMES)
def test_the_schema_and_the_check_agree_on_what_is_right(contract: Contract) -> None:
    """Everything that may be said, and only what must be: both are right for both."""
    jsonschema_rs.meta.validate(schema_of(contract.type))
    for data in (example(contract), example(contract, only_required=True)):
        found = made(contract, data)
        assert flaw(found) is None
        assert allows(contract, to_cloud_event(found))
        late = replace(found, late=True, synthesized=True, cause=found.number, version="7")
        assert allows(contract, to_cloud_event(late))


@pytest.mark.parametrize("contract", ALL, ids=NAMES)
def test_the_schema_and_the_check_agree_on_what_is_wrong(contract: Contract) -> None:
    """A field that is missing or of another type is wrong for both, and named."""
    data = example(contract)
    required = schema_of(contract.type)["properties"]["data"]["required"]
    assert required
    for name in data:
        wrongs: tuple[Any, ...] = (17, {}, ["", 3], "\n")
        for wrong in wrongs:
            found = made(contract, data | {name: wrong})
            said = flaw(found)
            if said is None:
                assert (name, wrong) == ("reason", "\n"), name
                continue
            assert f"data.{name}:" in said
            if wrong != "\n":
                assert not allows(contract, to_cloud_event(found))
    for name in required:
        found = made(contract, {key: value for key, value in data.items() if key != name})
        assert f"`{name}`" in str(flaw(found))
        assert not allows(contract, to_cloud_event(found))


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("quantity", "12,5"),
        ("quantity", "1e3"),
        ("quantity", "NaN"),
        ("quantity", ""),
        ("unit", "pcs"),
        ("unit", "kilo"),
        ("postingDate", "6.5.2025"),
        ("lot", "x" * 201),
        ("document", None),
    ],
)
def test_quantities_units_and_days_are_exact(field: str, wrong: Any) -> None:
    """Decimal text with a point, a code of Recommendation 20, an ISO day: said with an example of what is right."""
    contract = CONTRACTS["mfg.material.issued.v1"]
    found = made(contract, example(contract) | {field: wrong})
    assert f"data.{field}:" in str(flaw(found))
    assert "Such as" in str(flaw(found))
    assert not allows(contract, to_cloud_event(found))


def test_what_a_contract_does_not_name_is_not_said() -> None:
    """A field that nobody documented does not get out; the names that there are are said. Readers let new ones pass."""
    contract = CONTRACTS["mfg.shipment.changed.v1"]
    found = made(contract, {"shipment": "80", "statsu": "PICKED"})
    assert "`statsu`" in str(flaw(found))
    assert "previousStatus" in str(flaw(found))
    assert allows(contract, to_cloud_event(found))


def test_members_of_our_enumerations_are_as_good_as_their_names() -> None:
    """An adapter may hand on the model's own values."""
    contract = CONTRACTS["mfg.shipment.tracked.v1"]
    assert flaw(made(contract, {"shipment": "80", "status": ShipmentStatus.DELIVERED})) is None
    assert "data.status:" in str(flaw(made(contract, {"shipment": "80", "status": "GONE"})))


def good() -> Event:
    """An event that keeps its contract."""
    contract = CONTRACTS["mfg.material.issued.v1"]
    return made(contract, example(contract))


@pytest.mark.parametrize(
    ("field", "wrong", "named"),
    [
        ("type", "mfg.material.stolen.v1", "type"),
        ("source", "", "source"),
        ("id", " 1", "id"),
        ("id", "x" * 301, "id"),
        ("fact", "", "fact"),
        ("subject", "ship:80", "subject"),
        ("subject", "po:", "subject"),
        ("subject", "1000040", "subject"),
        ("touches", ("po:1710/1", "nothing"), "touches"),
        ("occurred_at", datetime(2025, 5, 6, 12), "occurred_at"),
        ("recorded_at", NOW.astimezone(timezone(timedelta(hours=2))), "recorded_at"),
        ("received_at", datetime(2025, 5, 6), "received_at"),
        ("data", {"lot": "\ud800"}, "data"),
    ],
)
def test_the_envelope_is_checked_too(field: str, wrong: Any, named: str) -> None:
    """What is wrong is named, with what would be right."""
    assert flaw(good()) is None
    if field == "data":
        wrong = dict(good().data) | wrong
    said = flaw(replace(good(), **{field: wrong}))
    assert said is not None
    assert said.startswith(named)
    assert len(said) < 1500


def test_a_naive_fact_is_unlike_no_other() -> None:
    """The natural key of a fact is long enough to be one and short enough to be kept."""
    assert flaw(replace(good(), fact=fact_of("SAP", "mfg.material.issued.v1", ["49", "2025"]))) is None


def test_the_committed_document_is_this_program_s() -> None:
    """`crossdock schema events > schema/events.asyncapi.json` was run, and nothing broke unexcused."""
    found = compare_events(COMMITTED_EVENTS.read_text("utf-8"), present_events(), read_excuses(EXCUSES))
    assert found.breaking == ()
    assert found.same, f"run: crossdock schema events > {COMMITTED_EVENTS}"


def test_every_reference_leads_somewhere() -> None:
    """Nothing in the document points to what is not there."""
    whole = document()

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = set(references(whole))
    assert len(found) > 4 * len(ALL)
    for reference in found:
        place: Any = whole
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def changed(edit: str) -> tuple[str, ...]:
    """What is breaking when the document is edited so: ``schema.field=removed`` and the like."""
    new = document()
    schemas = new["components"]["schemas"]
    place, _, what = edit.partition("=")
    name, _, field = place.partition(".")
    schema = schemas[name]
    match what:
        case "removed":
            del schema["properties"][field]
        case "optional":
            schema["required"].remove(field)
        case "required":
            schema["required"].append(field)
        case "shape":
            schema["properties"][field] = {"type": "integer"}
        case "added":
            schema["properties"][field] = {"type": "string"}
        case "words":
            schema["properties"][field]["description"] = "Other words."
        case "gone":
            del schemas[name], new["components"]["messages"][name]
        case "value":
            schema["enum"].remove(field)
    return compare_events(present_events(), json.dumps(new), {}).breaking


@pytest.mark.parametrize(
    ("edit", "sentences"),
    [
        ("MaterialIssued.lot=removed", ("MaterialIssued.lot was removed.",)),
        (
            "MaterialIssued.unit=optional",
            ("MaterialIssued.unit is no longer required: readers cannot count on it.",),
        ),
        ("MaterialIssued.lot=required", ("MaterialIssued.lot is required: senders did not know.",)),
        ("MaterialIssued.quantity=shape", ("MaterialIssued.quantity is of another shape.",)),
        ("Envelope.number=removed", ("Envelope.number was removed.",)),
        (
            "LotChanged=gone",
            ("The message LotChanged was removed.", "The schema LotChanged was removed."),
        ),
        ("HoldState.PLACED=value", ("PLACED was removed from HoldState.",)),
        ("MaterialIssued.gift=added", ()),
        ("MaterialIssued.lot=words", ()),
    ],
)
def test_what_breaks_readers_or_senders_is_found(edit: str, sentences: tuple[str, ...]) -> None:
    """A change that somebody would notice is a sentence; what is only added is none."""
    assert changed(edit) == sentences


def test_a_value_more_is_dangerous_and_an_excuse_is_shown() -> None:
    """Readers may not know a new value; what was decided is said with its reason."""
    new = document()
    new["components"]["schemas"]["HoldState"]["enum"].append("FORGOTTEN")
    del new["components"]["schemas"]["MaterialIssued"]["properties"]["lot"]
    excuses = {"MaterialIssued.lot was removed.": "nobody read it"}
    found = compare_events(present_events(), json.dumps(new), excuses)
    assert found.dangerous == ("FORGOTTEN was added to HoldState.",)
    assert (found.breaking, found.excused) == ((), ("MaterialIssued.lot was removed. (nobody read it)",))


def test_instants_are_told_in_utc() -> None:
    """RFC 3339 with a Z, microseconds kept."""
    at = datetime(2025, 5, 6, 12, 0, 0, 250, tzinfo=UTC)
    told = to_cloud_event(replace(good(), occurred_at=at))
    assert told["time"] == "2025-05-06T12:00:00.000250Z"
    assert told["recordedtime"] == "2025-05-06T12:00:00Z"
    assert json.loads(json.dumps(told)) == told
