"""What a very good engineer would write by hand today: Strawberry over the same systems, tuned.

    python -m benchmarks.baseline http://127.0.0.1:9999 [port]

One aiohttp session with kept connections, batch endpoints behind aiodataloader, orjson both ways, the caches of
parsing and validation, dates left as the systems write them, uvicorn with uvloop and httptools, the garbage collector
held back, a thin Starlette route (Strawberry's own view costs more). No provenance, no cache policy, no guards: only the answer. The fields, and so the queries, are the
gateway's.
"""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, TypeAlias

import aiohttp
import orjson
import strawberry
import uvicorn
from aiodataloader import DataLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

Row: TypeAlias = dict[str, Any]
UNITS = {"PC": "H87"}
JSON = {"Content-Type": "application/json"}


@strawberry.enum
class OrderStatus(Enum):
    CREATED = "CREATED"
    RELEASED = "RELEASED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


@strawberry.enum
class OperationStatus(Enum):
    READY = "READY"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"


@strawberry.enum
class Direction(Enum):
    OUTBOUND = "OUTBOUND"
    TRANSFER = "TRANSFER"


@strawberry.enum
class BalanceView(Enum):
    PHYSICAL = "PHYSICAL"


@strawberry.enum
class StockStatus(Enum):
    UNRESTRICTED = "UNRESTRICTED"
    QUALITY_INSPECTION = "QUALITY_INSPECTION"


ERP_STATUS = {
    "CRTD": OrderStatus.CREATED,
    "REL": OrderStatus.RELEASED,
    "PCNF": OrderStatus.IN_PROGRESS,
    "DLV": OrderStatus.COMPLETED,
}
MES_STATUS = {
    "REL": OrderStatus.RELEASED,
    "RUN": OrderStatus.IN_PROGRESS,
    "END": OrderStatus.COMPLETED,
}
STEP_STATUS = {
    "NEW": OperationStatus.READY,
    "RUN": OperationStatus.RUNNING,
    "END": OperationStatus.COMPLETED,
}
RANK = list(OrderStatus)
WAYS = {"OUT": Direction.OUTBOUND, "XFER": Direction.TRANSFER}
STOCK = {"F": StockStatus.UNRESTRICTED, "Q": StockStatus.QUALITY_INSPECTION}


@strawberry.type
class Quantity:
    value: str
    unit: str


@strawberry.type
class Item:
    number: str
    description: str
    gtin: str
    base_unit: str
    revision: str


@strawberry.type
class Planning:
    quantity: Quantity
    planned_start: str
    planned_end: str
    due_date: str
    released_at: str
    priority: int


@strawberry.type
class Posting:
    confirmed_yield: Quantity
    received: Quantity
    last_posting_date: str
    fully_posted: bool


@strawberry.type
class Actual:
    good: Quantity
    scrap: Quantity
    actual_start: str
    actual_end: str


@strawberry.type
class Operation:
    id: strawberry.ID
    number: str
    description: str
    status: OperationStatus
    actual: Actual


@strawberry.type
class Execution:
    good: Quantity
    scrap: Quantity
    percent_complete: str
    actual_start: str
    actual_end: str | None
    status: strawberry.Private[OrderStatus]
    steps: strawberry.Private[list[Operation]]


@strawberry.type
class Party:
    code: str


@strawberry.type
class Shipment:
    id: strawberry.ID
    number: str
    direction: Direction
    carrier: Party
    ship_to: Party


@strawberry.type
class Balance:
    view: BalanceView
    on_hand: Quantity
    stock_status: StockStatus


@strawberry.type
class Lot:
    id: strawberry.ID
    number: str
    item_number: strawberry.Private[str]

    @strawberry.field
    async def item(self, info: Info) -> Item:
        return await info.context.items.load(self.item_number)

    @strawberry.field
    async def balances(self, info: Info) -> list[Balance]:
        return await info.context.balances.load(f"{self.item_number}|{self.number}")


