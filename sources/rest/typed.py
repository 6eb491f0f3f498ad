"""Answers decoded straight into records: of every row only what the wanted parts are made of, in the shape of its table.

The records' classes come out of the mapped paths: a dotted path is a record in a record, ``each`` a list of them; what
nobody asks for is skipped by the decoder. Where the tables need more than names on the way (elements by number, ``*``,
templates, keys of keys) there is no such shape, and answers are decoded as they are. The same holds for an answer of
another shape, and a row that its generated functions refuse is looked up in the answer as it is: see ``Cells``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_origin

import msgspec

from sources.rest.environment import Environment, Getter
from sources.rest.fields import provenance_getters
from sources.rest.filling import Fill, Piece, filler, whole_keys
from sources.rest.generate import Attribute, Build, Reach, Writer, around
from sources.rest.makers import constructor, provenance_maker, values_maker
from sources.rest.mapping import Maker
from sources.rest.parts import Linked
from sources.rest.paths import split_path
from sources.rest.spec import FieldSpec, ProvenanceSpec, RowSpec


class Untyped(Exception):
    """The tables need more than a shape can say."""


class Node:
    """What is read of one kind of object: name → a value (None), an object or a list of objects of a further node.

    A list may also be of bare values: then its elements have no fields.
    """

    bare = False

    def __init__(self, slots: dict[str, str]) -> None:
        self._slots = slots
        self._fields: dict[str, tuple[str, Node | None]] = {}

    def slot(self, name: str, form: str = "value") -> str:
        """The attribute of a record that has the field of this name; Untyped where it is two things at once."""
        known = self._fields.get(name)
        if known is None:
            self._fields[name] = (form, None if form in ("value", "values") else Node(self._slots))
        elif known[0] != form:
            raise Untyped
        return self._slots.setdefault(name, f"s{len(self._slots)}")

    def inner(self, name: str, form: str) -> "Node":
        """The node behind a field."""
        self.slot(name, form)
        found = self._fields[name][1]
        if found is None:
            raise Untyped
        return found

    def record(self) -> Any:
        """The class of the records."""
        fields: list[tuple[str, Any, Any]] = []
        for name, (form, node) in self._fields.items():
            inner: Any = Any if node is None else node.record()
            kept = list[inner] if form in ("list", "values") else inner
            fields.append((self._slots[name], kept | None, None))
        named = {self._slots[name]: name for name in self._fields}
        return msgspec.defstruct("Raw", fields, rename=named, gc=False)


class Bare(Node):
    """An element of a list of values."""

    bare = True

    def __init__(self) -> None:
        super().__init__({})

    def slot(self, name: str, form: str = "value") -> str:
        """It has no fields."""
        raise Untyped


class Records(Reach):
    """Raw rows are records of these nodes: the row's own, and those around it, nearest first."""

    def __init__(self, *nodes: Node) -> None:
        self.nodes = nodes

    def path(self, writer: Writer, path: str) -> str:
        """Attributes of records."""
        return self.way(writer, path, "value")[0]

    def call(self, writer: Writer, get: Getter) -> str:
        """Getters read objects, not records."""
        raise Untyped

    def each(self, writer: Writer, target: str, spec: FieldSpec, element: Any, get: Getter) -> None:
        """A list of values or of objects, each once; what is nothing is left out."""
        bare = not any(_inner(path) for path in spec.paths())
        found, node = self.way(writer, spec.each or "", "values" if bare else "list")
        inner = Writer(writer.env, Records(Bare() if bare else node, *self.nodes))
        inner.place = writer.place
        inner.field("value", spec.model_copy(update={"each": None}), element, None, _no_getter)
        inner.line("return value")
        make, one, made = writer.constant(inner.finish("row, up, ctx")), writer.fresh("e"), writer.fresh("m")
        writer.line(f"{target} = {found}")
        writer.line(f"if {target}:")
        listed = f"[{made} for {one} in {target} if ({made} := {make}({one}, (row, up), ctx)) is not None]"
        writer.line(f"{target} = {listed}", 2)
        writer.line(f"{target} = tuple({target} if len({target}) < 2 else dict.fromkeys({target}))", 2)
        writer.line("else:")
        writer.line(f"{target} = ()", 2)

    def way(self, writer: Writer, path: str, form: str) -> tuple[str, Node]:
        """The expression of what is at a path, and the last node on the way or behind it."""
        out, names = split_path(path)
        if not names and form == "value" and out < len(self.nodes) and self.nodes[out].bare:
            return around(out), self.nodes[out]
        if not names or out >= len(self.nodes) or any(name == "*" or name.isdecimal() for name in names):
            raise Untyped
        node, found = self.nodes[out], around(out)
        for name in names[:-1]:
            held = writer.fresh("t")
            found = f"(None if ({held} := {found}.{node.slot(name, 'object')}) is None else {held})"
            node = node.inner(name, "object")
        last = node.slot(names[-1], form)
        if form == "list":
            node = node.inner(names[-1], form)
        if len(names) == 1:
            return f"{found}.{last}", node
        held = writer.fresh("t")
        return f"(None if ({held} := {found}) is None else {held}.{last})", node


