"""SAP_PRD, the ERP of both plants: OData V2 in SAP's manner.

Basic auth crossdock/demo. Answers are `{"d":{"results":[…],"__count":"n"}}`; one row by key `/Set('key')` is
`{"d":{…}}`. Paging by `$top` (at most 500) and `$skip`; `$filter` (see `odata`), `$expand`. Besides, every set
takes `keys=` (comma list, at most 100) and plain parameters, each a comma list unless it is a time.
Numbers are zero padded, times `/Date(ms)/`, change stamps `YYYYMMDDHHMMSS` (UTC), quantities text, flags "X".
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sources.plant.asgi import App, Refusal, Request, Response, Route, Row, System
from sources.plant.dialects import sap_logistics, sap_material, sap_orders
from sources.plant.dialects.common import Access, limited
from sources.plant.dialects.odata import Filter
from sources.plant.dialects.sap_words import EntitySet
from sources.plant.dialects.sap_writes import Writes
from sources.plant.knobs import Knobs
from sources.plant.world.world import World

ACCESS = Access("crossdock", "demo")
ROOT = "/sap/opu/odata/sap"
PAGE, MOST_ROWS, MOST_KEYS = 100, 500, 100


def make_app(world: World, knobs: Knobs) -> App:
    """The ERP as an ASGI application."""
    sets = [*sap_orders.sets(world), *sap_material.sets(world), *sap_logistics.sets(world)]
    routes: list[Route] = []
    for entity in sets:
        query = Query(entity)
        routes.append(Route("GET", f"{ROOT}/{entity.path}", query.many))
        routes.append(Route("GET", f"{ROOT}/{entity.path}('{{key}}')", query.one))
    routes.append(Route("GET", f"{ROOT}/$ping", lambda request: Response(200, {"d": {"status": "OK"}})))
    routes += Writes(world, lambda: knobs.write_trouble == "refuse").routes(ROOT)
    return System(world, knobs, routes, _check, _refuse)


def _check(request: Request) -> None:
    wanted = base64.b64encode(f"{ACCESS.user}:{ACCESS.phrase}".encode()).decode()
    if request.headers.get("authorization") != f"Basic {wanted}":
        raise Refusal(401, "Anmeldung fehlgeschlagen")


def _refuse(refusal: Refusal) -> Response:
    codes = {400: "/IWFND/CM_MGW/096", 401: "/IWBEP/CM_MGW_RT/022", 404: "/IWBEP/CM_MGW_RT/020"}
    body = {
        "error": {
            "code": codes.get(refusal.status, f"SY/{refusal.status}"),
            "message": {"lang": "en", "value": refusal.message},
            "innererror": {"transactionid": "6740D3A2F0A00520E0067F0000000001"},
        }
    }
    headers = {"WWW-Authenticate": 'Basic realm="SAP PRD"'} if refusal.status == 401 else {}
    return Response(refusal.status, body, headers)


@dataclass(slots=True)
class Query:
    """Answers the requests on one entity set."""

    entity: EntitySet[Any]

    def one(self, request: Request) -> Response:
        """One row by key; 404 when there is none."""
        things = list(self.entity.indexes[self.entity.key](request.parts["key"]))
        if not things:
            raise Refusal(404, f"Resource not found for segment '{self.entity.path}'")
        return Response(200, {"d": self._shown(self.entity.row(things[0]), request)})

    def many(self, request: Request) -> Response:
        """A page of rows with their count."""
        rows = self._rows(request)
        skip, top = request.integer("$skip", 0, 10**9), request.integer("$top", PAGE, MOST_ROWS)
        page = [self._shown(row, request) for row in rows[skip : skip + top]]
        return Response(200, {"d": {"results": page, "__count": str(len(rows))}})

    def _rows(self, request: Request) -> list[Row]:
        source = request.one("$filter")
        asked = Filter(source) if source else None
        tests: list[Callable[[Row], bool]] = [asked.matches] if asked else []
        rows: list[Row] | None = None
        plain = {self.entity.key: request.commas("keys")}
        for name, prop in self.entity.params.items():
            plain[prop] = plain.get(prop) or request.commas(name)
        for prop, values in plain.items():
            if not values:
                continue
            values = limited(values, MOST_KEYS, prop)
            if prop in self.entity.indexes and rows is None:
                rows = self._found(prop, values)
            else:
                tests.append(_among(prop, {self.entity.padded(prop, value) for value in values}))
        if rows is None and asked is not None:
            rows = self._by_filter(asked)
        for name, test in self.entity.tests.items():
            if request.one(name):
                tests.append(test(request.one(name)))
        if rows is None:
            rows = [self.entity.row(thing) for thing in self.entity.everything()]
        return [row for row in rows if all(test(row) for test in tests)]

    def _by_filter(self, asked: Filter) -> list[Row] | None:
        for prop in self.entity.indexes:
            keys = asked.keys(prop)
            if keys is not None:
                return self._found(prop, keys)
        return None

    def _found(self, prop: str, keys: list[str]) -> list[Row]:
        """What the keys lead to, in key order, each row once."""
        seen: dict[str, Row] = {}
        for key in keys:
            for thing in self.entity.indexes[prop](key):
                row = self.entity.row(thing)
                seen.setdefault(row[self.entity.key], row)
        return list(seen.values())

    def _shown(self, row: Row, request: Request) -> Row:
        """Navigation properties are deferred unless expanded, `to_X` or `to_X/to_Y` alike."""
        wanted = {part for name in request.commas("$expand") for part in name.split("/")}
        hidden = [name for name in self.entity.nested if name not in wanted]
        if not hidden:
            return row
        uri = f"{ROOT}/{self.entity.path}('{row[self.entity.key]}')"
        return row | {name: {"__deferred": {"uri": f"{uri}/{name}"}} for name in hidden}


def _among(prop: str, values: set[str]) -> Callable[[Row], bool]:
    return lambda row: row.get(prop) in values
