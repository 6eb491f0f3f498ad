"""``sources``: who was asked for what stands beside it, and who could not answer, why and since when."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from strawberry.types import Info

from resolvers.context import Context
from resolvers.eager import together
from resolvers.edges import EXPOSED, Edge, Fact, Function, follow
from resolvers.freshness import loaders_at, trails_of
from resolvers.loaders import Answer, Loaders
from resolvers.trail import camel
from schema.base import SourceOutcome, SourceStatus
from schema.errors import FreshnessNotMet, SourceError
from sources.base import Stale

GOOD = (SourceOutcome.OK, SourceOutcome.NOT_FOUND)


async def sources(row: Any, info: Info) -> list[SourceStatus]:
    """How the systems answered for the groups selected beside this field; for the owner groups where none is."""
    ctx: Context = info.context
    exposed = EXPOSED[type(row)]
    selected = trails_of(ctx, info._raw_info).beside(info._raw_info.path)
    names = list(dict.fromkeys(name for _, name in selected))
    needed = needed_edges(type(row), names) or {name: [name] for name in exposed.owners}
    asked = [
        (edge, loaders)
        for edge in [exposed.fields[name] for name in needed]
        if isinstance(edge, Edge)
        for loaders in _loaders(info, [key for key, name in selected if name in needed[edge.name]])
    ]
    answers = await together([follow(edge, row, loaders) for edge, loaders in asked])
    found: dict[tuple[str, str], SourceStatus] = {}
    for (edge, _), answer in zip(asked, answers, strict=True):
        for status in statuses(ctx, edge.name, answer, needed[edge.name]):
            place = (status.system, status.group)
            found[place] = worse(found.get(place), status)
    found.update(_later(exposed.cls, names))
    return list(found.values())


def _loaders(info: Info, keys: Iterable[str]) -> list[Loaders]:
    """The loaders that the fields beside this one use, each once: what they got is what is reported."""
    found = {id(loaders): loaders for loaders in [loaders_at(info, key) for key in keys]}
    return list(found.values()) or [loaders_at(info)]


def statuses(
    ctx: Context, group: str, answer: Answer[Any], fields: Sequence[str] | None = None
) -> list[SourceStatus]:
    """What an answer says about the systems behind it; ``fields`` are those it costs (the group's own)."""
    affected = tuple([camel(field) for field in fields or (group,)])
    failed, stale = dict(answer.failures), dict(answer.stale)
    found = []
    for system in (*answer.systems, *[code for code in failed if code not in answer.systems]):
        if system in failed:
            found.append(failure(ctx, system, camel(group), failed[system], affected))
        elif system in stale:
            found.append(aged(ctx, system, camel(group), stale[system]))
        elif answer.value is None:
            found.append(
                SourceStatus(system, camel(group), SourceOutcome.NOT_FOUND, "The system does not know it.")
            )
        else:
            found.append(SourceStatus(system, camel(group), SourceOutcome.OK))
    return found


def failure(
    ctx: Context, system: str, group: str, error: SourceError, fields: tuple[str, ...] = ()
) -> SourceStatus:
    """The status of a system that failed, or whose value was withheld for its age."""
    ctx.flawed = True
    read_at = error.read_at if isinstance(error, FreshnessNotMet) else None
    good = ctx.systems.last_good_at(system) if read_at is None else _moment(read_at)
    return SourceStatus(system, group, error.outcome, str(error), _wait(error.retry_after), fields, good)


def aged(ctx: Context, system: str, group: str, stale: Stale) -> SourceStatus:
    """The status of a system whose value is here but older than it should be: no field is affected."""
    ctx.flawed = True
    good, wait = _moment(stale.read_at), _wait(stale.retry_after)
    return SourceStatus(system, group, SourceOutcome.STALE, stale.message, wait, (), good)


def lacking(status: SourceStatus) -> bool:
    """Whether something is missing for it (and not only old)."""
    served = status.outcome is SourceOutcome.STALE and not status.affected_fields
    return status.outcome not in GOOD and not served


def worse(one: SourceStatus | None, other: SourceStatus) -> SourceStatus:
    """The graver of two statuses, the first of equals: nothing is graver than something missing, then what is old."""
    grave = [
        0 if status is None else 1 + (status.outcome not in GOOD) + lacking(status) for status in (one, other)
    ]
    return other if one is None or grave[1] > grave[0] else one


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _wait(seconds: float | None) -> int | None:
    """Whole seconds, rounded up."""
    return None if seconds is None else int(seconds + 0.999)


def needed_edges(cls: type, names: Iterable[str]) -> dict[str, list[str]]:
    """The edges behind some fields of a class, each with the fields that want it."""
    table = EXPOSED[cls].fields
    needed: dict[str, list[str]] = {}
    for name in names:
        attached = table.get(name)
        if isinstance(attached, Edge):
            needed.setdefault(name, []).append(name)
        elif isinstance(attached, Fact | Function):
            for need in attached.needs:
                needed.setdefault(need, []).append(name)
    return needed


def _later(cls: type, names: Sequence[str]) -> dict[tuple[str, str], SourceStatus]:
    exposed = EXPOSED[cls]
    return {
        ("GATEWAY", camel(name)): SourceStatus(
            "GATEWAY", camel(name), SourceOutcome.NOT_MAPPED, exposed.absent[name], None, (camel(name),)
        )
        for name in names
        if name in exposed.absent
    }
