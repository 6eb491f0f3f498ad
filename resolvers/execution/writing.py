"""The functions that are generated for a selection: from rows and finished columns to JSON.

One function a selection, made from text by ``compile``. Only its shape is text: every name and constant out of a
document goes in through the namespace. Whatever is not as its type says raises, and the plan is given up.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from itertools import count
from typing import Any, Protocol, TypeAlias

import orjson
from graphql import GraphQLEnumType, GraphQLList, GraphQLNonNull
from graphql.pyutils import Undefined

from resolvers.execution.fragments import Fragments

Builder: TypeAlias = Callable[..., list[bytes]]
"""``(rows, moments, *columns)``: the JSON of every row."""
LeafWriter: TypeAlias = Callable[[Sequence[Any]], list[bytes]]
"""The JSON of every value of a column of leaves."""

EXACT = {"String": "str", "ID": "str", "Boolean": "bool"}
"""Scalars whose values are written as they are, where they have exactly this class."""


class Irregular(Exception):
    """Something is not as the plan has it; the reference implementation knows what becomes of it."""


class Inline(Protocol):
    """What is written of a planned field (see ``plan.Planned``)."""

    key: str
    attribute: str
    read: Callable[..., Any] | None
    moments: tuple[str, ...]
    definition: Any
    named: Any
    nullable: bool
    many: bool
    item_nullable: bool
    leaf: LeafWriter | None
    inside: Any
    inline: bool


class Writer:
    """One function in the making: its namespace, and names that are not taken yet."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {
            "dumps": orjson.dumps,
            "listed": listed,
            "join": b"".join,
            "given": given,
        }
        self._numbers = count()

    def constant(self, value: Any) -> str:
        """A name for a value."""
        name = f"c{next(self._numbers)}"
        self.names[name] = value
        return name

    def variable(self) -> str:
        """A name nobody uses yet."""
        return f"v{next(self._numbers)}"

    def made(self, lines: Sequence[str], name: str = "build") -> Any:
        """The function of that name in these lines.

        It knows the namespace and the namespace does not know it: a plan that is let go is gone at once, without the
        garbage collector, which looks seldom while the gateway serves.
        """
        names = dict(self.names)
        exec(compile("\n".join(lines), "<plan>", "exec"), names)  # noqa: S102 - our own text, see above
        return names.pop(name)

    def leaf(self, kind: Any, value: str) -> str:
        """An expression for the JSON-ready value of a leaf, or of a list of leaves."""
        if isinstance(kind, GraphQLNonNull):
            return self._leaf(kind.of_type, value)
        name = self.variable()
        return f"(None if ({name} := {value}) is None else {self._leaf(kind, name)})"

    def _leaf(self, kind: Any, value: str) -> str:
        if isinstance(kind, GraphQLList):
            item = self.variable()
            return f"[{self.leaf(kind.of_type, item)} for {item} in listed({value})]"
        if isinstance(kind, GraphQLEnumType) and (members := enum_names(kind)):
            return f"{self.constant(members)}[{value}]"
        name, coerced = self.variable(), self.constant(coercing(kind))
        if kind.name in EXACT:
            return f"({name} if ({name} := {value}).__class__ is {EXACT[kind.name]} else {coerced}({name}))"
        return f"{coerced}({value})"

    def object(self, fields: Sequence[Inline], row: str) -> str:
        """An expression for the inner part of an object: the fields that are written with their row."""
        return "{" + ", ".join([f"{self.constant(f.key)}: {self.value(f, row)}" for f in fields]) + "}"

    def value(self, field: Inline, row: str) -> str:
        """An expression for the value of one field of a row."""
        moments = "".join([f", {name}={name}" for name in field.moments])
        read = (
            f"{row}.{field.attribute}"
            if field.read is None
            else f"{self.constant(field.read)}({row}{moments})"
        )
        if field.leaf is not None:
            return self.leaf(field.definition.type, read)
        inner = field.inside[field.named.name]
        return self._nested(field, inner, read)

    def _nested(self, field: Inline, inner: Any, read: str) -> str:
        """Objects inside the row, by the nulls that their type allows."""
        if not field.many:
            return self._one(inner, read, field.nullable)
        item = self.variable()
        items = f"[{self._one(inner, item, field.item_nullable)} for {item} in listed(%s)]"
        if not field.nullable:
            return items % read
        name = self.variable()
        return f"(None if ({name} := {read}) is None else {items % name})"

    def _one(self, inner: Any, read: str, nullable: bool) -> str:
        name = self.variable()
        body, bound = self.object(inner.fields, name), f"({name} := {read})"
        right = "is not None" if inner.cls is None else f".__class__ is {self.constant(inner.cls)}"
        if nullable:
            return f"(None if {bound} is None else {body} if {name} {right} else given())"
        return f"({body} if {bound} {right} else given())"


