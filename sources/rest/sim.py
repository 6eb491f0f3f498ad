"""A small JSON server over tables, with the key and paging styles such systems have. Plain ASGI.

``GET /<table>`` takes every column as a filter (comma list or repeated) and pages by ``offset``+``limit``,
``page``+``size`` or ``cursor``+``limit``; the next address is also in a ``Link`` header and at ``next``.
``POST /<table>:query`` takes the same in a JSON object. ``GET /<table>/<key>`` is one row, 404 where there is none.
Rows are at ``rows``, their number at ``total``. A bearer token is asked for.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlencode

Row: TypeAlias = dict[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
App: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
_PAGING = frozenset({"offset", "limit", "page", "size", "cursor"})
MOST = 500


def make_app(tables: Mapping[str, tuple[str, Sequence[Row]]], token: str) -> App:
    """An ASGI application over tables: name → (column of the key, rows)."""

    async def app(scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        body = await _body(receive)
        if headers.get("authorization") != f"Bearer {token}":
            await _send(send, 401, {"error": "bad token"}, {})
            return
        query = parse_qs(scope["query_string"].decode())
        await _send(send, *_answer(tables, scope["method"], scope["path"], query, body))

    return app


def _answer(
    tables: Mapping[str, tuple[str, Sequence[Row]]],
    method: str,
    path: str,
    query: dict[str, list[str]],
    body: bytes,
) -> tuple[int, Any, dict[str, str]]:
    name, _, key = path.strip("/").removesuffix(":query").partition("/")
    if name not in tables:
        return 404, {"error": f"no table {name}"}, {}
    column, rows = tables[name]
    if key:
        found = [row for row in rows if str(row[column]) == key]
        return (200, found[0], {}) if found else (404, {"error": "not found"}, {})
    asked = json.loads(body or b"{}") if method == "POST" else _commas(query)
    kept = [row for row in rows if _fits(row, asked)]
    start, size = _window(asked)
    page = kept[start : start + size]
    end = start + len(page)
    more = end < len(kept)
    again = urlencode({**{k: ",".join(v) for k, v in query.items()}, "cursor": end}) if more else ""
    link = f"/{name}?{again}" if more else None
    answer = {"rows": page, "total": len(kept), "cursor": str(end) if more else None, "next": link}
    return 200, answer, {"Link": f'<{link}>; rel="next"'} if more else {}


def _commas(query: dict[str, list[str]]) -> dict[str, Any]:
    return {
        name: values[-1] if name in _PAGING else [part for value in values for part in value.split(",")]
        for name, values in query.items()
    }


def _fits(row: Row, asked: Mapping[str, Any]) -> bool:
    return all(
        str(row.get(name)) in {str(value) for value in values}
        for name, values in asked.items()
        if name not in _PAGING and isinstance(values, list)
    )


def _window(asked: Mapping[str, Any]) -> tuple[int, int]:
    size = min(int(asked.get("size", asked.get("limit", MOST))), MOST)
    if "page" in asked:
        return (int(asked["page"]) - 1) * size, size
    return int(asked.get("cursor", asked.get("offset", 0))), size


async def _lifespan(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _body(receive: Any) -> bytes:
    chunks, more = [], True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


async def _send(send: Any, status: int, value: Any, headers: dict[str, str]) -> None:
    raw = json.dumps(value).encode()
    pairs = {"Content-Type": "application/json", "Content-Length": str(len(raw)), **headers}
    encoded = [(name.lower().encode(), text.encode()) for name, text in pairs.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": raw})
