"""Tryton over REST with a key: productions with planning, posting, works, components and lots."""

from typing import Any

from sources.tryton.sim import KEY, Sim
from sources.tryton.source import Tryton
from tests.contract.case import Case


def _settings(base_url: str, secret: str) -> dict[str, Any]:
    return {
        "code": "TRYTON",
        "adapter": "tryton",
        "kind": "ERP",
        "base_url": f"{base_url}/mfg",
        "time_zone": "Europe/Berlin",
        "auth": {"type": "bearer", "token": {"value": secret}},
    }


CASE = Case(
    name="tryton",
    source=Tryton,
    sim=Sim,
    settings=_settings,
    secret=KEY,
    read="orders",
    keys=tuple(f"KAS/{number}" for number in range(1, 6)),
    unknown=lambda n: f"KAS/{90_000 + n}",
    search="find_orders",
    total=12,
    page=5,
)
