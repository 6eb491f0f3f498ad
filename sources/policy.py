"""What a system's table may say about how hard it is pressed: lanes, rate, and budgets for windows of time."""

from datetime import time
from typing import Annotated, Literal, TypeAlias
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

LaneName: TypeAlias = Literal["shop_floor", "app", "analytics", "background"]
Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Share: TypeAlias = Annotated[float, Field(gt=0, le=1)]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("no time zone of the IANA database; write one such as Europe/Berlin")
    return name


def _month_day(day: int) -> int:
    if not 1 <= abs(day) <= 31:
        raise ValueError("no day of a month; write 1 to 31 from its beginning, or -1 to -31 from its end")
    return day


class LaneShares(BaseModel):
    """How much of a system each lane may take; the shop floor may always take everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    app: Share = Field(
        default=1.0,
        description="Share of `concurrency`, of `max_connections` and of what `rate` allows at once, that everything less urgent than the "
        "shop floor may take together.",
    )
    analytics: Share = Field(default=0.5, description="Share that analytics and background take together.")
    background: Share = Field(default=0.25, description="Share that background takes.")

    @model_validator(mode="after")
    def _nested(self) -> "LaneShares":
        if not self.app >= self.analytics >= self.background:
            raise ValueError(
                f"app = {self.app:g}, analytics = {self.analytics:g} and background = {self.background:g} must not "
                "grow in this order: a share holds for its lane and all less urgent ones together"
            )
        return self

    def in_order(self) -> tuple[float, ...]:
        """The share of every lane, the most urgent first."""
        return (1.0, self.app, self.analytics, self.background)


class Rate(BaseModel):
    """How many requests a system takes in how much time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls: int = Field(ge=1, description="Requests that come back in `seconds`, evenly.")
    seconds: float = Field(
        default=60.0, gt=0, le=86_400, description="The time that `calls` are counted for."
    )
    burst: int | None = Field(
        default=None,
        ge=1,
        description="Most requests at once after a rest; `calls` where it is not said. A system that counts by the clock "
        "may see `burst` + `calls` in one of its periods.",
    )

    @property
    def interval(self) -> float:
        """Seconds after which one call has come back."""
        return self.seconds / self.calls

    @property
    def most(self) -> int:
        """Most calls at once."""
        return self.burst or self.calls


class Budget(BaseModel):
    """A window of time in which a system takes only so many requests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="What the window is for; it stands in messages.")
    calls: int = Field(ge=0, description="Most requests each time it is open; 0 closes the system.")
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        description="IANA time zone of its days and times."
    )
    weekdays: tuple[Weekday, ...] = Field(
        default=(), description="Days of the week on which it opens: mon to sun; none named means all."
    )
    month_days: tuple[Annotated[int, AfterValidator(_month_day)], ...] = Field(
        default=(),
        description="Days of the month on which it opens: 1 is the first, -1 the last; none named means all.",
    )
    start: time = Field(default=time(), description="When it opens, as HH:MM.")
    end: time = Field(
        default=time(),
        description="When it closes, as HH:MM; on the next day where it is not after `start`. It opens anew each day.",
    )
    lanes: tuple[LaneName, ...] = Field(
        default=("app", "analytics", "background"),
        min_length=1,
        description="Lanes it binds; calls of others are neither refused nor counted.",
    )

    @model_validator(mode="after")
    def _local(self) -> "Budget":
        for name, at in (("start", self.start), ("end", self.end)):
            if at.tzinfo is not None:
                raise ValueError(f"{name} has an offset of its own; its zone is time_zone")
        return self
