"""Settings of a Tryton system that cannot work say what to mend; words nobody mapped stay UNKNOWN."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from schema.production import MaterialRequirement, OrderPlanning, OrderStatus
from sources.base import Batch
from sources.tryton.config import TrytonConfig
from sources.tryton.sim import KEY, Sim, recorded
from sources.tryton.source import Tryton
from tests.serving import serving

TABLE: dict[str, Any] = {
    "code": "ERP",
    "adapter": "tryton",
    "kind": "ERP",
    "base_url": "http://127.0.0.1:1/mfg",
    "auth": {"type": "bearer", "token": {"value": KEY}},
}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"auth": {"type": "none"}}, "use bearer"),
        ({"time_zone": "Kassel"}, "Europe/Berlin"),
        ({"shipment_prefixes": {"outbound": "", "inbound": "IN-"}}, "do not tell shipments apart"),
        ({"warehause": {}}, "warehause"),
    ],
)
def test_bad_settings_say_what_to_mend(wrong: dict[str, Any], said: str) -> None:
    """A table that cannot work is refused with the setting, the value and the mend."""
    with pytest.raises(ValidationError, match=said):
        TrytonConfig.model_validate(TABLE | wrong)


async def test_an_unknown_state_is_unknown_and_keeps_its_word() -> None:
    """A state of a later Tryton costs its own status only, and the raw word can be read."""
    rows = recorded()
    rows["production"] = [{**row, "state": "paused"} for row in rows["production"][:1]]
    plan = (await orders(rows))[OrderPlanning][0]
    assert (plan.status, plan.status_codes) == (OrderStatus.UNKNOWN, ("paused",))


async def test_a_flaw_costs_its_own_group() -> None:
    """A component without a unit is an error of the components; the plan beside it is whole."""
    rows = recorded()
    row = rows["production"][0]
    rows["production"] = [
        {**row, "inputs": [{**move, "unit": {"id": 1, "symbol": None}} for move in row["inputs"]]}
    ]
    bundle = await orders(rows)
    assert bundle[OrderPlanning][0].quantity.unit == "H87"
    assert "without a unit" in str(bundle[MaterialRequirement][0])


async def orders(rows: dict[str, Any]) -> dict[type, list[Any]]:
    """The first order that a sim with these rows has."""
    number = rows["production"][0]["number"]
    with serving(Sim(rows)) as url:
        source = Tryton(TrytonConfig.model_validate(TABLE | {"base_url": f"{url}/mfg"}))
        await source.open()
        try:
            wants = frozenset({OrderPlanning, MaterialRequirement})
            return await source.orders(Batch((f"KAS/{number}",), wants, time.monotonic() + 5))
        finally:
            await source.close()
