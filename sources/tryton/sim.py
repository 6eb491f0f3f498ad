"""A server that answers as Tryton's REST and JSON-RPC do, from rows recorded off a real one (``sim.json``).

It evaluates domains, orders, limits and dotted fields over the recorded rows, and fails the way Tryton fails: HTML
pages for 401 and for unknown names (500), errors inside HTTP 200 for JSON-RPC, 429 after bad log-ins.
"""

import json
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Row = Mapping[str, Any]

KEY, USER, PASSWORD, TOKEN = "sim-key-4c7e", "admin", "sim-password", "5e55"
TRIES = 5
SESSION = "Session " + b64encode(f"{USER}:1:{TOKEN}".encode()).decode()
PAGE = "<!doctype html>\n<html lang=en>\n<title>{0} {1}</title>\n<h1>{1}</h1>\n<p>{2}</p>\n"


def recorded() -> dict[str, list[Row]]:
    """The rows by model, as the REST interface of a seeded Tryton 8.2 gave them."""
    found: dict[str, list[Row]] = json.loads(Path(__file__).with_name("sim.json").read_text(encoding="utf-8"))
    return found


class Sim:
    """The server as an ASGI application, at ``/<anything>/rest/model/…`` and ``/<anything>/rpc/``."""

    def __init__(self, rows: Mapping[str, list[Row]] | None = None) -> None:
        self.rows = recorded() if rows is None else rows
        self.bad_log_ins = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One ASGI exchange."""
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{kind}.complete"})
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        path = unquote(scope["path"])
        if path.endswith("/rpc/"):
            status, answer = self._rpc(headers.get("authorization", ""), json.loads(body))
        else:
            status, answer = self._rest(
                headers.get("authorization", ""), path, scope["query_string"].decode()
            )
        text = isinstance(answer, str)
        media = b"text/html; charset=utf-8" if text else b"application/json"
        content = answer if isinstance(answer, str) else json.dumps(answer)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", media)]})
        await send({"type": "http.response.body", "body": content.encode()})

    def _rest(self, authorization: str, path: str, query: str) -> tuple[int, Any]:
        if authorization.lower() != f"bearer {KEY}":
            return 401, PAGE.format(
                401, "Unauthorized", "The server could not verify that you are authorized"
            )
        asked = parse_qs(query)
        try:
            return 200, self._search(
                path.rpartition("/")[2],
                _unpacked(asked, "d"),
                int(asked.get("p", ["0"])[0]),
                int(asked["s"][0]) if "s" in asked else None,
                _unpacked(asked, "o"),
                asked.get("f", ["rec_name"]),
            )
        except KeyError as error:
            name = str(error).replace("'", "&#39;")
            return 500, PAGE.format(500, "Internal Server Error", name)

    def _rpc(self, authorization: str, call: Row) -> tuple[int, Any]:
        method, params = call["method"], call["params"]
        if method == "common.db.login":
            return self._login(call["id"], *params)
        if authorization != SESSION:
            return 401, ""
        try:
            domain, offset, limit, order, fields = params[:5]
            model = method.removeprefix("model.").removesuffix(".search_read")
            found = self._search(model, domain, offset, limit, order, fields)
            return 200, {"id": call["id"], "result": [dotted(row) for row in found]}
        except KeyError as error:
            return 200, {"id": call["id"], "error": [str(error), ""]}

    def _login(self, number: int, user: str, secrets: Row) -> tuple[int, Any]:
        if self.bad_log_ins >= TRIES:
            return 429, PAGE.format(
                429, "Too Many Requests", "This user has exceeded an allotted request count."
            )
        if (user, secrets.get("password")) != (USER, PASSWORD):
            self.bad_log_ins += 1
            return 401, PAGE.format(401, "Unauthorized", "You either supplied the wrong credentials")
        return 200, {"id": number, "result": [1, TOKEN, None]}

    def _search(
        self,
        model: str,
        domain: list[Any],
        offset: int,
        limit: int | None,
        order: list[Any],
        fields: list[str],
    ) -> list[Row]:
        rows = [row for row in self.rows[model] if matches(row, domain)]
        for name, direction in reversed(order or []):
            rows.sort(key=lambda row: rank(row[name]), reverse=direction == "DESC")
        end = None if limit is None else offset + limit
        return [projected(row, fields) for row in rows[offset:end]]


def _unpacked(asked: Mapping[str, list[str]], name: str) -> Any:
    return json.loads(urlsafe_b64decode(asked[name][0])) if name in asked else []


def rank(value: Any) -> Any:
    """A value of the wire in an order: dates and times by their parts."""
    if isinstance(value, Mapping):
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return tuple(value.get(name, 0) for name in names)
    return value


def values(row: Any, path: str) -> list[Any]:
    """Every value at a dotted path, through lists; raises KeyError for a name that is not there."""
    found = [row]
    for name in path.split("."):
        step = [one for value in found for one in (value if isinstance(value, list) else [value])]
        found = [value[name] for value in step if value is not None]
    return found or [None]


def matches(row: Row, domain: Iterable[Any]) -> bool:
    """Whether a row is in a domain: conditions joined by AND, or by OR where the list says so first."""
    parts = list(domain)
    if parts and parts[0] in ("OR", "AND"):
        met = [_met(row, part) for part in parts[1:]]
        return any(met) if parts[0] == "OR" else all(met)
    return all(_met(row, part) for part in parts)


def _met(row: Row, part: list[Any]) -> bool:
    if not part or not isinstance(part[0], str) or part[0] in ("OR", "AND"):
        return matches(row, part)
    path, operator, wanted = part[:3]
    return any(_compare(value, operator, wanted) for value in values(row, path))


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    if isinstance(value, Mapping) and "id" in value and not isinstance(wanted, Mapping):
        value = value["id"]
    if operator == "in":
        return value in wanted
    if operator in ("=", "!="):
        return (value == wanted) is (operator == "=")
    if value is None:
        return False
    if operator == "ilike":
        return wanted.strip("%").replace("\\", "").lower() in str(value).lower()
    left, right = rank(value), rank(wanted)
    return bool({">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[operator])


def projected(row: Row, fields: Iterable[str]) -> Row:
    """A row with the fields asked for, nested as REST nests them; raises KeyError for a name that is not there."""
    groups: dict[str, list[str]] = {}
    for field in fields:
        name, _, rest = field.partition(".")
        groups.setdefault(name, [])
        if rest:
            groups[name].append(rest)
    found: dict[str, Any] = {"id": row["id"], "__name__": row.get("__name__", "")}
    for name, inner in groups.items():
        value = row[name]
        if inner and isinstance(value, list):
            value = [projected(one, inner) for one in value]
        elif inner and value is not None:
            value = projected(value, inner)
        found[name] = value
    return found


def dotted(value: Any) -> Any:
    """A row of REST as JSON-RPC has it: what was followed is named with a dot, and rows do not say their model."""
    if isinstance(value, list):
        return [dotted(one) for one in value]
    if not isinstance(value, Mapping) or "__class__" in value:
        return value
    return {
        f"{name}." if _followed(inner) else name: dotted(inner)
        for name, inner in value.items()
        if name != "__name__"
    }


def _followed(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], Mapping)
    return isinstance(value, Mapping) and "id" in value