def _inner(path: str) -> bool:
    """Whether a path goes into the element itself."""
    out, names = split_path(path)
    return out == 0 and bool(names)


def _no_getter(row: Any, up: Any, ctx: Any) -> Any:
    raise Untyped


def _build(maker: Maker, filled: dict[str, int], reach: Records) -> Build:
    """The constructor of a class from records."""
    attributes = [
        replace(one, filled=filled.get(one.name), direct=_nested(one, reach)) for one in maker.attributes
    ]
    provenance = None
    if maker.spec.provenance is not None:
        provenance = _provenance(maker.spec.provenance, maker.env, f"{maker.place}.provenance", reach)
    return constructor(maker.cls, attributes, provenance, maker.env, maker.place, reach)


def _nested(one: Attribute, reach: Records) -> Build | None:
    """The function of the objects in an attribute."""
    if one.maker is None:
        return None
    if get_origin(one.kind.base) is tuple:
        many = _listed(one.maker, {}, reach)
        return lambda row, up, ctx, key: tuple(many(row, up, ctx, key))
    if one.maker.each or one.maker.where is not None:
        raise Untyped
    return _build(one.maker, {}, reach)


def _provenance(spec: ProvenanceSpec, env: Environment, place: str, reach: Records) -> Getter:
    return provenance_maker(spec, provenance_getters(spec, env, place), env, place, reach)


def _listed(
    maker: Maker, filled: dict[str, int], reach: Records
) -> Callable[[Any, Any, Any, Any], list[Any]]:
    """The function that makes all rows of a class out of one record."""
    env, lists = maker.env, []
    for path in maker.spec.lists():
        writer = Writer(env, reach)
        found, node = reach.way(writer, path, "list")
        writer.line(f"return {found} or ()")
        lists.append(writer.finish("row, up"))
        reach = Records(node, *reach.nodes)
    writer = Writer(env, reach)
    writer.line(f"return {writer.holds(maker.spec.where)}")
    holds = writer.finish("row, up, ctx") if maker.spec.where else None
    build = _build(maker, filled, reach)

    def listed(row: Any, up: Any, ctx: Any, key: Any) -> list[Any]:
        rows = [(row, up)]
        for entries in lists:
            rows = [(entry, inner) for inner in rows for entry in entries(*inner)]
        return [build(*inner, ctx, key) for inner in rows if holds is None or holds(*inner, ctx)]

    return listed


def _piece(linked: Linked, first: Linked, node: Node) -> Piece:
    """How the cells of a part are made."""
    maker, reach = linked.maker, Records(node)
    filled = {name: i for i, name in enumerate(linked.attributes) if i not in linked.positions}
    if len(linked.attributes) != len(first.attributes) or (filled and whole_keys(first)):
        raise Untyped
    if linked.positions and maker.each and not _same(linked, first):
        # Every entry says itself whose it is.
        raise Untyped
    if not maker.each and maker.where is None:
        return Piece(linked, _build(maker, filled, reach))
    if not linked.part.many:
        raise Untyped
    if len(maker.spec.lists()) != 1 or maker.spec.where:
        return Piece(linked, _listed(maker, filled, reach), listed=True)
    writer = Writer(maker.env, reach)
    found, node = reach.way(writer, maker.spec.lists()[0], "list")
    writer.line(f"return {found} or ()")
    entries = writer.finish("row, up")
    return Piece(linked, _build(maker, filled, Records(node, *reach.nodes)), entries=entries)