def build_rows(fields: Sequence[Any], moments: Sequence[str], kept: bool) -> Builder:
    """The function that writes the rows of a selection; ``kept`` rows are written once."""
    writer = Writer()
    runs, pieces, columns = _pieces(fields)
    expressions = [f"dumps({writer.object(run, 'o')})[1:-1]" for run in runs]
    lines = [f"def build(rows, moments{''.join(f', {name}' for name in columns)}):"]
    lines += [f"    {name} = moments[{writer.constant(name)}]" for name in moments]
    if kept and runs:
        _keeping(writer, expressions)
    parts = [_part(writer, piece, expressions, kept) for piece in pieces]
    names = ", ".join(["o", *[f"d{number}" for number in range(len(columns))]])
    source = f"zip({', '.join(['rows', *columns])}, strict=True)" if columns else "rows"
    lines += ["    out = []", f"    for {names} in {source}:"]
    if kept and runs:
        lines += [
            "        hit = get(id(o))",
            "        if hit is None or hit[0] is not o:",
            "            hit = keep(o)",
        ]
        lines += [f"        {''.join(f'r{number}, ' for number in range(len(runs)))} = hit[1]"]
    lines += [f"        out.append(join(({', '.join(parts)},)))", "    return out"]
    builder: Builder = writer.made(lines)
    return builder


def _pieces(fields: Sequence[Any]) -> tuple[list[list[Any]], list[bytes | int | str], list[str]]:
    """The fields in their order as runs of what is written with the row, text between, and columns."""
    runs: list[list[Any]] = []
    pieces: list[bytes | int | str] = [b"{"]
    columns: list[str] = []
    before = None
    for field in fields:
        comma = b"," if before is not None else b""
        if field.inline and before == "run":
            runs[-1].append(field)
        elif field.inline:
            pieces += [comma, len(runs)]
            runs.append([field])
        else:
            pieces += [comma + orjson.dumps(field.key) + b":", f"d{len(columns)}"]
            columns.append(f"column{len(columns)}")
        before = "run" if field.inline else "column"
    pieces.append(b"}")
    return runs, pieces, columns


def _part(writer: Writer, piece: bytes | int | str, expressions: Sequence[str], kept: bool) -> str:
    if isinstance(piece, bytes):
        return writer.constant(piece)
    if isinstance(piece, str):
        return piece
    return f"r{piece}" if kept else expressions[piece]


def _keeping(writer: Writer, expressions: Sequence[str]) -> None:
    """Give the function the bytes that were kept of a row, and a way to keep those of another."""
    fragments = Fragments()
    store = writer.constant(fragments.keep)
    lines = ["def keep(o):", f"    data = ({', '.join(expressions)},)"]
    writer.names["keep"] = writer.made([*lines, f"    return {store}(o, data, sum(map(len, data)))"], "keep")
    writer.names["get"] = fragments.rows.get


def compute_rows(
    compute: Callable[..., Any], needs: Sequence[str], moments: Sequence[str]
) -> Callable[..., list[Any]]:
    """The function that computes a fact for all rows: ``(rows, moments, *answers)``, one list of answers a need.

    The names are those of the parameters of ``compute``: our own code, not the document's.
    """
    writer = Writer()
    columns = [f"a{number}" for number in range(len(needs))]
    given = [f"{name}={column}" for name, column in zip(needs, columns, strict=True)]
    given += [f"{name}=moments[{writer.constant(name)}]" for name in moments]
    call = f"{writer.constant(compute)}({', '.join(['row', *given])})"
    lists = [f"l{number}" for number in range(len(needs))]
    made: Callable[..., list[Any]] = writer.made(
        [
            f"def build({', '.join(['rows', 'moments', *lists])}):",
            f"    return [{call} for {', '.join(['row', *columns])} in zip({', '.join(['rows', *lists])}, strict=True)]",
        ]
    )
    return made


def leaf_writer(kind: Any) -> LeafWriter:
    """The function that writes a column of leaves of a type."""
    writer = Writer()
    value = writer.variable()
    made: LeafWriter = writer.made(
        ["def build(column):", f"    return [dumps({writer.leaf(kind, value)}) for {value} in column]"]
    )
    return made


def enum_names(kind: GraphQLEnumType) -> dict[Any, str]:
    """What each member of an enum is called in an answer; empty where its members are not those of a Python enum."""
    members = getattr(kind, "wrapped_cls", None)
    if not isinstance(members, type) or not issubclass(members, Enum):
        return {}
    return {member: str(kind.coerce_output_value(member)) for member in members}


def coercing(kind: Any) -> Callable[[Any], Any]:
    """How the reference writes a leaf; a null in the place of a value is irregular."""
    coerce = kind.coerce_output_value

    def coerced(value: Any) -> Any:
        written = None if value is None else coerce(value)
        if written is None or written is Undefined:
            raise Irregular(f"null in place of {kind.name}")
        return written

    return coerced


def listed(value: Any) -> Any:
    """A list as it may stand in a row; raises where it is none."""
    if value.__class__ is list or value.__class__ is tuple:
        return value
    raise Irregular(f"{type(value).__name__} in place of a list")


def given() -> Any:
    """Nothing of the right kind is there."""
    raise Irregular("another object, or none, in place of an object")
