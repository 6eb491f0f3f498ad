"""The declarative adapter against the demo's ERP: an order payload of five classes, OData, padded keys, basic auth."""

import tomllib
from pathlib import Path
from typing import Any

from sources.plant.knobs import Knobs
from sources.plant.systems import SYSTEMS
from sources.plant.world.build import build_world
from sources.plant.world.world import World
from sources.rest.source import Rest
from tests.contract.case import Case

DEMO = Path(__file__).parents[3] / "gateway" / "demo.toml"
CODE = "SAP_PRD"
WORLD: World = build_world()
ORDERS = [f"{order.plant}/{order.number}" for order in WORLD.orders.values()]


def _settings(base_url: str, secret: str) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(DEMO.read_text(encoding="utf-8"))["systems"][CODE]
    path = "/" + table["base_url"].split("/", 3)[3]
    auth = table["auth"] | {"password": {"value": secret}}
    return table | {"code": CODE, "base_url": base_url + path, "auth": auth}


CASE = Case(
    name="rest_erp",
    source=Rest,
    sim=lambda: SYSTEMS[CODE](WORLD, Knobs()),
    settings=_settings,
    secret="demo",
    read="orders",
    keys=tuple(ORDERS[:5]),
    unknown=lambda n: f"1710/{9_000_000 + n}",
    search="orders",
    total=len(ORDERS),
    page=90,
)
