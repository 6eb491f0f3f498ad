"""Who provides what: the systems, the classes they own, and the way a key takes to its owner.

A class has an order of precedence among the kinds of systems (``OWNERS``, or the ``[ownership]`` table). The first
kind that serves the key's plant is asked; the next one only where the first failed or did not know the key. A class in
``MERGED`` has no single owner: every system has its own view of it, all are asked and the rows stand side by side.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

from schema.base import KEYS, CircuitState, Plant, SourceSystem, SystemKind, is_scoped
from schema.commerce import PurchaseOrder, PurchaseOrderLine, SupplierCommit
from schema.equipment import MaintenanceOrder, WorkCenter
from schema.errors import ConfigError
from schema.logistics import (
    HandlingUnit,
    Shipment,
    ShipmentLine,
    ShipmentPosting,
    ShipmentTransport,
    ShipmentWarehouse,
    TrackingEvent,
)
from schema.matching import Crosswalk, Matched, Reason, Unmatched
from schema.material import (
    InventoryBalance,
    InventoryMovement,
    Location,
    Lot,
    LotMaster,
    LotQuality,
    LotTransformation,
    SerialNumber,
)
from schema.production import (
    MaterialConsumption,
    MaterialRequirement,
    MaterialStaging,
    Operation,
    OperationActual,
    OperationReport,
    OrderExecution,
    OrderPlanning,
    OrderPosting,
    ProductionOrder,
)
from schema.quality import QualityHold, QualityInspection
from sources.base import (
    Fetch,
    Layer,
    Lister,
    Listers,
    Listing,
    Peek,
    Provider,
    Providers,
    Read,
    Search,
    Source,
)
from sources.guard import Guard
from sources.matching import NO_CROSSWALK, matched, named
from sources.rate import Quota
from sources.settings import SystemConfig

_ERP, _MES, _WMS, _QMS, _TMS = SystemKind.ERP, SystemKind.MES, SystemKind.WMS, SystemKind.QMS, SystemKind.TMS
_ANY = tuple(SystemKind)

OWNERS: dict[type, tuple[SystemKind, ...]] = {
    ProductionOrder: (_ERP, _MES),
    OrderPlanning: (_ERP,),
    OrderPosting: (_ERP,),
    OrderExecution: (_MES, _ERP),
    Operation: (_ERP, _MES),
    OperationActual: (_MES, _ERP),
    OperationReport: (_MES, _ERP),
    MaterialRequirement: (_ERP, _MES),
    MaterialStaging: (_WMS, _ERP),
    MaterialConsumption: (_MES, _ERP),
    Lot: (_ERP, _QMS, _MES, _WMS),
    LotMaster: (_ERP,),
    LotQuality: (_QMS, _ERP),
    LotTransformation: (_MES, _ERP),
    SerialNumber: (_MES, _ERP),
    Location: (_WMS, _ERP),
    Shipment: (_WMS, _ERP, _TMS),
    ShipmentLine: (_WMS, _ERP),
    ShipmentWarehouse: (_WMS, _ERP),
    ShipmentPosting: (_ERP,),
    ShipmentTransport: (_TMS,),
    HandlingUnit: (_WMS, _ERP),
    TrackingEvent: (_TMS,),
    QualityInspection: (_QMS, _ERP),
    QualityHold: (_QMS,),
    PurchaseOrder: (_ERP, SystemKind.SUPPLIER),
    PurchaseOrderLine: (_ERP, SystemKind.SUPPLIER),
    SupplierCommit: (SystemKind.SUPPLIER, _ERP),
    WorkCenter: (_ERP, _MES, SystemKind.CMMS),
    MaintenanceOrder: (SystemKind.CMMS, _ERP),
}
"""Precedence of kinds by class (domain model); a class not named belongs to the ERP first."""

MERGED: frozenset[type] = frozenset({InventoryBalance, InventoryMovement, LotTransformation})
"""Classes of which every system has its own rows."""


@dataclass(frozen=True, slots=True)
class System:
    """A connected system: its source and the policy around it."""

    source: Source
    guard: Guard

    @property
    def code(self) -> str:
        """The code of the system, as configured."""
        return self.source.code

    def serves(self, plant: str) -> bool:
        """Whether it speaks for a plant."""
        plants = self.source.config.plants
        return not plants or plant in plants


T = TypeVar("T")


class Catalog:
    """All connected systems and the plants, and the routes between classes, keys and systems."""

    def __init__(
        self,
        sources: Sequence[Source],
        plants: Iterable[Plant],
        ownership: Mapping[str, Sequence[str]] | None = None,
        layers: Sequence[Layer] = (),
        crosswalk: Crosswalk = NO_CROSSWALK,
        quota: Callable[[SystemConfig], Quota | None] = lambda _: None,
    ) -> None:
        """``layers`` stand around the guard of every read and list, the innermost first.

        ``quota`` gives the quota that a system shares with other processes, None where it keeps to its own.
        """
        self.crosswalk = crosswalk
        for source in sources:
            source.report = crosswalk.report
        self.layers = tuple(layers)
        self.systems = {
            source.code: System(
                source, Guard(source.config, quota=quota(source.config), skew=source.clock_skew_ms)
            )
            for source in sources
        }
        self.plants = {plant.code: plant for plant in plants}
        self.ownership = dict(ownership or {})
        self._check()
        self._routes: dict[tuple[type, str, str | None], Providers] = {}
        self._providers: dict[tuple[type, str], list[Provider]] = {}
        self._listers: dict[type, list[Lister]] = {}
        for system in self.systems.values():
            for read in system.source.reads():
                call, peek = self._read(system, read)
                for part in read.parts:
                    provider = Provider(system.code, read, part, call, peek)
                    self._providers.setdefault((part.type, part.by), []).append(provider)
            for search in system.source.searches():
                self._listers.setdefault(search.parts[0].type, []).append(
                    Lister(system.code, search, self._search(system, search))
                )

    def _read(self, system: System, read: Read) -> tuple[Fetch, Peek | None]:
        call: Fetch = partial(system.guard.read, read)
        peek: Peek | None = None
        for layer in self.layers:
            call, peek = layer.read(system.source.config, read, call)
        return call, peek

    def _search(self, system: System, search: Search) -> Listing:
        call: Listing = partial(system.guard.search, search)
        for layer in self.layers:
            call = layer.search(system.source.config, search, call)
        return call

    async def open(self) -> None:
        """Get every source ready."""
        for system in self.systems.values():
            await system.source.open()

    async def close(self) -> None:
        """Close every source."""
        for system in self.systems.values():
            await system.source.close()

    def route(self, cls: type, by: str, key: str) -> Providers:
        """The systems to ask for a key, in tiers of precedence; empty where nobody provides it."""
        plant = key.partition("/")[0] if is_scoped(cls, by) else None
        place = (cls, by, plant)
        tiers = self._routes.get(place)
        if tiers is None:
            tiers = self._tiers(cls, by, plant)
            if plant is None or plant in self.plants:
                self._routes[place] = tiers
        return tiers

    def provider(self, system: str, cls: type) -> Provider | None:
        """How one system tells of a class, by the first of its keys; None where it does not."""
        found = self._providers.get((cls, next(iter(KEYS[cls]))), ())
        return next((provider for provider in found if provider.system == system), None)

    def listers(self, cls: type, plants: Iterable[str] = ()) -> Listers:
        """The systems that list a class, in tiers of precedence, for the plants named (none: all)."""
        wanted = tuple(plants)
        found = [
            lister
            for lister in self._listers.get(cls, ())
            if not wanted or any(self.systems[lister.system].serves(plant) for plant in wanted)
        ]
        tiers = self._ranked(cls, [(self.systems[lister.system], lister) for lister in found])
        return (
            tiers
            if cls not in MERGED
            else tuple([tuple([x for tier in tiers for x in tier])] if tiers else [])
        )

    def tiers(self, cls: type, by: str) -> Providers:
        """The systems to ask when no plant narrows them, in tiers of precedence."""
        return self._tiers(cls, by, None)

    def system(self, code: str) -> SourceSystem | None:
        """A system and its health; GATEWAY is the gateway itself."""
        if code == "GATEWAY":
            return SourceSystem(code, SystemKind.GATEWAY, "Crossdock", True, CircuitState.CLOSED)
        system = self.systems.get(code)
        if system is None:
            return None
        health = system.guard.health()
        config = system.source.config
        return SourceSystem(
            code,
            config.kind,
            config.vendor,
            health.healthy,
            health.circuit,
            health.lag_seconds,
            health.clock_skew_ms,
            health.last_contact_at,
        )

    def all_systems(self) -> list[SourceSystem]:
        """Every connected system and its health, in the order of the configuration."""
        return [system for code in self.systems if (system := self.system(code)) is not None]

    def serving(self, code: str) -> list[str]:
        """The plants a system speaks for."""
        return [plant for plant in self.plants if self.systems[code].serves(plant)]

    def last_good_at(self, code: str) -> datetime | None:
        """When a system last gave a good answer; None where it never did, or is not a connected system."""
        system = self.systems.get(code)
        return None if system is None else system.guard.health().last_good_at

    def match(self, system: str, cls: type, parts: Sequence[str]) -> Matched | None:
        """Our key for a key of a system: as the crosswalk says, else by the system's own spelling of such keys."""
        return matched(self.systems[system].source, cls, parts, self.crosswalk)

    def unmatched(self, system: str, cls: type, parts: Sequence[str]) -> None:
        """Note that nobody knows a key of a system."""
        source = self.systems[system].source
        found = Unmatched(system, cls.__name__, parts[-1], named(source, cls, parts), Reason.UNKNOWN)
        self.crosswalk.report(found)

    def _tiers(self, cls: type, by: str, plant: str | None) -> Providers:
        found = [
            (self.systems[provider.system], provider)
            for provider in self._providers.get((cls, by), ())
            if plant is None or self.systems[provider.system].serves(plant)
        ]
        if cls in MERGED:
            return (tuple([provider for _, provider in found]),) if found else ()
        return self._ranked(cls, found)

    def _ranked(self, cls: type, found: Sequence[tuple[System, T]]) -> tuple[tuple[T, ...], ...]:
        named = self.ownership.get(cls.__name__)
        kinds = OWNERS.get(cls, _ANY)
        tiers: dict[int, list[T]] = {}
        for system, thing in found:
            if named is not None:
                if system.code in named:
                    tiers.setdefault(list(named).index(system.code), []).append(thing)
            elif system.source.config.kind in kinds:
                tiers.setdefault(kinds.index(system.source.config.kind), []).append(thing)
        return tuple(tuple(tiers[rank]) for rank in sorted(tiers))

    def _check(self) -> None:
        for name, codes in self.ownership.items():
            for code in codes:
                if code not in self.systems:
                    known = ", ".join(sorted(self.systems))
                    raise ConfigError(
                        f"ownership.{name}: no system {code!r}", hint=f"Connected systems: {known}."
                    )
        for system in self.systems.values():
            for plant in system.source.config.plants:
                if plant not in self.plants:
                    known = ", ".join(sorted(self.plants)) or "none"
                    raise ConfigError(
                        f"systems.{system.code}.plants: no plant {plant!r}",
                        hint=f"Add [plants.{plant}]; known plants: {known}.",
                    )
