"""The way from the records of an answer to the cells of a bundle: one generated function, one pass over the rows.

For every row it makes the provenance, finds whose the row is and makes the cells of all wanted parts; then it puts them
into their columns, all or nothing. A row at which anything is out of the ordinary (it is not asked for, a cell is taken,
a value makes no sense) is handed to ``odd``, in its turn, which has the interpreter look at it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, get_origin

from sources.rest.environment import Context, Environment, Getter
from sources.rest.generate import OBJECTS, Build, Writer
from sources.rest.parts import Linked

Places: TypeAlias = Mapping[Any, int]
"""What a row says of its key → the place of the one key asked that is meant: the value alone where it says one."""
Several: TypeAlias = Callable[[Any], list[int]]
"""The places of whole keys, of which a row may say several."""
Fill: TypeAlias = Callable[
    [
        Sequence[Any],
        Context,
        Places,
        Several,
        Sequence[tuple[str, ...]],
        set[int],
        Sequence[list[Any]],
        Callable[[int], None],
    ],
    None,
]
"""(records, context, places, several, keys as expected, places found so far, columns of the parts, odd) → nothing."""


@dataclass(frozen=True, slots=True)
class Piece:
    """How the cells of one part are made of a record.

    ``entries`` gives the nested rows where one row is made of each; where the function makes them all, ``listed``.
    """

    linked: Linked
    build: Build
    entries: Callable[[Any, Any], Any] | None = None
    listed: bool = False


def filler(
    first: Linked, told: Getter, provenance: Getter, pieces: Sequence[Piece], env: Environment
) -> Fill:
    """The function that fills the columns of these parts, in their order."""
    writer = Writer(env, OBJECTS)
    writer.line("for at, row in enumerate(rows):")
    writer.line("try:", 2)
    writer.line(f"ctx.provenance = {writer.constant(provenance)}(row, None, ctx)", 3)
    if any(piece.entries is not None for piece in pieces):
        writer.line("up = (row, None)", 3)
    several = whole_keys(first)
    key = f"{writer.constant(told)}(row, None, ctx)"
    if len(first.positions) == 1:
        writer.line(f"told, = {key}", 3)
    else:
        writer.line(f"told = {key}", 3)
    if several:
        _fill_several(writer, pieces)
    else:
        _fill_one(writer, pieces)
    names = "".join(f"c{number}, " for number in range(len(pieces)))
    if names:
        writer.lines.insert(0, f"    {names}= columns")
    fill: Fill = writer.finish("rows, ctx, places, several, expected, done, columns, odd")
    return fill


def whole_keys(first: Linked) -> bool:
    """Whether a row says whole keys, one or several, in one attribute."""
    [kind] = [one.kind for one in first.maker.attributes if one.name == first.attributes[0]]
    return len(first.attributes) == 1 and first.positions == (0,) and get_origin(kind.base) is tuple


def _fill_one(writer: Writer, pieces: Sequence[Piece]) -> None:
    """The row belongs to one key."""
    writer.line("place = places[told]", 3)
    _make(writer, pieces, 3)
    _otherwise(writer)
    writer.line("done.add(place)", 2)
    _put(writer, pieces, 2)


def _fill_several(writer: Writer, pieces: Sequence[Piece]) -> None:
    """The row belongs to one key or more: every one has rows of its own, since they are filled from the key."""
    writer.line("found = several(told)", 3)
    writer.line("if not found:", 3)
    writer.line("raise Irregular", 4)
    writer.line("made = []", 3)
    writer.line("for place in found:", 3)
    _make(writer, pieces, 4)
    held = "".join(f"m{number}, " for number in range(len(pieces)))
    writer.line(f"made.append((place, {held}))", 4)
    _otherwise(writer)
    writer.line(f"for place, {held} in made:", 2)
    writer.line("done.add(place)", 3)
    _put(writer, pieces, 3)


def _otherwise(writer: Writer) -> None:
    writer.line("except Exception:", 2)
    writer.line("odd(at)", 3)
    writer.line("continue", 3)


def _make(writer: Writer, pieces: Sequence[Piece], depth: int) -> None:
    """Make the cells of a place, where they are still open."""
    writer.line("key = expected[place]", depth)
    for number, piece in enumerate(pieces):
        cell, made, build = f"c{number}[place]", f"m{number}", writer.constant(piece.build)
        if not piece.linked.part.many:
            writer.line(f"if {cell} is not None:", depth)
            writer.line("raise Irregular", depth + 1)
            writer.line(f"{made} = {build}(row, None, ctx, key)", depth)
            continue
        writer.line(f"if {cell} is not None and {cell}.__class__ is not list:", depth)
        writer.line("raise Irregular", depth + 1)
        if piece.listed:
            writer.line(f"{made} = {build}(row, None, ctx, key)", depth)
        elif piece.entries is None:
            writer.line(f"{made} = [{build}(row, None, ctx, key)]", depth)
        else:
            entries = writer.constant(piece.entries)
            writer.line(f"{made} = [{build}(entry, up, ctx, key) for entry in {entries}(row, None)]", depth)


def _put(writer: Writer, pieces: Sequence[Piece], depth: int) -> None:
    """Put what was made into the columns."""
    for number, piece in enumerate(pieces):
        cells, made = f"c{number}", f"m{number}"
        if not piece.linked.part.many:
            writer.line(f"{cells}[place] = {made}", depth)
        else:
            writer.line(f"if {cells}[place] is None:", depth)
            writer.line(f"{cells}[place] = {made}", depth + 1)
            writer.line("else:", depth)
            writer.line(f"{cells}[place] += {made}", depth + 1)
