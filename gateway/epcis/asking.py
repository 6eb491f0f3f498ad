"""What ``GET /epcis/events`` is asked for: the parameters of the standard's simple event query that can be met here.

A list is written with commas, or as the parameter several times. A parameter that is not known is refused, as the
standard wants: an answer that left it out would hold what nobody asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.epcis.events import EVENT_TYPE, event_id
from gateway.epcis.identifiers import same_form
from gateway.epcis.vocabulary import OBSERVE, is_told, said_by
from schema.events import Event

USUAL_PAGE, MOST_PAGE = 30, 100
MOST_VALUES = 100
TRANSACTION = "EQ_bizTransaction_"
CBV = "https://ref.gs1.org/cbv/"
_PREFIXES = (f"{CBV}BizStep-", f"{CBV}Disp-", "urn:epcglobal:cbv:bizstep:", "urn:epcglobal:cbv:disp:")
TIMES = ("GE_eventTime", "LT_eventTime", "GE_recordTime", "LT_recordTime")
CHOICES: Mapping[str, Callable[[Event], str | None]] = {
    "eventType": lambda event: EVENT_TYPE,
    "EQ_action": lambda event: OBSERVE,
    "EQ_bizStep": lambda event: said_by(event).step,
    "EQ_disposition": lambda event: said_by(event).disposition,
    "EQ_eventID": event_id,
}
"""What can be decided by the event alone."""
OBJECTS: Mapping[str, tuple[str, ...]] = {
    "MATCH_epc": ("epcList",),
    "MATCH_anyEPC": ("epcList",),
    "MATCH_epcClass": ("quantityList",),
    "MATCH_anyEPCClass": ("quantityList",),
}
"""What is decided by the objects of the event, which are its shipment's."""
PLACES = {"EQ_readPoint": "readPoint", "EQ_bizLocation": "bizLocation"}
KNOWN = (*TIMES, *CHOICES, *OBJECTS, *PLACES, f"{TRANSACTION}<type>", "perPage", "nextPageToken")


class QueryRefused(Exception):
    """The query cannot be answered; ``kind`` is the standard's name for why, ``hint`` says how to mend it."""

    kind = "QueryParameterException"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class QueryParameter(QueryRefused):
    """A parameter that is not known, or whose value cannot be read."""


class QueryValidation(QueryRefused):
    """Parameters that contradict each other or the standard."""

    kind = "QueryValidationException"


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What is asked for. ``token`` is where to go on."""

    choices: Mapping[str, frozenset[str]] = field(default_factory=dict)
    times: Mapping[str, datetime] = field(default_factory=dict)
    objects: Mapping[str, frozenset[str]] = field(default_factory=dict)
    transactions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    per_page: int = USUAL_PAGE
    token: str | None = None

    def may_hold(self, event: Event) -> bool:
        """Whether an event may be asked for, as far as it says itself."""
        if not is_told(event):
            return False
        instants = {"eventTime": event.occurred_at, "recordTime": event.received_at}
        for name, bound in self.times.items():
            how, _, which = name.partition("_")
            if (instants[which] >= bound) is not (how == "GE"):
                return False
        return all(CHOICES[name](event) in values for name, values in self.choices.items())

    def is_over(self, received_at: datetime) -> bool:
        """Whether nothing that was received from an instant on can be asked for."""
        end = self.times.get("LT_recordTime")
        return end is not None and received_at >= end

    def holds(self, found: Mapping[str, Any]) -> bool:
        """Whether an event that may be is asked for, by the rest of what it says."""
        for name, values in self.objects.items():
            if not values & _told(found, name):
                return False
        listed = found.get("bizTransactionList", ())
        return all(
            any(one["type"] == kind and one["bizTransaction"] in values for one in listed)
            for kind, values in self.transactions.items()
        )


def read_query(given: Sequence[tuple[str, str]]) -> EventQuery:
    """The query of an address. Raises QueryParameter and QueryValidation."""
    asked: dict[str, list[str]] = {}
    for name, text in given:
        asked.setdefault(name, []).append(text)
    choices: dict[str, frozenset[str]] = {}
    objects: dict[str, frozenset[str]] = {}
    transactions: dict[str, frozenset[str]] = {}
    times: dict[str, datetime] = {}
    per_page, token = USUAL_PAGE, None
    for name, texts in asked.items():
        if name in TIMES:
            times[name] = _instant(name, _one(name, texts))
        elif name in CHOICES:
            choices[name] = frozenset(_word(value) for value in _values(name, texts))
        elif name in OBJECTS or name in PLACES:
            objects[name] = frozenset(same_form(_exact(name, value)) for value in _values(name, texts))
        elif name.startswith(TRANSACTION) and len(name) > len(TRANSACTION):
            transactions[name.removeprefix(TRANSACTION)] = frozenset(_values(name, texts))
        elif name == "perPage":
            per_page = _page(_one(name, texts))
        elif name == "nextPageToken":
            token = _one(name, texts)
        else:
            hint = f"Known are {', '.join(KNOWN)}."
            raise QueryParameter(f"{name[:60]!r} is no parameter that is known here.", hint=hint)
    _in_order(times)
    return EventQuery(choices, times, objects, transactions, per_page, token)


def _told(found: Mapping[str, Any], name: str) -> set[str]:
    if name in PLACES:
        place = found.get(PLACES[name])
        return set() if place is None else {place["id"]}
    values = [one for list_name in OBJECTS[name] for one in found.get(list_name, ())]
    return {one if isinstance(one, str) else one["epcClass"] for one in values}


def _in_order(times: Mapping[str, datetime]) -> None:
    for which in ("eventTime", "recordTime"):
        begin, end = times.get(f"GE_{which}"), times.get(f"LT_{which}")
        if begin is not None and end is not None and begin >= end:
            raise QueryValidation(f"GE_{which} is not before LT_{which}: nothing can be asked for so.")


def _one(name: str, texts: Sequence[str]) -> str:
    if len(texts) != 1:
        raise QueryValidation(f"{name} is given {len(texts)} times.", hint="Give it once.")
    return texts[0]


def _values(name: str, texts: Sequence[str]) -> list[str]:
    found = [value.strip() for text in texts for value in text.split(",")]
    if not all(found):
        raise QueryParameter(f"{name} has an empty value.", hint="Leave the parameter out, or name values.")
    if len(found) > MOST_VALUES:
        raise QueryParameter(f"{name} has {len(found)} values.", hint=f"At most {MOST_VALUES}.")
    return found


def _word(value: str) -> str:
    """A word of the CBV, whether as such or as a URI."""
    for prefix in _PREFIXES:
        if value.startswith(prefix):
            return value.removeprefix(prefix)
    return value


def _exact(name: str, value: str) -> str:
    if value.startswith("urn:epc:idpat:") or value.endswith("*"):
        raise QueryParameter(f"{name}: patterns are not matched here.", hint="Name each identifier.")
    return value


def _instant(name: str, text: str) -> datetime:
    # In an address + stands for a blank, and offsets are often written with it.
    try:
        found = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        hint = "Write 2026-11-24T09:00:00Z, or with an offset."
        raise QueryParameter(f"{name}: {text[:40]!r} is no instant.", hint=hint)
    return found


def _page(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:6]) > 0):
        raise QueryParameter(f"perPage: {text[:20]!r} is no number from 1 on.")
    return min(int(text[:6]), MOST_PAGE)