@strawberry.type
class Order:
    id: strawberry.ID
    number: str
    planning: Planning
    posting: Posting
    item_number: strawberry.Private[str]
    planned_status: strawberry.Private[OrderStatus]

    @strawberry.field
    async def status(self, info: Info) -> OrderStatus:
        execution = await info.context.executions.load(self.number)
        if execution is None:
            return self.planned_status
        return max(self.planned_status, execution.status, key=RANK.index)

    @strawberry.field
    async def item(self, info: Info) -> Item:
        return await info.context.items.load(self.item_number)

    @strawberry.field
    async def execution(self, info: Info) -> Execution | None:
        return await info.context.executions.load(self.number)

    @strawberry.field
    async def operations(self, info: Info) -> list[Operation]:
        execution = await info.context.executions.load(self.number)
        return execution.steps if execution is not None else []

    @strawberry.field
    async def outputs(self, info: Info) -> list[Lot]:
        return await info.context.lots.load(self.number)

    @strawberry.field
    async def shipments(self, info: Info) -> list[Shipment]:
        return await info.context.shipments.load(self.number)


@strawberry.type
class Orders:
    nodes: list[Order]


@strawberry.input
class OrderFilter:
    search: str


@strawberry.type
class Query:
    @strawberry.field
    async def production_order(self, info: Info, id: strawberry.ID) -> Order | None:
        return await info.context.orders.load(id.removeprefix("po:K1/"))

    @strawberry.field
    async def production_orders(self, info: Info, first: int, filter: OrderFilter) -> Orders:
        rows = await info.context.client.get(f"/erp/orders?search={filter.search}&limit={first}&offset=0")
        return Orders(nodes=[to_order(row) for row in rows])


def quantity(value: str, row: Row) -> Quantity:
    return Quantity(value=value, unit=UNITS[row["unit"]])


def to_order(row: Row) -> Order:
    return Order(
        id=strawberry.ID("po:K1/" + row["no"]),
        number=row["no"],
        planning=Planning(
            quantity=quantity(row["qty"], row),
            planned_start=row["start"],
            planned_end=row["end"],
            due_date=row["due"],
            released_at=row["released"],
            priority=row["prio"],
        ),
        posting=Posting(
            confirmed_yield=quantity(row["yield"], row),
            received=quantity(row["received"], row),
            last_posting_date=row["posted_on"],
            fully_posted=row["posted"],
        ),
        item_number=row["item"],
        planned_status=ERP_STATUS[row["status"]],
    )


def to_item(row: Row) -> Item:
    return Item(
        number=row["no"],
        description=row["text"],
        gtin=row["gtin"],
        base_unit=UNITS[row["unit"]],
        revision=row["rev"],
    )


def to_execution(row: Row) -> Execution:
    return Execution(
        good=quantity(row["good"], row),
        scrap=quantity(row["scrap"], row),
        percent_complete=row["pct"],
        actual_start=row["start"],
        actual_end=row["end"],
        status=MES_STATUS[row["state"]],
        steps=[to_operation(row["order"], step) for step in row["ops"]],
    )


def to_operation(order: str, step: Row) -> Operation:
    return Operation(
        id=strawberry.ID(f"op:K1/{order}/{step['no']}"),
        number=step["no"],
        description=step["text"],
        status=STEP_STATUS[step["state"]],
        actual=Actual(
            good=quantity(step["good"], step),
            scrap=quantity(step["scrap"], step),
            actual_start=step["start"],
            actual_end=step["end"],
        ),
    )


def to_lot(row: Row) -> Lot:
    return Lot(
        id=strawberry.ID(f"lot:{row['item']}/{row['lot']}"), number=row["lot"], item_number=row["item"]
    )


def to_shipment(row: Row) -> Shipment:
    return Shipment(
        id=strawberry.ID("ship:" + row["no"]),
        number=row["no"],
        direction=WAYS[row["way"]],
        carrier=Party(code=row["carrier"]),
        ship_to=Party(code=row["to"]),
    )


