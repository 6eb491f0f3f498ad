"""What every part of the graph shares: systems, provenance, quantities, keys."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from resolvers.edges import Edge, Fact, expose
from schema.base import (
    ExternalKey,
    MatchRule,
    Plant,
    Provenance,
    Quantity,
    ReadMode,
    SourceStatus,
    SourceSystem,
    split_key,
)

SYSTEM = Edge("system", SourceSystem, ("system",), required=True)


def value(quantity: Quantity) -> Decimal:
    """The amount in ``unit``."""
    return quantity.value


def age_seconds(provenance: Provenance, arrived: datetime) -> int:
    """How old the values were when the request arrived, in seconds; 0 where they were read for it."""
    return max(0, int((arrived - provenance.fetched_at).total_seconds()))


def mode(provenance: Provenance, arrived: datetime) -> ReadMode:
    """LIVE when the values were fetched for this very answer."""
    return ReadMode.LIVE if provenance.fetched_at >= arrived else ReadMode.CACHE


def stale(provenance: Provenance) -> bool:
    """Whether the values are older than they should be: than the request allows, or else the system's policy."""
    return provenance.stale_reason is not None


def confirmed(provenance: Provenance) -> bool:
    """Whether the values are of this object beyond doubt: a system that cuts keys may have meant another."""
    return all(match.confirmed for match in provenance.matches)


def keys_of(kind: str, key: str, rows: Iterable[Any]) -> list[ExternalKey]:
    """The keys under which the systems know an object, read off the rows they sent.

    How a key was matched stands in the row where the crosswalk or a cut had a part in it. Without that, a key that is
    shorter than ours was cut by its system: it may mean another object, so it is not confirmed.
    """
    found: dict[str, ExternalKey] = {}
    for row in rows:
        provenance: Provenance | None = getattr(row, "provenance", None)
        if provenance is None:
            continue
        for match in provenance.matches:
            if match.kind == kind and split_key(match.key)[-1] == key:
                found.setdefault(
                    match.system,
                    ExternalKey(match.system, kind, key, match.raw, match.matched_by, match.confirmed),
                )
        raw = provenance.source_key
        if raw is None or provenance.system in found:
            continue
        rule = MatchRule.GLOBAL_ID if raw == key else MatchRule.NORMALISED_KEY
        whole = len(raw.strip()) >= len(key)
        found[provenance.system] = ExternalKey(
            provenance.system, kind, key, raw, rule if whole else MatchRule.HEURISTIC, whole
        )
    return list(found.values())


def install() -> None:
    """Put the shared classes into the graph."""
    expose(SourceSystem)
    expose(Plant)
    expose(SourceStatus, SYSTEM)
    expose(ExternalKey, SYSTEM)
    expose(Quantity, Fact("value", value))
    expose(
        Provenance,
        SYSTEM,
        Fact("age_seconds", age_seconds),
        Fact("mode", mode),
        Fact("stale", stale),
        Fact("confirmed", confirmed),
    )
