"""Keys of one system into ours and back, and the rows that hold them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.crosswalk.table import Side
from schema.base import KeyMatch, MatchRule, join_key, split_key
from schema.errors import SourceError, SourceRefused
from schema.matching import Reason, Unmatched
from sources.base import Report, Source
from sources.references import Reference, references, within
from sources.spelling import KeySpelling

_EMPTY = Side()


@dataclass(slots=True)
class Found:
    """What became of one key of the system: ours, and how it was matched where that is worth saying."""

    key: str
    rule: MatchRule | None = None
    confirmed: bool = True


class Translation:
    """The words of one system at one moment: its entries, and its spelling where the adapter does not spell itself."""

    def __init__(self, source: Source, side: Side | None, report: Report) -> None:
        self._source, self._side, self._report = source, side or _EMPTY, report
        self._spellings: dict[type, KeySpelling | None] = {}

    def outward(self, kind: type, key: str) -> str | None:
        """The system's key for ours, in our way of writing; None where the system's key of that look is another thing's.

        The whole key's entry wins, then entries of the keys inside it, then the spelling.
        """
        entry = self._side.of_ours(kind.__name__, key)
        if entry is not None:
            return entry.theirs
        theirs: str | None = key
        for inner, positions in within(kind):
            theirs = None if theirs is None else self._inner_out(theirs, inner, positions)
        if theirs is None:
            return None
        spelling = self._spelling(kind)
        looks = theirs if spelling is None else spelling.echo(theirs)
        if self._side.of_theirs(kind.__name__, looks) is not None:
            return None
        return join_key(*spelling.theirs(theirs)) if spelling is not None and self._speaks(kind) else theirs

    def inward(self, kind: type, theirs: str) -> str | None:
        """Our key for the system's; None where it looks like a key of ours that the system calls differently."""
        found = self._found(kind, theirs)
        return None if found.rule is MatchRule.HEURISTIC and not found.confirmed else found.key

    def clash(self, kind: type | None, theirs: str, keys: Sequence[str]) -> SourceError:
        """Several keys of ours are one key of the system: none of them gets its rows."""
        name = "" if kind is None else kind.__name__
        raw = split_key(theirs)[-1]
        self._report(Unmatched(self._source.code, name, raw, theirs, Reason.TRUNCATED, tuple(keys)))
        return SourceRefused(f"{self._source.code} cannot tell these keys apart")

    def row(self, row: Any, kind: type | None, theirs: str, ours: str | None) -> Any:
        """A row with our keys in it. ``kind``, ``theirs`` and ``ours`` are the key it was asked by."""
        changes: dict[str, Any] = {}
        matches: list[KeyMatch] = []
        settled: set[str] = set()
        cls: type = type(row)
        for reference in references(cls):
            if not settled.isdisjoint(reference.attributes[-1:]) or not self._concerns(reference.kind):
                continue
            values = _values(row, reference)
            if not values:
                continue
            found = [self._one(reference.kind, value, kind, theirs, ours) for value in values]
            if all(one.rule is None for one in found):
                continue
            matches += [
                self._match(reference.kind, one, value) for one, value in zip(found, values, strict=True)
            ]
            if [one.key for one in found] != values:
                changed = _changes(row, reference, [one.key for one in found])
                changes |= changed
                settled.update(changed)
        return _changed(row, changes, matches)

    def _one(self, kind: type, value: str, asked: type | None, theirs: str, ours: str | None) -> Found:
        spelling = self._spelling(kind) if self._speaks(kind) else None
        if kind is not asked or ours is None or self._side.of_theirs(kind.__name__, value) is not None:
            return self._found(kind, value)
        if (
            spelling is not None
            and spelling.loses(ours)
            and spelling.ours(split_key(value)) == spelling.echo(ours)
        ):
            return Found(ours, MatchRule.HEURISTIC, False)
        return self._found(kind, value)

    def _found(self, kind: type, value: str) -> Found:
        name = kind.__name__
        spelling = self._spelling(kind) if self._speaks(kind) else None
        plain = value if spelling is None else spelling.ours(split_key(value))
        entry = self._side.of_theirs(name, plain)
        if entry is not None:
            return Found(entry.ours, MatchRule.XREF_TABLE, entry.confirmed)
        ours, confirmed = plain, True
        rule = None if plain == value else MatchRule.NORMALISED_KEY
        for inner, positions in within(kind):
            parts = split_key(ours)
            at = self._side.of_theirs(inner.__name__, _part(parts, positions))
            if at is not None:
                ours, rule = _with(parts, positions, at.ours), MatchRule.XREF_TABLE
                confirmed = confirmed and at.confirmed
        taken = self._side.of_ours(name, ours)
        if taken is not None:
            # The table says that the system has another key for this one of ours: these rows are something else's.
            self._report(
                Unmatched(self._source.code, name, split_key(value)[-1], plain, Reason.TAKEN, (ours,))
            )
            return Found(ours, MatchRule.HEURISTIC, False)
        return Found(ours, rule, confirmed)

    def _inner_out(self, key: str, inner: type, positions: tuple[int, ...]) -> str | None:
        parts = split_key(key)
        part = _part(parts, positions)
        entry = self._side.of_ours(inner.__name__, part)
        if entry is not None:
            return _with(parts, positions, entry.theirs)
        return None if self._side.of_theirs(inner.__name__, part) is not None else key

    def _match(self, kind: type, found: Found, value: str) -> KeyMatch:
        rule = found.rule or MatchRule.GLOBAL_ID
        raw = split_key(value)[-1]
        return KeyMatch(self._source.code, kind.__name__, found.key, raw, rule, found.confirmed)

    def _concerns(self, kind: type) -> bool:
        """Whether there is anything to say about keys of a kind."""
        theirs = self._side.theirs
        return (
            kind.__name__ in theirs
            or any(inner.__name__ in theirs for inner, _ in within(kind))
            or (self._speaks(kind) and self._spelling(kind) is not None)
        )

    def _speaks(self, kind: type) -> bool:
        """Whether spelling is done here for the adapter."""
        return not self._source.spells and kind.__name__ in self._source.config.keys

    def _spelling(self, kind: type) -> KeySpelling | None:
        if kind not in self._spellings:
            self._spellings[kind] = self._source.spelling(kind.__name__)
        return self._spellings[kind]


