"""Settings of a Tryton database."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sources.credentials import Basic, Bearer
from sources.http import HttpConfig


class ShipmentPrefixes(BaseModel):
    """What tells apart the numbers of the two kinds of shipments, which Tryton counts from 1 each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outbound: str = Field(default="OUT-", description="Before the number of a customer shipment.")
    inbound: str = Field(default="IN-", description="Before the number of a supplier shipment.")

    @model_validator(mode="after")
    def _distinct(self) -> "ShipmentPrefixes":
        if self.outbound.startswith(self.inbound) or self.inbound.startswith(self.outbound):
            raise ValueError(
                f"{self.outbound!r} and {self.inbound!r} do not tell shipments apart; choose other prefixes"
            )
        return self


class TrytonConfig(HttpConfig):
    """``[systems.CODE]`` of a Tryton database."""

    time_zone: str = Field(
        default="UTC", description="IANA zone of the company; a day of Tryton begins there."
    )
    warehouses: dict[str, str] = Field(default={}, description="Warehouse code → plant, where they differ.")
    units: dict[str, str] = Field(default={}, description="Unit symbol → UN/ECE code, for units of your own.")
    quarantine: tuple[str, ...] = Field(default=(), description="Locations whose stock is blocked, by code.")
    shipment_prefixes: ShipmentPrefixes = Field(
        default=ShipmentPrefixes(), description="Prefixes of shipment numbers: outbound, inbound."
    )

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is not an IANA time zone; write one like Europe/Berlin") from error
        return name

    @model_validator(mode="after")
    def _spoken(self) -> "TrytonConfig":
        if not isinstance(self.auth, Basic | Bearer):
            raise ValueError(
                f"auth.type {self.auth.type!r} is not spoken by Tryton; use bearer (REST) or basic (JSON-RPC)"
            )
        return self
