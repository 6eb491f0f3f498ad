"""Protocol in, raw JSON out. Knows requests, statuses and decoding; knows no canonical type."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from schema.errors import SourceRefused, SourceUnavailable
from sources.http import Http, Pairs, Transport
from sources.rest.config import RestConfig
from sources.rest.paths import compile_path

_REFUSALS = frozenset({400, 404, 405, 409, 410, 415, 422})
MESSAGE = 120
# Fractions stay text, so that a decimal is what the system wrote and not what a float makes of it.
_decoder = msgspec.json.Decoder(float_hook=str)


@dataclass(frozen=True, slots=True)
class Payload:
    """A decoded answer. ``found`` is False where the status said that nothing is known.

    Where it could be decoded into records, ``typed`` are its rows, ``value`` is what else is needed of it, and ``again``
    decodes it as it is.
    """

    value: Any
    headers: Mapping[str, str]
    fetched_at: datetime
    found: bool = True
    typed: list[Any] | None = None
    again: Callable[[], Any] = lambda: None


class RestClient:
    """Calls one system and decodes what it says."""

    def __init__(self, config: RestConfig, transport: Transport | None = None) -> None:
        self.http = Http(config, transport)
        self._code = config.code
        self._message = None if config.error_message is None else compile_path(config.error_message)

    async def call(
        self,
        method: str,
        path: str,
        *,
        deadline: float,
        params: Pairs = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        missing: frozenset[int] = frozenset(),
        answer_of: Callable[[bytes], tuple[list[Any], Any] | None] | None = None,
    ) -> Payload:
        """One call; raises SourceError. Statuses in ``missing`` mean that nothing is known.

        ``answer_of`` decodes a body into the records of its rows, or gives None where it has not their shape.
        """
        allow = missing | (_REFUSALS if self._message is not None else frozenset())
        answer = await self.http.send(
            method, path, deadline=deadline, params=params, headers=headers, body=body, allow=allow
        )
        now = datetime.now(UTC)
        if answer.status in missing or answer.status == 204:
            return Payload(None, answer.headers, now, found=False)
        if answer.status >= 300:
            said = self._said(answer.body)
            raise SourceRefused(f"{self._code} answered {method} {path} with {answer.status}{said}")
        again = partial(self._decode, answer.body, f"{method} {path}")
        typed = None if answer_of is None else answer_of(answer.body)
        if typed is None:
            return Payload(again(), answer.headers, now, again=again)
        return Payload(typed[1], answer.headers, now, typed=typed[0], again=again)

    def _decode(self, body: bytes, where: str) -> Any:
        try:
            return _decoder.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise SourceUnavailable(
                f"{self._code} answered {where} with something that is not JSON"
            ) from error

    def _said(self, body: bytes) -> str:
        if self._message is None:
            return ""
        ctx: Any = None
        try:
            said = self._message(_decoder.decode(body), None, ctx)
        except (msgspec.MsgspecError, ValueError, AttributeError, RecursionError):
            return ""
        return f": {said[:MESSAGE]}" if isinstance(said, str) else ""