def _values(row: Any, reference: Reference) -> list[str]:
    """The keys that a row holds under a reference; none where a part is missing."""
    if reference.whole:
        held = getattr(row, reference.attributes[0])
        return [held] if isinstance(held, str) else list(held or ())
    parts = [getattr(row, name) for name in reference.attributes]
    if reference.many:
        return [] if None in parts else [join_key(*parts[:-1], last) for last in parts[-1]]
    return [] if None in parts else [join_key(*parts)]


def _changes(row: Any, reference: Reference, keys: Sequence[str]) -> dict[str, Any]:
    """The attributes as they are with these keys; none where one row cannot hold them all."""
    if reference.whole:
        name = reference.attributes[0]
        return {name: keys[0] if isinstance(getattr(row, name), str) else tuple(keys)}
    parts = [split_key(key) for key in keys]
    if not reference.many:
        return dict(zip(reference.attributes, parts[0], strict=True))
    if len({key[:-1] for key in parts}) > 1:
        return {}
    heads = zip(reference.attributes[:-1], parts[0][:-1], strict=True)
    return {**dict(heads), reference.attributes[-1]: tuple([key[-1] for key in parts])}


def _changed(row: Any, changes: dict[str, Any], matches: Sequence[KeyMatch]) -> Any:
    """A copy of the row; rows are shared and never changed in place."""
    known = getattr(row, "provenance", None)
    if matches and known is not None:
        changes["provenance"] = replace(known, matches=(*known.matches, *matches))
    return replace(row, **changes) if changes else row


def _part(parts: Sequence[str], positions: tuple[int, ...]) -> str:
    """The key at some places of another; what is too short to have one has an empty one."""
    return join_key(*[parts[i] for i in positions]) if len(parts) > positions[-1] else ""


def _with(parts: Sequence[str], positions: tuple[int, ...], key: str) -> str:
    """A key with some of its parts replaced by those of another."""
    new = list(parts)
    for position, part in zip(positions, split_key(key), strict=True):
        new[position] = part
    return join_key(*new)
