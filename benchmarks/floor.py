"""The floor: uvicorn with nothing behind it but a static answer of the size that the path names, such as /2048.

python -m benchmarks.floor [port]
"""

import sys
from functools import cache
from typing import Any

import uvicorn

PREFIX, SUFFIX = b'{"data":"', b'"}'


@cache
def _messages(size: int) -> tuple[dict[str, Any], dict[str, Any]]:
    body = PREFIX + b"x" * max(0, size - len(PREFIX) - len(SUFFIX)) + SUFFIX
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers without looking at the request."""
    start, body = _messages(int(scope["path"][1:]))
    await send(start)
    await send(body)


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]) if len(sys.argv) > 1 else 8002,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
