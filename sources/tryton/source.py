"""Tryton as a source: its settings, and the reads of its four fields. Each is client call and mapping."""

from typing import ClassVar

from sources.settings import SystemConfig
from sources.tryton.config import TrytonConfig
from sources.tryton.reads_material import MaterialReads
from sources.tryton.reads_production import ProductionReads
from sources.tryton.reads_shipping import ShippingReads
from sources.tryton.reads_trade import TradeReads


class Tryton(ProductionReads, MaterialReads, ShippingReads, TradeReads):
    """One Tryton database."""

    Config: ClassVar[type[SystemConfig]] = TrytonConfig
