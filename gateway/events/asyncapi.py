"""The events as an AsyncAPI 3.0 document, and what changed in it since it was committed."""

import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gateway.events.contracts import CONTRACTS, Contract, common_envelope, data_schemas, envelope_of
from gateway.sdl import Comparison
from schema.events import TYPES

COMMITTED_EVENTS = Path("schema/events.asyncapi.json")
_ABOUT = (
    "What the gateway tells as it happens, as CloudEvents 1.0 in JSON. An event carries keys: what is true now is read "
    "from the gateway. Each is told once, in the order in which it came; one that came late says so."
)


def document() -> dict[str, Any]:
    """The whole document, made from the contracts."""
    messages = {contract.name: _message(contract) for contract in CONTRACTS.values()}
    return {
        "asyncapi": "3.0.0",
        "id": "urn:crossdock:events",
        "info": {
            "title": "Crossdock events",
            "version": version("crossdock"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {contract.name: _channel(contract) for contract in CONTRACTS.values()},
        "operations": {f"tell{contract.name}": _operation(contract) for contract in CONTRACTS.values()},
        "components": {"messages": messages, "schemas": dict(sorted(_schemas().items()))},
    }


def present_events() -> str:
    """The document as text, as it is committed."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def _channel(contract: Contract) -> dict[str, Any]:
    return {
        "address": contract.type,
        "description": contract.meaning,
        "messages": {contract.name: {"$ref": f"#/components/messages/{contract.name}"}},
    }


def _operation(contract: Contract) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{contract.name}"},
        "summary": f"The gateway tells {contract.type}.",
        "messages": [{"$ref": f"#/channels/{contract.name}/messages/{contract.name}"}],
    }


def _message(contract: Contract) -> dict[str, Any]:
    return {
        "name": contract.type,
        "title": contract.name,
        "summary": contract.meaning,
        "contentType": "application/cloudevents+json",
        "payload": {"$ref": f"#/components/schemas/{contract.name}Event"},
        "x-owners": [kind.value for kind in contract.owners],
        "x-graph-type": TYPES[contract.type].value,
    }


def _schemas() -> dict[str, Any]:
    place = "#/components/schemas/"
    events = {
        f"{contract.name}Event": envelope_of(contract, f"{place}Envelope", {"$ref": place + contract.name})
        for contract in CONTRACTS.values()
    }
    return {"Envelope": common_envelope(), **data_schemas(), **events}


def compare_events(committed: str, present: str, excuses: Mapping[str, str]) -> Comparison:
    """What those who read or send events by the committed document would notice."""
    old, new = json.loads(committed), json.loads(present)
    breaking = [*_gone("message", old, new, "messages"), *_gone("schema", old, new, "schemas")]
    dangerous: list[str] = []
    for name, schema in old["components"]["schemas"].items():
        if name in new["components"]["schemas"]:
            for breaks, sentence in _changes(name, schema, new["components"]["schemas"][name]):
                (breaking if breaks else dangerous).append(sentence)
    return Comparison(
        committed == present,
        tuple(text for text in breaking if text not in excuses),
        tuple(f"{text} ({excuses[text]})" for text in breaking if text in excuses),
        tuple(dangerous),
    )


def _gone(what: str, old: Any, new: Any, place: str) -> list[str]:
    return [
        f"The {what} {name} was removed."
        for name in old["components"][place]
        if name not in new["components"][place]
    ]


def _changes(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    """What changed in a schema: whether it breaks somebody, and the sentence."""
    for value in old.get("enum", ()):
        if value not in new.get("enum", ()):
            yield True, f"{value} was removed from {name}."
    for value in new.get("enum", ()):
        if value not in old.get("enum", ()):
            yield False, f"{value} was added to {name}."
    fields, others = old.get("properties", {}), new.get("properties", {})
    for field in fields.keys() - others.keys():
        yield True, f"{name}.{field} was removed."
    required, now = set(old.get("required", ())), set(new.get("required", ()))
    for field in sorted(required - now & others.keys()):
        yield True, f"{name}.{field} is no longer required: readers cannot count on it."
    for field in sorted(now - required):
        yield True, f"{name}.{field} is required: senders did not know."
    for field in sorted(fields.keys() & others.keys()):
        if _shape(fields[field]) != _shape(others[field]):
            yield True, f"{name}.{field} is of another shape."


def _shape(schema: Any) -> Any:
    """What a schema demands, without its words."""
    if isinstance(schema, list):
        return [_shape(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        name: _shape(value)
        for name, value in schema.items()
        if name not in ("description", "examples", "title", "default")
    }
