"""The way in: ``/graphql`` straight to its endpoint, everything else by the routes; and the shortest way of all.

A request whose very bytes asked for a kept answer before is answered here: its body is not parsed, no operation begins,
and the answer leaves in one write where the server is ours (``gateway.server``).
"""

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.answers import Answers, Head, Kept, encoded, entity_tag, matches, storable
from gateway.envelope import SCOPE_KEY, Envelope, Taken
from gateway.http import GraphQLEndpoint, content, head_lines
from gateway.request import HttpRefusal
from gateway.telemetry import RequestFacts, RequestLog, access_line, request_id

PATH = "/graphql"
Write: TypeAlias = Callable[[int, bytes, bytes], None]
SNIFF = (b"x-content-type-options", b"nosniff")


class Front:
    """The whole application. ``endpoint`` says itself by which id and with which status it answers.

    A server that has a whole request at hand may ask ``at_once`` before it calls the application.
    """

    def __init__(self, endpoint: GraphQLEndpoint, others: ASGIApp, answers: Answers | None = None) -> None:
        self.others = others
        self.answers = answers
        self._endpoint = RequestLog(endpoint, tags=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request for a kept answer, and passes everything else on."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self.others(scope, receive, send)
            return
        if self.answers is not None and SCOPE_KEY not in scope:
            body = None
            if scope["method"] == "POST":
                taken = Taken(receive)
                receive, body = taken.receive, taken.body
            found: list[tuple[int, bytes, bytes]] = []
            if self.at_once(scope, body, lambda *said: found.append(said)):
                await _sent(send, *found[0])
                return
        await self._endpoint(scope, receive, send)

    def at_once(self, scope: Scope, body: bytes | None, write: Write) -> bool:
        """Write the kept answer that a request asks for, if there is one; False where it must be read.

        ``body`` is all of it, or None. ``write`` takes the status, the header lines and the body.
        """
        answers = self.answers
        if answers is None or scope["path"] != PATH:
            return False
        began = time.perf_counter()
        scope[SCOPE_KEY] = envelope = Envelope(scope, body)
        found = recalled(answers, envelope, scope)
        if found is None:
            return False
        kept, media, age = found
        facts = RequestFacts(request_id(envelope.said.get(b"x-request-id")), kept.question.operation, "query")
        head = kept.heads.get(media) or head_of(kept, media)
        lines = b"age: %d\r\nx-request-id: %b\r\n" % (age, facts.request_id.encode("latin-1"))
        condition = envelope.said.get(b"if-none-match")
        unmodified = (
            condition is not None
            and scope["method"] == "GET"
            and matches(condition.decode("latin-1"), head.tag)
        )
        if unmodified:
            facts.status = HTTPStatus.NOT_MODIFIED.value
            write(facts.status, head.unmodified + lines, b"")
        else:
            facts.status = HTTPStatus.OK.value
            write(facts.status, head.whole + lines, kept.body)
        access_line(scope, facts, time.perf_counter() - began)
        return True


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
    head = Head(tag, head_lines((*fixed, *content(kept.body, media))), head_lines(fixed))
    kept.heads[media] = head
    return head


async def _sent(send: Send, status: int, lines: bytes, body: bytes) -> None:
    """The same by the ordinary way, for any other server."""
    headers = [tuple(line.split(b": ", 1)) for line in lines.split(b"\r\n")[:-1]]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
