"""Finding single rows for the roots: by canonical key, or by the key of one system."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any, TypeVar, cast

from strawberry.types import Info

from resolvers.context import Context
from resolvers.freshness import Loads, at, unless_withheld
from resolvers.inputs import ExternalKeyInput
from resolvers.loaders import Answer
from resolvers.sourcing import failure
from schema.base import KEYS, KeyMatch, MatchRule, Plant, is_scoped, split_key
from schema.commerce import Party, PurchaseOrder, SalesOrder
from schema.errors import FreshnessNotMet, RequestError
from schema.integration import IntegrationTransaction
from schema.logistics import Shipment
from schema.matching import Matching
from schema.material import Item, Lot
from schema.production import ProductionOrder
from schema.quality import QualityHold, QualityInspection

T = TypeVar("T")

KINDS: dict[str, type] = {
    "productionorder": ProductionOrder,
    "manufacturingorder": ProductionOrder,
    "workorder": ProductionOrder,
    "item": Item,
    "material": Item,
    "product": Item,
    "lot": Lot,
    "batch": Lot,
    "shipment": Shipment,
    "deliverydocument": Shipment,
    "salesorder": SalesOrder,
    "purchaseorder": PurchaseOrder,
    "party": Party,
    "qualityhold": QualityHold,
    "inspection": QualityInspection,
}
"""What a key may be of, in the words of the model and of common systems."""


async def found(info: Info, cls: type[T], key: str) -> T | None:
    """The row of a canonical key; None where no system knows it or none could be asked (see the extensions)."""
    if cls is IntegrationTransaction:
        return cast("T | None", await _kept(info, key))
    answer: Answer[T] = await at(info).one(cls, key)
    missed(info, cls, answer)
    return answer.value


async def found_set(info: Info, wanted: Mapping[int, tuple[type, str]]) -> dict[int, Any]:
    """The rows of several ids by their place in the list, in order; one batch a class.

    Where a row was withheld for its age its place holds the error, which the graph puts at the place's path.
    """
    loads = at(info)
    by_class: dict[type, dict[str, None]] = {}
    kept = {n: await _kept(info, key) for n, (cls, key) in wanted.items() if cls is IntegrationTransaction}
    for cls, key in [place for number, place in wanted.items() if number not in kept]:
        by_class.setdefault(cls, {})[key] = None
    answers: dict[tuple[type, str], Answer[Any]] = {}
    for cls, keys in by_class.items():
        several: list[Answer[Any]] = await loads.loaders.each(cls, keys)
        for key, answer in zip(keys, several, strict=True):
            missed(info, cls, answer)
            answers[cls, key] = answer
    return {
        number: kept[number] if number in kept else _placed(loads, answers[place], number)
        for number, place in wanted.items()
    }


async def _kept(info: Info, key: str) -> IntegrationTransaction | None:
    """A write that the gateway keeps; how it stands is only true now."""
    ctx: Context = info.context
    at(info).loaders.unsteady()
    ctx.bounds.collects, ctx.momentary = False, True
    found: IntegrationTransaction | None = None
    if ctx.writes is not None:
        found = await ctx.writes.transaction(key)
    return found


def _placed(loads: Loads, answer: Answer[Any], number: int) -> Any:
    """The row for a place in a list, or the error that says why its age forbids to give it."""
    try:
        return unless_withheld(loads.info, loads.heard(answer, number).value, number)
    except FreshnessNotMet as error:
        return error


async def resolved(info: Info, key: ExternalKeyInput, wanted: type | None = None) -> Any:
    """The row that a system knows by a key of its own; None where it does not know it. ``wanted`` is the class it
    must be of, where only one will do.
    """
    ctx: Context = info.context
    known = [one.code for one in ctx.systems.all_systems()]
    if key.system not in known:
        raise RequestError(
            f"key.system: no system {key.system[:40]!r}.", hint=f"Connected systems: {', '.join(known)}."
        )
    cls = KINDS.get(key.kind.replace("_", "").lower())
    if cls is not None and wanted is not None and cls is not wanted:
        raise RequestError(
            f"key.kind: {key.kind[:40]!r} is not a {wanted.__name__}.", hint=f"Say {wanted.__name__}."
        )
    if cls is None:
        raise RequestError(
            f"key.kind: {key.kind[:40]!r} is not known.", hint=f"One of {', '.join(sorted(KINDS))}."
        )
    # What a system's key means may change without a word about what it meant: such an answer is not given again.
    ctx.bounds.collects = False
    at(info).loaders.unsteady()
    matching = cast("Matching", ctx.systems)
    tried = _parts(cls, key, ctx.systems.serving(key.system))
    found = [match for parts in tried if (match := matching.match(key.system, cls, parts)) is not None]
    listed = [match for match in found if match.matched_by is MatchRule.XREF_TABLE]
    matches = {match.key: match for match in listed or found}
    answers: list[Answer[Any]] = await at(info).each(cls, list(matches))
    for answer, match in zip(answers, matches.values(), strict=True):
        if answer.value is not None:
            return _marked(answer.value, KeyMatch(key.system, cls.__name__, *astuple(match)))
    for answer in answers:
        missed(info, cls, answer)
    place = (key.system, cls, tried[0])
    if matches and all(answer.known for answer in answers) and place not in ctx.memo:
        ctx.memo[place] = True  # Once an operation, be it executed anew.
        matching.unmatched(*place)
    return None


def _parts(cls: type, key: ExternalKeyInput, plants: Sequence[str]) -> list[tuple[str, ...]]:
    """The parts that a key may have: as given, or behind each plant that the system serves."""
    names = KEYS[cls]["id"]
    if is_scoped(cls, "id") and len(names) == 2:
        return [(plant, key.key) for plant in plants]
    parts = (key.key,) if len(names) == 1 else split_key(key.key)
    if len(parts) != len(names):
        raise RequestError(
            f"key.kind: {key.kind[:40]!r} has no single key.",
            hint=f"Write {'/'.join(names)} as the system spells them, or use its own root.",
        )
    return [parts]


def _marked(row: Any, match: KeyMatch) -> Any:
    """The row, saying how it was matched where its own keys do not."""
    known = row.provenance
    if match.matched_by not in (MatchRule.XREF_TABLE, MatchRule.HEURISTIC) or known is None:
        return row
    return replace(row, provenance=replace(known, matches=(match, *known.matches)))


def missed(info: Info, cls: type, answer: Answer[Any]) -> None:
    """Note at a root that an owner could not be asked: the field is null, the extensions say why."""
    ctx: Context = info.context
    if answer.known or cls is Plant:
        return
    for system, error in answer.failures:
        ctx.missed.append((info.field_name, failure(ctx, system, info.field_name, error)))
