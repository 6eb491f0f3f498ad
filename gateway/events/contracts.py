"""The contracts of the canonical events: what each type means, who owns it, what it must say.

An event is checked with its contract before it is kept (``flaw``); one that breaks it is parked, not passed on. The
same tables make the JSON Schemas that partners read (``schema_of``, ``gateway.events.asyncapi``). Fields may be added
to a version; what is there already keeps its name, its meaning and whether it is required, else there is a new version.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from gateway.events import facts
from schema.base import SystemKind
from schema.events import Event

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MOST_TEXT = 300
"""Characters of a source, an id or a subject at most."""
_MASTER_DATA = ("bom", "item", "loc", "party", "plant", "routing", "wc")
_UTC = timedelta(0)


_DataClass = type[facts.Data]


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of one type: the kinds of system that own the fact, the most likely first; what a subject may be."""

    type: str
    owners: tuple[SystemKind, ...]
    subjects: tuple[str, ...]
    data: _DataClass

    @property
    def meaning(self) -> str:
        """What it means when it is told."""
        return (self.data.__doc__ or "").strip()

    @property
    def name(self) -> str:
        """The name of its message and its schema."""
        return self.data.__name__


def _contracts() -> Iterator[Contract]:
    kind = SystemKind
    erp, mes, wms, qms, tms = kind.ERP, kind.MES, kind.WMS, kind.QMS, kind.TMS
    stock = ("item", "lot", "loc", "mov", "sn")
    yield Contract("mfg.production-order.released.v1", (erp,), ("po",), facts.ProductionOrderReleased)
    yield Contract("mfg.production-order.changed.v1", (erp, mes), ("po",), facts.ProductionOrderChanged)
    yield Contract("mfg.material.issued.v1", (erp, mes), ("po", *stock), facts.MaterialIssued)
    yield Contract("mfg.operation.completed.v1", (mes, erp), ("op", "po", "rep"), facts.OperationCompleted)
    yield Contract("mfg.inventory.adjusted.v1", (erp, wms), stock, facts.InventoryAdjusted)
    yield Contract("mfg.inventory.moved.v1", (wms, erp), ("po", "hu", *stock), facts.InventoryMoved)
    yield Contract("mfg.lot.changed.v1", (erp, qms, wms), ("lot",), facts.LotChanged)
    yield Contract("mfg.quality-hold.changed.v1", (qms, wms, erp), ("hold",), facts.QualityHoldChanged)
    yield Contract("mfg.shipment.confirmed.v1", (wms, erp), ("ship",), facts.ShipmentConfirmed)
    yield Contract("mfg.shipment.changed.v1", (wms, erp), ("ship",), facts.ShipmentChanged)
    yield Contract("mfg.shipment.tracked.v1", (tms,), ("ship", "trk"), facts.ShipmentTracked)
    yield Contract("mfg.master-data.changed.v1", (erp,), _MASTER_DATA, facts.MasterDataChanged)


CONTRACTS: Mapping[str, Contract] = {contract.type: contract for contract in _contracts()}
"""The contracts by type."""


def flaw(event: Event) -> str | None:
    """What is wrong with an event, which field and how to mend it; None where it keeps its contract."""
    contract = CONTRACTS.get(event.type)
    if contract is None:
        return f"type: {event.type[:MOST_TEXT]!r} is no canonical event; use one of {', '.join(CONTRACTS)}"
    return _flaw_of_envelope(event, contract) or _flaw_of_data(event.data, contract)


def _flaw_of_envelope(event: Event, contract: Contract) -> str | None:
    texts = {"source": event.source, "id": event.id, "subject": event.subject, "fact": event.fact}
    for name, text in texts.items():
        if not 0 < len(text) <= MOST_TEXT or not _clean(text):
            return f"{name}: {text[:40]!r} cannot be it; write 1 to {MOST_TEXT} characters without blanks around them"
    prefix, colon, key = event.subject.partition(":")
    if not (colon and key and prefix in contract.subjects):
        wanted = ", ".join(f"{prefix}:…" for prefix in contract.subjects)
        return f"subject: {event.subject!r} is nothing that {event.type} is about; use one of {wanted}"
    for touched in event.touches:
        prefix, _, key = touched.partition(":")
        if not (prefix.isalpha() and key and _clean(touched)):
            return f"touches: {touched[:40]!r} is no id of the gateway; write one such as po:1710/1000040"
    times = {
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "received_at": event.received_at,
    }
    for name, at in times.items():
        if not _in_utc(at):
            return f"{name}: {at.isoformat()} is not in UTC; convert it where it comes in"
    return None


def _flaw_of_data(data: Mapping[str, Any], contract: Contract) -> str | None:
    try:
        msgspec.convert(data, contract.data)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        name = path.strip("`.").partition("[")[0]
        where = f"data.{name}" if name else "data"
        return f"{where}: {what.rstrip('.')}{_mend(contract, name)}"
    for name, value in data.items():
        if isinstance(value, str) and value != value.strip():
            return f"data.{name}: {value[:40]!r} has blanks around it; send it without"
    try:
        msgspec.json.encode(data)
    except UnicodeError:
        return "data: a text in it is not valid Unicode; decode it as what it is where it comes in"
    return None


