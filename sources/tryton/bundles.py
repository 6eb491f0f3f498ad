"""Rows into bundles and pages: every key gets its cell, in the order of the keys. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from schema.base import key_of, keys_of
from schema.errors import MappingError
from sources.base import Batch, Bundle, Cell, Page, Part, Query
from sources.tryton.mapping import Part as PartMapping
from sources.tryton.mapping import Row, Rules

Head = Callable[[Row], Any]


def cells(asked: Batch, cls: type, rows: Iterable[Any], by: str = "id", many: bool = False) -> Bundle:
    """Rows under the keys asked for; None where one row was expected and none came."""
    found: dict[str, Any] = {}
    for row in rows:
        for key in () if row is None else keys_of(row, by):
            if many:
                found.setdefault(key, []).append(row)
            else:
                found.setdefault(key, row)
    return {cls: [found.get(key, [] if many else None) for key in asked.keys]}


def parts_of(
    asked: Batch,
    parts: Sequence[Part],
    rows: Iterable[Row],
    head: Head,
    others: Mapping[type, PartMapping],
    rules: Rules,
) -> Bundle:
    """One payload as the classes wanted: the first part is its head, which names the row."""
    heads = {key_of(one): (one, row) for row in rows if (one := head(row)) is not None}
    return {
        part.type: [cell(part, heads.get(key), others, rules) for key in asked.keys]
        for part in parts
        if part.type in asked.wants
    }


def cell(part: Part, found: tuple[Any, Row] | None, others: Mapping[type, PartMapping], rules: Rules) -> Cell:
    """What one payload says of one class; a flaw in it costs this cell only."""
    if found is None:
        return [] if part.many else None
    one, row = found
    if part.type is type(one):
        return one
    try:
        return others[part.type](row, one, rules)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        name = f"{part.type.__name__} of {rules.system} {row.get('id')}"
        return MappingError(f"{name} cannot be read: {type(error).__name__} {error}")
    except MappingError as error:
        return error


def paged(
    query: Query,
    parts: Sequence[Part],
    rows: Iterable[Row],
    head: Head,
    others: Mapping[type, PartMapping],
    rules: Rules,
    cursor: str | None,
) -> Page:
    """A page of payloads as the classes wanted."""
    found = [(one, row) for row in rows if (one := head(row)) is not None]
    bundle: Bundle = {
        part.type: [cell(part, pair, others, rules) for pair in found]
        for part in parts
        if part.type in query.wants
    }
    return Page([str(key_of(one)) for one, _ in found], bundle, cursor)