def _same(linked: Linked, first: Linked) -> bool:
    """Whether the entries of a list say the key of their row: then whose they are is known already."""
    if linked.positions != first.positions or first.maker.each:
        return False
    depth = "^" * len(linked.maker.spec.lists())
    return all(_alike(_told(linked, i), _told(first, i), depth) for i in linked.positions)


def _alike(inner: FieldSpec | None, outer: FieldSpec | None, depth: str) -> bool:
    """Whether an attribute of an entry is read as one of its row is, so many lists further out."""
    if inner is None or outer is None:
        return False
    if outer.const is not None:
        return inner == outer
    moved = isinstance(outer.path, str) and inner.path == depth + outer.path
    return moved and inner.model_copy(update={"path": outer.path}) == outer


def _told(linked: Linked, position: int) -> FieldSpec | None:
    """How the part of a key at a position is read."""
    name = linked.attributes[position]
    return next((one.spec for one in linked.maker.attributes if one.name == name), None)


@dataclass(frozen=True, slots=True)
class Typed:
    """How the answers of a read are decoded where certain parts are wanted, and how cells are filled from the records."""

    told: Getter
    """What a record says of its own key: the parts at the positions of the first part."""
    fill: Fill
    answer: Callable[[bytes], tuple[list[Any], Any] | None]
    """A body's rows, and of the rest what paging needs, as it is; None where it has not this shape."""


def typed(
    parts: Sequence[Linked],
    wants: frozenset[type],
    row: RowSpec,
    place: str,
    rows: str,
    paging: Sequence[str] = (),
) -> Typed | None:
    """The shape for these parts of a row, which is at ``rows`` of an answer; None where there is none."""
    root, first = Node({}), parts[0]
    env = first.maker.env
    try:
        if first.maker.each or env.reference:
            raise Untyped
        writer = Writer(env, Records(root))
        if split_path(rows)[1]:
            found, node = Records(root).way(writer, rows, "list")
        else:
            found, node = "row", root
        heads = [(split_path(path)[1], _reader(path, root, env)) for path in paging]
        reach = Records(node)
        known = {one.name: one for one in first.maker.attributes}
        keys = [known[first.attributes[i]] for i in first.positions]
        told = values_maker(keys, env, first.maker.place, reach)
        pieces = [_piece(linked, first, node) for linked in parts if linked.part.type in wants]
        provenance = _provenance(row.provenance, env, f"{place}.provenance", reach)
        fill = filler(first, told, provenance, pieces, env)
        record: Any = root.record()
    except (Untyped, ValueError, TypeError):
        return None
    writer.line(f"return {found}")
    shape = record if node is not root else list[record] | record
    return Typed(told, fill, _answers(shape, writer.finish("row"), heads))


def _reader(path: str, root: Node, env: Environment) -> Callable[[Any], Any]:
    """The function that reads a value off the whole answer."""
    writer = Writer(env, Records(root))
    writer.line(f"return {writer.path(path)}")
    read: Callable[[Any], Any] = writer.finish("row")
    return read


def _answers(
    shape: Any, rows: Callable[[Any], Any], heads: Sequence[tuple[list[str], Callable[[Any], Any]]]
) -> Callable[[bytes], tuple[list[Any], Any] | None]:
    decoder = msgspec.json.Decoder(shape, float_hook=str)

    def answer(body: bytes) -> tuple[list[Any], Any] | None:
        try:
            if not body.isascii():
                # What the decoder skips it does not check: text of another encoding is no answer wherever it is.
                body.decode()
            whole = decoder.decode(body)
            found = rows(whole)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        if found is None:
            return None
        head: dict[str, Any] = {}
        for (*way, last), read in heads:
            at = head
            for name in way:
                at = at.setdefault(name, {})
            at[last] = read(whole)
        return found if isinstance(found, list) else [found], head

    return answer