def _mend(contract: Contract, name: str) -> str:
    """What a field of a contract should be; the names there are, where there is none of that name."""
    properties = schema_of(contract.type)["properties"]["data"]["properties"]
    found = properties.get(name)
    if found is None:
        return f"; {contract.type} has {', '.join(properties)}"
    found = found | next((each for each in found.get("anyOf", ()) if "description" in each), {})
    example = f" Such as {found['examples'][0]!r}." if "examples" in found else ""
    return f". {found['description']}{example}" if "description" in found else ""


def _clean(text: str) -> bool:
    return text == text.strip() and text.isprintable()


def _in_utc(at: datetime) -> bool:
    return at.utcoffset() == _UTC


def to_cloud_event(event: Event) -> dict[str, Any]:
    """An event as CloudEvents 1.0 in JSON, as it is told outside: what ``schema_of`` describes."""
    told = {
        "specversion": "1.0",
        "type": event.type,
        "source": event.source,
        "id": event.id,
        "subject": event.subject,
        "time": _rfc3339(event.occurred_at),
        "recordedtime": _rfc3339(event.recorded_at),
        "receivedtime": _rfc3339(event.received_at),
        "number": event.number,
        "correlationid": event.correlation_id,
        "causationid": event.cause,
        "subjectversion": event.version,
        "late": event.late or None,
        "synthesized": event.synthesized or None,
        "datacontenttype": "application/json",
        "dataschema": schema_id(event.type),
        "data": dict(event.data),
    }
    return {name: value for name, value in told.items() if value is not None}


def _rfc3339(at: datetime) -> str:
    return at.isoformat().removesuffix("+00:00") + "Z"


def schema_id(type: str) -> str:
    """The name of a type's schema."""
    return f"urn:crossdock:event:{type}"


def data_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schemas of all data by the name of the class, and of the enumerations they use.

    Unlike the check, they let unknown fields pass: a version may gain fields.
    """
    kinds = [contract.data for contract in CONTRACTS.values()]
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        schema.pop("additionalProperties", None)
    return schemas


def schema_of(type: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a type: CloudEvents envelope and data, whole in itself."""
    return _SCHEMAS[type]


def envelope_of(contract: Contract, envelope: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a type: what its envelope must be beside what all have (``envelope`` is where that is), its data."""
    own = {
        "type": {"const": contract.type},
        "subject": {
            "type": "string",
            "pattern": f"^({'|'.join(contract.subjects)}):.+$",
            "description": "Id of what it is about, in the gateway.",
        },
        "dataschema": {"const": schema_id(contract.type), "description": "The name of this schema."},
        "data": dict(data),
    }
    return {
        "type": "object",
        "description": contract.meaning,
        "allOf": [{"$ref": envelope}],
        "properties": own,
        "required": ["type", "subject", "data"],
    }


def common_envelope() -> dict[str, Any]:
    """The schema of what all events have: the attributes of CloudEvents, and ours beside them."""
    instant = {"type": "string", "format": "date-time"}
    text = {"type": "string", "minLength": 1, "maxLength": MOST_TEXT}
    number = {"type": "string", "pattern": "^[0-9a-f]{24}$"}
    said: dict[str, tuple[dict[str, Any], str]] = {
        "specversion": ({"const": "1.0"}, "Version of CloudEvents."),
        "source": (text, "Code of the system that owns the fact."),
        "id": (text, "The system's own id of it, or a hash of its natural key."),
        "time": (instant, "When it happened, as the source claims."),
        "recordedtime": (instant, "When the source stored it."),
        "receivedtime": (instant, "When the gateway got it."),
        "number": (number, "Its number in the gateway: the same whenever the same message comes."),
        "correlationid": ({"type": "string"}, "What belongs to one course of events shares it."),
        "causationid": ({"type": "string"}, "Number of the event that led to it."),
        "subjectversion": ({"type": "string"}, "The owner's version of the subject after it."),
        "late": ({"type": "boolean"}, "A later change of the subject was known already."),
        "synthesized": ({"type": "boolean"}, "Concluded from before and after: no message says so."),
        "datacontenttype": ({"const": "application/json"}, "Format of data."),
    }
    optional = {"causationid", "subjectversion", "late", "synthesized", "datacontenttype"}
    return {
        "type": "object",
        "description": "What every event says about itself (CloudEvents 1.0 in JSON).",
        "properties": {name: schema | {"description": about} for name, (schema, about) in said.items()},
        "required": [name for name in said if name not in optional],
    }


def _whole(contract: Contract) -> dict[str, Any]:
    """One schema that refers to nothing outside."""
    (data,), definitions = msgspec.json.schema_components([contract.data], ref_template="#/$defs/{name}")
    own = definitions.pop(data["$ref"].rpartition("/")[2])
    own.pop("additionalProperties", None)
    head = {"$schema": DRAFT, "$id": schema_id(contract.type), "title": contract.name}
    body = envelope_of(contract, "#/$defs/Envelope", own)
    return {**head, **body, "$defs": {"Envelope": common_envelope(), **definitions}}


_SCHEMAS = {contract.type: _whole(contract) for contract in CONTRACTS.values()}
