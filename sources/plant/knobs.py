"""What can be made to go wrong in a simulated system, changeable while it runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

OUTAGES = ("", "503", "drop", "hang")
WRITE_TROUBLES = ("", "429", "500", "500_after", "hang", "hang_after", "reset", "reset_after", "refuse")


class KnobError(ValueError):
    """A knob that does not exist, or a value it cannot take; the message names both and the mend."""


@dataclass(slots=True)
class Knobs:
    """The troubles of one system; everything off is a healthy system.

    `latency_ms` waits before answering; `outage` is "503" (vendor body), "drop" (headers, then the connection
    closes) or "hang" (no answer until the caller leaves); `throttle` answers 429 with that many seconds of
    Retry-After, to every `throttle_every`-th request; `garbage` answers 200 with broken JSON; `slow_body`
    spreads the body over that many milliseconds; `half_closed` closes after half the body; `error_500`
    answers with the vendor's internal error.

    `write_trouble` is what becomes of a write: 429 or 500, no answer ("hang"), a closed connection ("reset"), each before
    it is carried out, or after where the word says so; "refuse" is the vendor's own refusal with status 200.

    Of the messages it sends: `tell_twice` sends every one twice, `tell_shuffled` so many at a time in another order,
    `tell_nothing` keeps them until it is over.
    """

    latency_ms: int = 0
    outage: str = ""
    throttle: int = 0
    throttle_every: int = 1
    garbage: bool = False
    slow_body: int = 0
    half_closed: bool = False
    error_500: bool = False
    write_trouble: str = ""
    tell_twice: bool = False
    tell_shuffled: int = 0
    tell_nothing: bool = False

    def update(self, changes: dict[str, Any]) -> None:
        """Set the named knobs, all or none; raises KnobError for an unknown name or a value of the wrong kind."""
        kinds = {field.name: type(getattr(self, field.name)) for field in fields(self)}
        for name, value in changes.items():
            if name not in kinds:
                raise KnobError(f"no knob {name!r}; there are {', '.join(kinds)}")
            if type(value) is not kinds[name]:
                raise KnobError(f"knob {name!r} takes {kinds[name].__name__}, not {value!r}")
            if name == "outage" and value not in OUTAGES:
                raise KnobError(f"knob 'outage' takes one of {', '.join(map(repr, OUTAGES))}, not {value!r}")
            if name == "write_trouble" and value not in WRITE_TROUBLES:
                words = ", ".join(map(repr, WRITE_TROUBLES))
                raise KnobError(f"knob 'write_trouble' takes one of {words}, not {value!r}")
        for name, value in changes.items():
            setattr(self, name, value)

    def as_dict(self) -> dict[str, Any]:
        """Every knob with its present value."""
        return asdict(self)


@dataclass(slots=True)
class Stats:
    """How often a system was asked since the last reset; token requests are counted apart."""

    requests: int = 0
    tokens: int = 0
    by_path: dict[str, int] | None = None

    def count(self, path: str, *, token: bool = False) -> None:
        """Note one request to a route."""
        if token:
            self.tokens += 1
            return
        self.requests += 1
        self.by_path = self.by_path if self.by_path is not None else {}
        self.by_path[path] = self.by_path.get(path, 0) + 1

    def reset(self) -> None:
        """Forget everything counted."""
        self.requests, self.tokens, self.by_path = 0, 0, None

    def as_dict(self) -> dict[str, Any]:
        """The counts as JSON shows them."""
        return {"requests": self.requests, "tokens": self.tokens, "by_path": dict(self.by_path or {})}
