"""Tryton's wire: a search over REST or JSON-RPC in, plain rows out. Knows no canonical type.

Both interfaces take the same domains and the same dotted field names; REST nests what it follows under the field's
name, JSON-RPC under the name with a dot. Here a row is the same whichever way it came.
"""

import asyncio
import re
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

import msgspec

from schema.errors import (
    MappingError,
    SourceError,
    SourceForbidden,
    SourceRefused,
    SourceUnavailable,
)
from sources.credentials import Basic, Bearer
from sources.http import Answer, Http, HttpConfig, Transport

Row: TypeAlias = dict[str, Any]
Domain: TypeAlias = Sequence[Any]
Order: TypeAlias = Sequence[tuple[str, str]]

CHUNK = 1000
"""Rows asked for at once where a call wants them all."""
HOLD_OFF = 30.0
"""Seconds without a log-in after a refused one: a handful of bad ones locks the user's account out."""
REPORTED = frozenset({400, 500})
"""Statuses whose body says what is wrong."""
WRONG_NAME = re.compile(
    r"<p>(?:&#39;|')([\w.]+)(?:&#39;|')</p>|has no attribute (?:&#39;|')(\w+)|Missing search function for field &#34;([^&]+)"
)
"""How a 500 page shows that a model or field of ours is unknown there: the KeyError or AttributeError of Python."""
CONFLICT = "ConcurrencyException"


