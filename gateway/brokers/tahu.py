"""The protobuf messages of Sparkplug B, from the field numbers of the specification (Eclipse Sparkplug 3.0, chapter 6).

Only what is read or written here is described; protobuf keeps what it does not know out of the way. The schema file of
Eclipse Tahu says the same; it is not used, so that none of it need be shipped.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "crossdock.sparkplug"
_TYPES = {
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
_VALUES = ("uint32 int", "uint64 long", "float float", "double double", "bool boolean", "string string")
"""The kinds of values, in the order of their numbers."""


def _values(first: int, *more: str) -> dict[int, str]:
    """The fields of a value: exactly one of them is set."""
    return {first + place: f"?{kind}_value" for place, kind in enumerate((*_VALUES, *more))}


_MESSAGES: dict[str, dict[int, str]] = {
    "Payload": {
        1: "uint64 timestamp",
        2: "*Metric metrics",
        3: "uint64 seq",
        4: "string uuid",
        5: "bytes body",
    },
    "Metric": {
        1: "string name",
        2: "uint64 alias",
        3: "uint64 timestamp",
        4: "uint32 datatype",
        5: "bool is_historical",
        6: "bool is_transient",
        7: "bool is_null",
        **_values(10, "bytes bytes", "DataSet dataset", "Template template"),
    },
    "DataSet": {1: "uint64 num_of_columns", 2: "*string columns", 3: "*uint32 types", 4: "*Row rows"},
    "Row": {1: "*Cell elements"},
    "Cell": _values(1),
    "Template": {
        1: "string version",
        2: "*Metric metrics",
        4: "string template_ref",
        5: "bool is_definition",
    },
}


def _described(name: str, fields: dict[int, str]) -> DescriptorProto:
    message = DescriptorProto(name=name)
    for number, text in fields.items():
        kind, _, field_name = text.lstrip("*?").partition(" ")
        many = text.startswith("*")
        field = message.field.add(
            name=field_name,
            number=number,
            label=FieldDescriptorProto.LABEL_REPEATED if many else FieldDescriptorProto.LABEL_OPTIONAL,
        )
        if kind in _TYPES:
            field.type = _TYPES[kind]
        else:
            field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
        if text.startswith("?"):
            if not message.oneof_decl:
                message.oneof_decl.add(name="value")
            field.oneof_index = 0
    return message


def _payload_class() -> Any:
    file = FileDescriptorProto(name="crossdock/sparkplug.proto", package=_PACKAGE, syntax="proto2")
    file.message_type.extend(_described(name, fields) for name, fields in _MESSAGES.items())
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


Payload: Any = _payload_class()
"""The class of payloads. Its attributes are known only when the program runs, so it has no static type."""
