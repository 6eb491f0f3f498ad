"""Records what the sim plays back: ``.venv/bin/python -m tests.e2e.tryton.record`` writes sources/tryton/sim.json."""

import json
import urllib.request
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sources.tryton import fields, reads_trade
from sources.tryton.demo import TrytonServer, running

ROOT = Path(__file__).parents[3]
SOME = [["product.code", "in", ["RM-SHAFT-20", "SA-ROT-20"]]]
"""Stock moves are many: those of two items are enough."""


def every(base: list[str], parts: dict[type, list[str]]) -> list[str]:
    """The fields of a payload with all its parts."""
    return fields.wanted(base, parts, parts)


MODELS: dict[str, tuple[list[Any], list[str]]] = {
    "company.company": ([], ["id"]),
    "production": ([["number", "!=", None]], every(fields.ORDER, fields.ORDER_PARTS)),
    "quality.inspection": ([], fields.INSPECTION),
    "product.product": ([["code", "!=", None]], every(fields.ITEM, fields.ITEM_PARTS)),
    "stock.lot": ([], fields.LOT),
    "stock.location": ([["type", "!=", "view"]], fields.LOCATION),
    "stock.period": ([], ["state", "date"]),
    "stock.period.cache.lot": ([], ["period", *fields.STOCK_PERIOD]),
    "stock.move": (SOME, list(dict.fromkeys([*fields.STOCK_MOVE, *fields.MOVEMENT]))),
    "production.work.center": ([], fields.WORK_CENTER),
    "party.party": ([], fields.PARTY),
    "stock.shipment.out": (
        [],
        [*every(fields.SHIPMENT_OUT, fields.SHIPMENT_OUT_PARTS), *fields.under("moves", "origin", "lot")],
    ),
    "stock.shipment.in": ([], fields.SHIPMENT_IN),
    "sale.sale": ([], every(fields.TRADE, reads_trade.SALE_FIELDS)),
    "sale.line": ([], fields.SALE_LINE_ALONE),
    "purchase.purchase": ([], every(fields.TRADE, reads_trade.PURCHASE_FIELDS)),
}


def packed(value: Any) -> str:
    """JSON in URL-safe base 64."""
    return urlsafe_b64encode(json.dumps(value).encode()).decode()


def rows(server: TrytonServer, model: str, domain: list[Any], names: list[str]) -> Any:
    """The rows of a model as REST gives them."""
    query = urlencode(
        [("d", packed(domain)), ("o", packed([["id", "ASC"]])), *[("f", name) for name in names]]
    )
    url = f"{server.url}/rest/model/{model}?{query}"
    request = urllib.request.Request(url, headers={"Authorization": f"bearer {server.key}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def main() -> None:
    """Start the server and write the file."""
    with running(ROOT / ".cache" / "tryton") as server:
        found = {model: rows(server, model, *asked) for model, asked in MODELS.items()}
    lines = [
        f'"{model}": {json.dumps(part, separators=(",", ":"), ensure_ascii=False)}'
        for model, part in found.items()
    ]
    (ROOT / "sources/tryton/sim.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
