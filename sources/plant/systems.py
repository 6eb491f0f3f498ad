"""The simulated systems by code: how the demo and the tests start them."""

from __future__ import annotations

from collections.abc import Callable

from sources.plant.asgi import App
from sources.plant.dialects import cmms, mes_kas, mes_zwo, qms, sap, supplier, tms, wms
from sources.plant.knobs import Knobs
from sources.plant.world.world import World

Factory = Callable[[World, Knobs], App]

SYSTEMS: dict[str, Factory] = {
    "SAP_PRD": sap.make_app,
    "MES_KAS": mes_kas.make_app,
    "MES_ZWO": mes_zwo.make_app,
    "WMS_CEN": wms.make_app,
    "QMS_LAB": qms.make_app,
    "TMS_ONE": tms.make_app,
    "CMMS_01": cmms.make_app,
    "SUP_PORT": supplier.make_app,
}