class Client:
    """Searches of one Tryton database."""

    def __init__(self, config: HttpConfig, transport: Transport | None = None) -> None:
        self.code = config.code
        self._http = Http(config, transport)
        self._auth = config.auth
        self._password = ""
        self._session: str | None = None
        self._opening = asyncio.Lock()
        self._refused_until = 0.0

    async def open(self) -> None:
        """Resolve the secrets; sends nothing."""
        await self._http.open()
        if isinstance(self._auth, Basic):
            self._password = await asyncio.to_thread(self._auth.password.resolve)

    async def close(self) -> None:
        """Give back the connections."""
        await self._http.close()

    def clock_skew_ms(self) -> int | None:
        """What the dates of its answers tell."""
        return self._http.clock_skew_ms()

    async def search(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        deadline: float,
        *,
        order: Order = (("id", "ASC"),),
    ) -> list[Row]:
        """Every record of a model in a domain, however many."""
        rows: list[Row] = []
        while True:
            page = await self.page(
                model, domain, fields, deadline, first=CHUNK, offset=len(rows), order=order
            )
            rows += page
            if len(page) < CHUNK:
                return rows

    async def page(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        deadline: float,
        *,
        first: int,
        offset: int = 0,
        order: Order = (("id", "ASC"),),
        context: Mapping[str, Any] | None = None,
    ) -> list[Row]:
        """At most ``first`` records after ``offset``; raises SourceError."""
        if isinstance(self._auth, Bearer):
            params = [("d", _packed(domain)), ("o", _packed(order)), ("s", str(first)), ("p", str(offset))]
            params += [("f", name) for name in fields]
            path = f"/rest/model/{model}"
            headers = {"X-Tryton-Context": _packed(context)} if context else {}
            answer = await self._http.send(
                "GET", path, deadline=deadline, params=params, headers=headers, allow=REPORTED
            )
            found = self._rest(answer, model)
        else:
            method = f"model.{model}.search_read"
            asked = [domain, offset, first, order, [*fields], context or {}]
            found = await self.call(method, asked, deadline)
        if not isinstance(found, list):
            raise MappingError(f"{self.code}: a list of {model} was expected, not {_sample(found)}")
        return [plain(row) for row in found]

    async def logout(self, deadline: float) -> None:
        """End the session at the server."""
        if self._session is not None:
            await self._called("common.db.logout", [], deadline, self._session)

    def _rest(self, answer: Answer, model: str) -> Any:
        if answer.status == 500:
            raise self._page_of_error(answer.body.decode(errors="replace"), model)
        content = self._decoded(answer)
        if answer.status == 400:
            said = content.get("message") if isinstance(content, dict) else None
            raise SourceRefused(f"{self.code} refused a search of {model}: {said or _sample(content)}")
        return content

    def _page_of_error(self, page: str, model: str) -> SourceError:
        unknown = WRONG_NAME.search(page)
        if unknown is None:
            return SourceUnavailable(f"{self.code} failed on a search of {model}: 500")
        name = next((found for found in unknown.groups() if found), model)
        return SourceRefused(f"{self.code} knows no {name!r} of {model}", hint=_HINT)

    async def call(self, method: str, params: Sequence[Any], deadline: float) -> Any:
        """One call of JSON-RPC, in a session that is opened or renewed as needed; raises SourceError."""
        session = self._session or await self._login(deadline, ended=None)
        try:
            return await self._called(method, params, deadline, session)
        except SourceForbidden:
            # A session that timed out looks like any other refusal: one fresh log-in tells them apart.
            session = await self._login(deadline, ended=session)
            return await self._called(method, params, deadline, session)

    async def _login(self, deadline: float, ended: str | None) -> str:
        async with self._opening:
            if self._session is not None and self._session != ended:
                return self._session
            user = self._auth.username if isinstance(self._auth, Basic) else ""
            if time.monotonic() < self._refused_until:
                raise SourceForbidden(f"{self.code} refused the log-in of {user!r} just now", hint=_AUTH)
            self._session = None
            params = [user, {"password": self._password}]
            try:
                found = await self._called("common.db.login", params, deadline, None)
            except SourceForbidden:
                self._refused_until = time.monotonic() + HOLD_OFF
                raise
            if not isinstance(found, list) or len(found) < 2:
                raise SourceForbidden(f"{self.code} refused the log-in of {user!r}", hint=_AUTH)
            token = b64encode(f"{user}:{found[0]}:{found[1]}".encode()).decode()
            self._session = f"Session {token}"
            return self._session

    async def _called(self, method: str, params: Sequence[Any], deadline: float, session: str | None) -> Any:
        body = msgspec.json.encode({"id": 1, "method": method, "params": params})
        headers = {"Content-Type": "application/json", "Authorization": session or ""}
        answer = await self._http.send("POST", "/rpc/", deadline=deadline, headers=headers, body=body)
        content = self._decoded(answer)
        if not isinstance(content, dict) or not ({"result", "error"} & content.keys()):
            raise MappingError(f"{self.code} answered {method} with {_sample(content)}")
        if content.get("error"):
            raise self._reported(content["error"], method)
        return content["result"]

    def _reported(self, error: Any, method: str) -> SourceError:
        """Tryton reports failures with status 200: ``[name, details]``, or ``[text of a Python error, ""]``."""
        kind, details = (*error, None)[:2] if isinstance(error, list) and error else (str(error), None)
        said = str(details[0]) if isinstance(details, list) and details else str(details or kind)
        if kind == CONFLICT:
            return SourceUnavailable(f"{self.code}: {said}")
        if kind == "LoginException":
            return SourceForbidden(f"{self.code} refused the log-in", hint=_AUTH)
        return SourceRefused(f"{self.code} refused {method}: {said[:200]}", hint=_HINT)

    def _decoded(self, answer: Answer) -> Any:
        try:
            return msgspec.json.decode(answer.body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise MappingError(f"{self.code} answered with something that is not JSON") from error


_HINT = "check that the Tryton server is series 8.2 and has the modules this adapter reads"
_AUTH = "check auth.username and auth.password, and that the user is active"


def _packed(value: Any) -> str:
    """JSON in URL-safe base 64, as REST wants its domains."""
    return urlsafe_b64encode(msgspec.json.encode(value)).decode()


def _sample(value: Any) -> str:
    return repr(value)[:80]


def plain(value: Any) -> Any:
    """A value of the wire as Python's: dates, datetimes (naive, UTC), Decimals as text, durations; names undotted."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("__class__")
    if kind is not None:
        return _object(kind, value)
    return {name.removesuffix("."): plain(one) for name, one in value.items()}


def _object(kind: str, value: Mapping[str, Any]) -> Any:
    parts = {name: part for name, part in value.items() if name != "__class__"}
    try:
        if kind == "date":
            return date(**parts)
        if kind == "datetime":
            return datetime(**parts)
        if kind == "Decimal":
            return str(parts["decimal"])
        if kind == "timedelta":
            return timedelta(seconds=parts["seconds"])
    except (TypeError, ValueError, KeyError) as error:
        raise MappingError(f"a {kind} was expected, not {_sample(dict(value))}") from error
    return parts
