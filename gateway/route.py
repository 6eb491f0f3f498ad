"""The way in: ``/graphql`` straight to its endpoint, everything else by the routes; and the shortest way of all.

A request whose very bytes asked for a kept answer before is answered here: its body is not parsed, no operation begins,
and the answer leaves in one write where the server is ours (``gateway.server``).
"""

import time
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.answers import Answers, Head, Kept, encoded, entity_tag, matches, storable
from gateway.envelope import SCOPE_KEY, Envelope
from gateway.http import GraphQLEndpoint, content
from gateway.request import HttpRefusal
from gateway.server import CYCLE, write_whole
from gateway.telemetry import RequestFacts, RequestLog, access_line, request_id

PATH = "/graphql"
SNIFF = (b"x-content-type-options", b"nosniff")


class Front:
    """The whole application. ``endpoint`` says itself by which id and with which status it answers."""

    def __init__(self, endpoint: GraphQLEndpoint, others: ASGIApp, answers: Answers | None = None) -> None:
        self.others = others
        self.answers = answers
        self._endpoint = RequestLog(endpoint, tags=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request for a kept answer, and passes everything else on."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self.others(scope, receive, send)
            return
        answers = self.answers
        if answers is None:
            await self._endpoint(scope, receive, send)
            return
        began = time.perf_counter()
        scope[SCOPE_KEY] = envelope = Envelope(scope, receive)
        found = recalled(answers, envelope, scope)
        if found is None:
            await self._endpoint(scope, envelope.receive, send)
            return
        kept, media, age = found
        facts = RequestFacts(request_id(envelope.said.get(b"x-request-id")), kept.question.operation, "query")
        head = kept.heads.get(media) or head_of(kept, media)
        body = kept.body
        condition = envelope.said.get(b"if-none-match")
        if (
            condition is not None
            and scope["method"] == "GET"
            and matches(condition.decode("latin-1"), head.tag)
        ):
            facts.status, body, fixed = 304, b"", head.unmodified
        else:
            facts.status, fixed = 200, head.whole
        lines = b"age: %d\r\nx-request-id: %b\r\n" % (age, facts.request_id.encode("latin-1"))
        cycle = scope.get(CYCLE)
        if cycle is None or not write_whole(cycle, facts.status, fixed + lines, body):
            await _sent(send, facts.status, fixed + lines, body)
        access_line(scope, facts, time.perf_counter() - began)


def recalled(answers: Answers, envelope: Envelope, scope: Mapping[str, Any]) -> tuple[Kept, str, int] | None:
    """The kept answer that these bytes ask for, its media type and its age."""
    if envelope.key is None:
        return None
    try:
        return answers.recall(envelope.key, scope)
    except HttpRefusal:
        # Said in full where the request is read.
        return None


def head_of(kept: Kept, media: str) -> Head:
    """The header lines of a kept answer that do not change; made once."""
    tag = entity_tag(kept.body, media)
    said = storable(kept.life, 0) | {"ETag": tag}
    del said["Age"]
    fixed = (*encoded(said), SNIFF)
    head = Head(tag, _lines((*fixed, *content(kept.body, media))), _lines(fixed))
    kept.heads[media] = head
    return head


def _lines(headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


async def _sent(send: Send, status: int, lines: bytes, body: bytes) -> None:
    """The same by the ordinary way, for any other server."""
    pairs = [line.split(b": ", 1) for line in lines.split(b"\r\n")[:-1]]
    headers = [(name, value) for name, value in pairs]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
