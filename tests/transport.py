"""A system without a network: a function from request to response, in the words of httpx2, as the seam of ``Http``."""

from collections.abc import Awaitable, Callable
from inspect import isawaitable

import httpx2

from sources.http import Answer, Heard, Request, Transport


def mocked(answer: Callable[[httpx2.Request], httpx2.Response | Awaitable[httpx2.Response]]) -> Transport:
    """A transport that answers as this function says."""

    async def carry(request: Request, heard: Heard) -> Answer:
        asked = httpx2.Request(
            request.method, request.url, headers=dict(request.headers), content=request.body
        )
        said = answer(asked)
        response = await said if isawaitable(said) else said
        headers = {name.lower(): value for name, value in response.headers.items()}
        heard(headers)
        return Answer(response.status_code, headers, response.content)

    return carry
