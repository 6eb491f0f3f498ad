"""The plant that everything is measured over: five systems as static JSON, fast enough never to be the bottleneck.

    python -m benchmarks.plant [port]

ERP has the orders with planning and posting, MDM the items, MES executions with their operations, QMS the lots, WMS
shipments and balances. Every row is encoded once at start; an answer is those bytes joined. Its CPU is not counted.
``/__set?latency_ms=20`` delays every answer from then on; ``/__stats`` tells the calls since the last
``/__stats?reset=1``.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httptools
import uvloop

ORDERS = 2_000
ITEMS = 200
PAGES = [f"{letter}{page:02d}" for letter in "ABCD" for page in range(10)]
"""The order numbers of a page of 50 begin with its name, those of ten pages with a letter: what lists are searched by."""
CONFIG = Path(__file__).with_name("gateway.toml")
ADDRESS = "http://127.0.0.1:9999"
"""Where gateway.toml says the plant is; the measurements put the real port there."""
_BEGAN = datetime(2026, 3, 1, 6, tzinfo=UTC)
_TEXTS = ("Sawing", "Turning, both sides", "Deburring and washing")

Row = dict[str, Any]


def number_of(place: int) -> str:
    """The number of the order at a place, 0 to ORDERS - 1."""
    return f"{PAGES[place // 50]}-{place:04d}"


def id_of(place: int) -> str:
    """The gateway's id of the order at a place."""
    return f"po:K1/{number_of(place)}"


