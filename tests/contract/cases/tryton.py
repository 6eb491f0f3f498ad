"""The Tryton adapter against its sim."""

from typing import Any

from sources.tryton.sim import KEY, Sim
from sources.tryton.source import Tryton
from tests.contract.case import Case


def settings(base_url: str, secret: str) -> dict[str, Any]:
    """The ``[systems.ERP]`` table."""
    return {
        "code": "ERP",
        "adapter": "tryton",
        "kind": "ERP",
        "plants": ["KAS"],
        "base_url": f"{base_url}/mfg",
        "auth": {"type": "bearer", "token": {"value": secret}},
    }


CASE = Case(
    name="tryton",
    source=Tryton,
    sim=Sim,
    settings=settings,
    secret=KEY,
    read="orders",
    keys=("KAS/1", "KAS/2", "KAS/5", "KAS/7"),
    unknown=lambda n: f"KAS/nobody-{n}",
    search="find_orders",
    total=4,
    filters={"statuses": ("COMPLETED",)},
)
