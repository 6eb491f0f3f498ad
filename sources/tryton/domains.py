"""Tryton domains: the conditions of a search, from canonical keys, filters and the actor's row filter. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from schema.base import split_key
from schema.production import OrderStatus
from sources.base import Filter, Scope
from sources.tryton.mapping import ORDER_STATUS

Domain: TypeAlias = list[Any]

NOTHING: Domain = [["id", "=", -1]]
"""A domain that no record is in."""


def pair(key: str) -> tuple[str, str]:
    """The two parts of a key; a key of another shape finds nothing."""
    parts = split_key(key)
    return (parts[0], parts[1]) if len(parts) == 2 else ("", "")


def among(field: str, values: Iterable[Any]) -> Domain:
    """Records whose field is one of the values."""
    found = [*values]
    return [[field, "in", found]] if found else NOTHING


def pairs(first: str, second: str, keys: Iterable[tuple[str, str]]) -> Domain:
    """Records with one of the pairs; grouped by the first part, so that many keys stay one short condition."""
    groups: dict[str, list[str]] = {}
    for one, two in keys:
        groups.setdefault(one, []).append(two)
    if not groups:
        return NOTHING
    return [["OR", *[[[first, "=", one], [second, "in", twos]] for one, twos in groups.items()]]]


def within(
    scope: Scope, codes: Mapping[str, str], plant: str | None = None, party: str | None = None
) -> Domain:
    """The actor's row filter, in the fields that hold plant and party."""
    found: Domain = []
    if scope.plants is not None and plant is not None:
        found.append([plant, "in", sorted(codes.get(code, code) for code in scope.plants)])
    if scope.parties is not None and party is not None:
        found.append([party, "in", sorted(scope.parties)])
    return found


def wire(value: date | datetime) -> dict[str, Any]:
    """A day or a time as Tryton's JSON has it."""
    found = {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    if isinstance(value, datetime):
        found |= {
            "__class__": "datetime",
            "hour": value.hour,
            "minute": value.minute,
            "second": value.second,
            "microsecond": value.microsecond,
        }
    return found


def day_from(moment: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """The first day of Tryton that begins at or after a time."""
    local = moment.astimezone(zone)
    return wire(local.date() + timedelta(days=local.time() > time()))


def changed_since(filters: Mapping[str, Filter]) -> Domain:
    """Records written, or made and never written since, at or after a time."""
    since = filters.get("changed_since")
    if not isinstance(since, datetime):
        return []
    at = wire(since.astimezone(UTC))
    return [["OR", ["write_date", ">=", at], [["write_date", "=", None], ["create_date", ">=", at]]]]


def chosen(filters: Mapping[str, Filter], name: str, field: str) -> Domain:
    """Records with one of the values that a filter names."""
    values = filters.get(name)
    return [] if values is None else among(field, values if isinstance(values, tuple) else [values])


def holding(filters: Mapping[str, Filter], field: str) -> Domain:
    """Records whose field holds the text searched for, whatever its case."""
    text = filters.get("search")
    if not isinstance(text, str):
        return []
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return [[field, "ilike", f"%{escaped}%"]]


def plants(filters: Mapping[str, Filter], codes: Mapping[str, str]) -> Domain:
    """Records of the warehouses of the plants that a filter names."""
    named = filters.get("plants")
    if named is None:
        return []
    values = named if isinstance(named, tuple) else (str(named),)
    return among("warehouse.code", [codes.get(plant, plant) for plant in values])


def orders(filters: Mapping[str, Filter], codes: Mapping[str, str], zone: ZoneInfo) -> Domain:
    """Productions that can be named and pass the filters."""
    found: Domain = [["number", "!=", None], ["warehouse.code", "!=", None], ["product.code", "!=", None]]
    found += [*plants(filters, codes), *chosen(filters, "items", "product.code")]
    found += [*holding(filters, "number"), *changed_since(filters)]
    wanted = filters.get("statuses")
    if wanted is not None:
        states = [state for state, status in ORDER_STATUS.items() if status in wanted_of(wanted)]
        found += among("state", states)
    return [*found, *between(filters, "due", "planned_date", zone)]


def between(filters: Mapping[str, Filter], name: str, field: str, zone: ZoneInfo) -> Domain:
    """Records whose day begins in a window: from its start, before its end."""
    bounds = ((f"{name}_from", ">="), (f"{name}_to", "<"))
    return [
        [field, operator, day_from(bound, zone)]
        for bounded, operator in bounds
        if isinstance(bound := filters.get(bounded), datetime)
    ]


def movements(filters: Mapping[str, Filter], zone: ZoneInfo) -> Domain:
    """Done moves of products that can be named, into or out of a warehouse's own places."""
    found: Domain = [["state", "=", "done"], ["product.code", "!=", None], ["effective_date", "!=", None]]
    found += [*chosen(filters, "items", "product.code"), *between(filters, "window", "effective_date", zone)]
    stored = [["from_location.type", "=", "storage"], ["to_location.type", "=", "storage"]]
    return [*found, ["OR", *stored]]


def wanted_of(values: Filter) -> frozenset[OrderStatus]:
    """Statuses by their names; names nobody knows choose nothing."""
    names = values if isinstance(values, tuple) else (str(values),)
    return frozenset(OrderStatus(name) for name in names if name in OrderStatus.__members__)


def lots(filters: Mapping[str, Filter]) -> Domain:
    """Lots of products that can be named, and that pass the filters."""
    return [
        ["product.code", "!=", None],
        *chosen(filters, "items", "product.code"),
        *holding(filters, "number"),
        *changed_since(filters),
    ]