def _time(hours: float) -> str:
    return (_BEGAN + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _item_of(place: int) -> str:
    return f"FG-{place * 7 % ITEMS:04d}"


def _lots_of(place: int) -> list[str]:
    return [f"L{number_of(place)}-{part}" for part in (1, 2, 3)]


def order(place: int) -> Row:
    """What the ERP says of an order."""
    done = place % 100
    return {
        "no": number_of(place),
        "item": _item_of(place),
        "qty": str(100 + done),
        "unit": "PC",
        "start": _time(place),
        "end": _time(place + 48),
        "due": _time(place + 72)[:10],
        "released": _time(place - 24),
        "prio": place % 5,
        "status": ("CRTD", "REL", "PCNF", "DLV")[place % 4],
        "yield": f"{done}.5",
        "received": str(done),
        "posted_on": _time(place + 50)[:10],
        "posted": place % 4 == 3,
        "changed": _time(place + 51),
    }


def item(place: int) -> Row:
    """What the master data says of an item."""
    return {
        "no": f"FG-{place:04d}",
        "text": f"Machined housing, variant {place}",
        "gtin": f"04012345{place:05d}5",
        "unit": "PC",
        "rev": "ABC"[place % 3],
        "changed": _time(place),
    }


def execution(place: int) -> Row:
    """What the MES says of an order and its operations."""
    done = place % 100
    steps = [
        {
            "no": f"{10 * step:04d}",
            "text": _TEXTS[step - 1],
            "state": ("RUN", "END", "NEW")[(place + step) % 3],
            "good": f"{done}.25",
            "scrap": str(step),
            "unit": "PC",
            "start": _time(place + step),
            "end": _time(place + step + 5),
        }
        for step in (1, 2, 3)
    ]
    return {
        "order": number_of(place),
        "state": ("REL", "RUN", "RUN", "END")[place % 4],
        "good": f"{done}.25",
        "scrap": str(done % 7),
        "unit": "PC",
        "pct": f"{done}.5",
        "start": _time(place + 1),
        "end": None if place % 4 < 3 else _time(place + 40),
        "changed": _time(place + 41),
        "ops": steps,
    }


def lots(place: int) -> list[Row]:
    """What quality management says of an order's lots."""
    return [
        {
            "order": number_of(place),
            "item": _item_of(place),
            "lot": lot,
            "changed": _time(place + 42),
        }
        for lot in _lots_of(place)
    ]


def shipments(place: int) -> list[Row]:
    """What the warehouse sends out of an order."""
    return [
        {
            "no": f"8{place:05d}{part}",
            "orders": [number_of(place)],
            "carrier": f"CARR-{place % 9}",
            "to": f"CUST-{place % 41}",
            "way": ("OUT", "XFER")[part - 1],
            "changed": _time(place + 60),
        }
        for part in (1, 2)
    ]


def balances(place: int) -> dict[str, list[Row]]:
    """What lies where of an order's lots, by lot."""
    return {
        f"{_item_of(place)}|{lot}": [
            {
                "item": _item_of(place),
                "lot": lot,
                "bin": f"B{place % 50:02d}-{bin}",
                "qty": f"{10 + place % 30}.{bin}",
                "free": str(9 + place % 30),
                "unit": "PC",
                "state": ("F", "Q")[bin % 2],
                "changed": _time(place + 43),
            }
            for bin in (1, 2, 3)
        ]
        for lot in _lots_of(place)
    }


def _encoded(rows: list[Row]) -> bytes:
    return b",".join(json.dumps(row, separators=(",", ":")).encode() for row in rows)


class Plant:
    """The rows by table and key, encoded, and the calls that were counted."""

    def __init__(self) -> None:
        places = range(ORDERS)
        self.orders = [_encoded([order(place)]) for place in places]
        self.tables = {
            "/erp/orders": {number_of(place): self.orders[place] for place in places},
            "/mdm/items": {f"FG-{place:04d}": _encoded([item(place)]) for place in range(ITEMS)},
            "/mes/executions": {number_of(place): _encoded([execution(place)]) for place in places},
            "/qms/lots": {number_of(place): _encoded(lots(place)) for place in places},
            "/wms/shipments": {number_of(place): _encoded(shipments(place)) for place in places},
            "/wms/balances": {
                lot: _encoded(rows) for place in places for lot, rows in balances(place).items()
            },
        }
        self.searches: dict[str, list[bytes]] = {}
        self.latency = 0.0
        self.calls: dict[str, int] = {}

    def answer(self, path: str, query: dict[str, str], body: bytes) -> bytes | None:
        """The body of an answer; None where there is no such place."""
        if path in self.tables:
            self.calls[path] = self.calls.get(path, 0) + 1
            return self._rows(path, query, body)
        if path == "/__set":
            self.latency = float(query["latency_ms"]) / 1000
        elif path != "/__stats":
            return None
        told = json.dumps({"calls": self.calls}).encode()
        if "reset" in query:
            self.calls = {}
        return told

    def _rows(self, path: str, query: dict[str, str], body: bytes) -> bytes:
        if path == "/erp/orders" and "limit" in query:
            start, search = int(query.get("offset", "0")), query.get("search", "")
            known = self.orders if not search else self._found(search)
            page = known[start : start + int(query["limit"])]
            return b'{"total":%d,"rows":[' % len(known) + b",".join(page) + b"]}"
        keys = json.loads(body)["keys"] if body else query["keys"].split(",")
        table = self.tables[path]
        return b'{"rows":[' + b",".join(table[key] for key in keys if key in table) + b"]}"

    def _found(self, search: str) -> list[bytes]:
        if search not in self.searches:
            self.searches[search] = [
                self.orders[place] for place in range(ORDERS) if number_of(place).startswith(search)
            ]
        return self.searches[search]


class _Connection(asyncio.Protocol):
    """One connection: requests one after the other, as HTTP/1.1 clients with a pool send them."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.parser = httptools.HttpRequestParser(self)
        self.url = self.body = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.url = self.body = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        path, _, query = self.url.decode().partition("?")
        body = self.plant.answer(path, dict(parse_qsl(query)), self.body)
        status = b"404 Not Found" if body is None else b"200 OK"
        body = body or b""
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        answer = head % (status, len(body)) + body
        if self.plant.latency and not path.startswith("/__"):
            asyncio.get_running_loop().call_later(self.plant.latency, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


async def serve(port: int = 0) -> asyncio.Server:
    """The plant, listening on 127.0.0.1."""
    plant = Plant()
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Connection(plant), "127.0.0.1", port, backlog=1024)


async def _main(port: int) -> None:
    server = await serve(port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
