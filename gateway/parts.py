"""What a client is told part by part, in the draft's own shape, its errors masked like those of any answer.

``extensions`` stand in the first part with what is known by then, and in the last with all of it.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import structlog
from graphql import GraphQLError
from graphql.execution import SubsequentIncrementalExecutionResult
from graphql.execution.types import CompletedResult, PendingResult

from gateway.masking import MAX_ERRORS, Logged, internal_error, present_all
from gateway.multipart import Form, Payload
from resolvers.execution.incremental import Parts

log = structlog.get_logger("crossdock.graphql")


class Delivery:
    """An answer in parts on its way. Must be closed, read to its end or not: ``closing`` holds what ends with it.

    ``until`` is when the last part should be told, in seconds of ``time.monotonic()``, if that is bounded;
    ``extensions`` gives what is known so far.
    """

    def __init__(
        self,
        parts: Parts,
        form: Form,
        request_id: str,
        *,
        extensions: Callable[[], dict[str, Any] | None] | None = None,
        until: float | None = None,
        debug: bool = False,
    ) -> None:
        self.form, self.until = form, until
        self.closing = AsyncExitStack()
        self._parts, self._extensions = parts, extensions
        self._request_id, self._debug = request_id, debug
        self._write = form.writer()
        self._pending: dict[str, None] = {}
        self._logged: Logged = set()
        self._errors_left = MAX_ERRORS

    def initial(self) -> Payload:
        """The first part."""
        first = self._parts.initial
        said = self._errors(first.errors)
        said |= {"data": first.data, "pending": self._announced(first.pending), "hasNext": True}
        return self._write(said | self._more())

    async def later(self) -> AsyncIterator[Payload]:
        """The parts that follow; the last one says so (``hasNext``). A fault of ours ends what is still pending."""
        try:
            async for part in self._parts.later:
                yield self._write(self._payload(part))
        except Exception:
            log.exception("unexpected error between two parts of an answer")
            fault = [internal_error(self._request_id)]
            failed = [{"id": each, "errors": fault} for each in self._pending]
            yield self._write({"completed": failed, "hasNext": False})

    async def close(self) -> None:
        """End what is left, and what was kept open for it."""
        await self.closing.aclose()

    def _payload(self, part: SubsequentIncrementalExecutionResult) -> Payload:
        said: Payload = {}
        if part.pending:
            said["pending"] = self._announced(part.pending)
        if part.incremental:
            said["incremental"] = [one.formatted | self._errors(one.errors) for one in part.incremental]
        if part.completed:
            said["completed"] = [self._completed(one) for one in part.completed]
        said["hasNext"] = part.has_next
        return said if part.has_next else said | self._more()

    def _announced(self, pending: Sequence[PendingResult]) -> list[Any]:
        self._pending.update({one.id: None for one in pending})
        return [one.formatted for one in pending]

    def _completed(self, one: CompletedResult) -> Payload:
        """Errors here mean that the part is not coming: none of them is left out."""
        del self._pending[one.id]
        return {"id": one.id} | ({"errors": self._shown(one.errors)} if one.errors else {})

    def _errors(self, errors: Sequence[GraphQLError] | None) -> Payload:
        """As in any answer there are at most so many."""
        shown = self._shown((errors or ())[: self._errors_left])
        self._errors_left -= len(shown)
        return {"errors": shown} if shown else {}

    def _shown(self, errors: Sequence[GraphQLError]) -> list[dict[str, Any]]:
        return present_all(errors, "BAD_USER_INPUT", self._request_id, self._logged, debug=self._debug)

    def _more(self) -> Payload:
        extensions = self._extensions() if self._extensions is not None else None
        return {"extensions": extensions} if extensions else {}
