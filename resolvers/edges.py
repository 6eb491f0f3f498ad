"""The words in which the graph is written down: edges, facts and functions.

An edge is data: from the rows of one class to the rows of another, by a key read off the row. The reference executor
resolves it through the loaders, the plan prices it, ``explain`` prints it. A fact is a pure function of the row and of
the answers of named edges. A function is for what data cannot say.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeAlias, TypeVar

from resolvers.loaders import Answer, Loading, older, stub
from schema.base import KEYS, join_key, key_reader, split_key
from sources.base import Stale


class Interface:
    """Marks a result whose class is only known at run time: any object with an id."""


AnyNode = Annotated[Any, Interface()]


@dataclass(frozen=True, slots=True)
class Edge:
    """A relation. ``key`` names the attributes of the row that make the target's key ``by``.

    - ``many``: a list of rows. ``match``: of the many rows of the key, those whose attribute (left) equals the row's
      (right); without ``many`` the first of them.
    - ``each``: an attribute holding several keys, or several last parts of a key that starts with ``key``.
    - ``stub``: where the owner does not answer, the target is shown by its key alone. ``required``: never null.
    - ``hidden``: only facts need it.
    """

    name: str
    target: type
    key: tuple[str, ...] = ()
    by: str = "id"
    many: bool = False
    match: Mapping[str, str] | None = None
    each: str | None = None
    stub: bool = False
    required: bool = False
    hidden: bool = False
    description: str | None = None

    @property
    def reads_many(self) -> bool:
        """Whether the read behind it brings lists."""
        return self.many or self.match is not None

    @property
    def shape(self) -> str:
        """The relation in words, for ``explain``."""
        return f"{self.target.__name__}{'*' if self.many or self.each else ''} by {self.by}"


@dataclass(frozen=True, slots=True)
class Fact:
    """A derived field: a pure function ``(row, *, <need>: Answer, …, now: datetime)``.

    A parameter ``now`` gets the moment at which facts are judged, ``arrived`` the one at which the request really came.
    """

    name: str
    compute: Callable[..., Any]
    needs: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def moments(self) -> tuple[str, ...]:
        """The moments that the function depends on."""
        parameters = inspect.signature(self.compute).parameters
        return tuple(name for name in ("now", "arrived") if name in parameters)


@dataclass(frozen=True, slots=True)
class Function:
    """A field whose loading data cannot describe: ``async (row, info, <arguments>)``; ``needs`` names the
    edges of the row that it follows, ``loads`` further classes it loads.
    """

    name: str
    resolve: Callable[..., Awaitable[Any]]
    needs: tuple[str, ...] = ()
    loads: tuple[tuple[type, str], ...] = ()


Field: TypeAlias = Edge | Fact | Function
Root = TypeVar("Root", bound=Callable[..., Any])


def steady(root: Root) -> Root:
    """Mark a root whose result follows from its arguments and from what it loads through its place's loaders alone.

    Where that is not so for some arguments, it says so by ``Loaders.unsteady``.
    """
    root.__dict__["steady"] = True
    return root


@dataclass(slots=True)
class Exposed:
    """A class in the graph, with everything attached to it."""

    cls: type
    fields: dict[str, Field]
    owners: tuple[str, ...] = ()
    """The edges that ``sources`` speaks of when nothing else is selected."""
    absent: dict[str, str] = field(default_factory=dict)
    """Fields that nothing can answer yet, each with the reason that ``sources`` gives."""
    interface: bool = False
    """Whether it is an interface, which the exposed classes derived from it satisfy."""


EXPOSED: dict[type, Exposed] = {}


def expose(
    cls: type,
    *fields: Field,
    owners: Sequence[str] = (),
    absent: Mapping[str, str] | None = None,
    interface: bool = False,
) -> None:
    """Put a class into the graph with its edges, facts and functions."""
    table = {attached.name: attached for attached in fields}
    for attached in fields:
        for need in attached.needs if isinstance(attached, Fact | Function) else ():
            if not isinstance(table.get(need), Edge):
                raise TypeError(f"{cls.__name__}.{attached.name} needs {need!r}, which is not an edge.")
    EXPOSED[cls] = Exposed(cls, table, tuple(owners), dict(absent or {}), interface)


_READERS: dict[tuple[str, ...], Callable[[Any], str | None]] = {}


def edge_reader(edge: Edge) -> Callable[[Any], str | None]:
    """How the key of the target is read off a row."""
    reader = _READERS.get(edge.key)
    if reader is None:
        reader = _READERS[edge.key] = key_reader(edge.key)
    return reader


def edge_key(edge: Edge, row: Any) -> str | None:
    """The key of the target, read off the row."""
    return edge_reader(edge)(row)


def edge_keys(edge: Edge, row: Any) -> list[str]:
    """The keys of the targets of an edge with ``each``."""
    values: tuple[str, ...] = getattr(row, edge.each or "")
    if not edge.key:
        return list(values)
    prefix = [getattr(row, name) for name in edge.key]
    return [join_key(*prefix, value) for value in values]


async def follow(edge: Edge, row: Any, loaders: Loading) -> Answer[Any]:
    """Load what an edge leads to: the answer with a row, a list of rows, or None and why."""
    if edge.each is not None:
        return await _follow_each(edge, row, loaders)
    key = edge_key(edge, row)
    if key is None:
        return Answer([] if edge.many else None)
    if not edge.reads_many:
        answer: Answer[Any] = await loaders.one(edge.target, key, edge.by)
        return stubbed(edge, key, answer) if edge.stub and answer.value is None else answer
    several: Answer[list[Any]] = await loaders.many(edge.target, key, edge.by)
    return several if edge.match is None else matching(edge, edge.match, row, several)


async def _follow_each(edge: Edge, row: Any, loaders: Loading) -> Answer[Any]:
    keys = edge_keys(edge, row)
    return from_several(edge, keys, await loaders.each(edge.target, keys, edge.by))


def from_several(edge: Edge, keys: Sequence[str], answers: Sequence[Answer[Any]]) -> Answer[Any]:
    """The one answer of an edge with ``each`` from those of its keys."""
    rows, systems, failures = [], {}, {}
    stale: dict[str, Stale] = {}
    for key, found in zip(keys, answers, strict=True):
        answer = stubbed(edge, key, found) if edge.stub and found.value is None else found
        if answer.value is not None:
            rows.append(answer.value)
        systems.update(dict.fromkeys(answer.systems))
        failures.update(dict(answer.failures))
        for system, old in answer.stale:
            stale[system] = older(stale.get(system), old)
    return Answer(rows, tuple(systems), tuple(failures.items()), tuple(stale.items()))


def stubbed(edge: Edge, key: str, answer: Answer[Any]) -> Answer[Any]:
    """The answer with the target known by its key alone."""
    row: Any = stub(edge.target, dict(zip(KEYS[edge.target]["id"], split_key(key), strict=True)))
    return Answer(row, answer.systems, answer.failures, answer.stale)


def matching(edge: Edge, match: Mapping[str, str], row: Any, answer: Answer[list[Any]]) -> Answer[Any]:
    """The answer with those of the many rows that match the row."""
    if answer.value is None:
        return Answer(None, answer.systems, answer.failures, answer.stale)
    wanted = [(theirs, getattr(row, ours)) for theirs, ours in match.items()]
    rows = [found for found in answer.value if all(getattr(found, name) == value for name, value in wanted)]
    value = rows if edge.many else (rows[0] if rows else None)
    return Answer(value, answer.systems, answer.failures, answer.stale)
