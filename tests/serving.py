"""A real HTTP server for an ASGI application, in a thread of its own, on a free port."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


@contextmanager
def serving(app: Any, port: int = 0) -> Iterator[str]:
    """Serve the application on 127.0.0.1; yields its base URL."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="critical", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="serving", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{_port(server, thread)}"
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the server did not stop within 10 s"


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    for _ in range(2000):
        if server.started:
            port: int = server.servers[0].sockets[0].getsockname()[1]
            return port
        assert thread.is_alive(), "the server ended before it listened"
        time.sleep(0.005)
    raise AssertionError("the server did not listen within 10 s")