def to_balance(row: Row) -> Balance:
    return Balance(
        view=BalanceView.PHYSICAL,
        on_hand=quantity(row["qty"], row),
        stock_status=STOCK[row["state"]],
    )


class Client:
    """The systems, over kept connections."""

    def __init__(self, session: aiohttp.ClientSession, plant: str) -> None:
        self.session = session
        self.plant = plant

    async def get(self, path: str) -> list[Row]:
        async with self.session.get(self.plant + path) as answer:
            return orjson.loads(await answer.read())["rows"]

    async def keyed(self, path: str, keys: list[str]) -> list[Row]:
        return await self.get(f"{path}?keys={','.join(keys)}")

    async def posted(self, path: str, keys: list[str]) -> list[Row]:
        body = orjson.dumps({"keys": keys})
        async with self.session.post(self.plant + path, data=body, headers=JSON) as answer:
            return orjson.loads(await answer.read())["rows"]


class Context:
    """The loaders of one request."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.orders = DataLoader(self._orders)
        self.items = DataLoader(self._items)
        self.executions = DataLoader(self._executions)
        self.lots = DataLoader(self._lots)
        self.shipments = DataLoader(self._shipments)
        self.balances = DataLoader(self._balances)

    async def _orders(self, keys: list[str]) -> list[Order | None]:
        found = {row["no"]: to_order(row) for row in await self.client.keyed("/erp/orders", keys)}
        return [found.get(key) for key in keys]

    async def _items(self, keys: list[str]) -> list[Item]:
        found = {row["no"]: to_item(row) for row in await self.client.keyed("/mdm/items", keys)}
        return [found[key] for key in keys]

    async def _executions(self, keys: list[str]) -> list[Execution | None]:
        rows = await self.client.keyed("/mes/executions", keys)
        found = {row["order"]: to_execution(row) for row in rows}
        return [found.get(key) for key in keys]

    async def _lots(self, keys: list[str]) -> list[list[Lot]]:
        found: dict[str, list[Lot]] = {key: [] for key in keys}
        for row in await self.client.keyed("/qms/lots", keys):
            found[row["order"]].append(to_lot(row))
        return list(found.values())

    async def _shipments(self, keys: list[str]) -> list[list[Shipment]]:
        found: dict[str, list[Shipment]] = {key: [] for key in keys}
        for row in await self.client.keyed("/wms/shipments", keys):
            for order in row["orders"]:
                if order in found:
                    found[order].append(to_shipment(row))
        return list(found.values())

    async def _balances(self, keys: list[str]) -> list[list[Balance]]:
        found: dict[str, list[Balance]] = {key: [] for key in keys}
        for row in await self.client.posted("/wms/balances", keys):
            found[f"{row['item']}|{row['lot']}"].append(to_balance(row))
        return list(found.values())


SCHEMA = strawberry.Schema(
    Query, extensions=[ParserCache, ValidationCache], config=StrawberryConfig(auto_camel_case=True)
)


def make_app(plant: str) -> Starlette:
    """One route; its loaders live as long as a request."""
    clients: list[Client] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=100, keepalive_timeout=60)
        # Nothing here is compressed, sets cookies or is traced: what need not be looked at is not.
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        ) as session:
            clients.append(Client(session, plant))
            yield

    async def graphql(request: Request) -> Response:
        asked = orjson.loads(await request.body())
        result = await SCHEMA.execute(
            asked["query"], variable_values=asked.get("variables"), context_value=Context(clients[0])
        )
        answer: Row = {"data": result.data}
        if result.errors:
            answer["errors"] = [error.formatted for error in result.errors]
        return Response(orjson.dumps(answer), media_type="application/json")

    return Starlette(routes=[Route("/graphql", graphql, methods=["POST"])], lifespan=lifespan)


def main(plant: str, port: int) -> None:
    """Serve it as one would in production, one worker."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)
    uvicorn.run(
        make_app(plant), port=port, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8001)
