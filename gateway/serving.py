"""From settings to a listening process: logs, the port, the warnings, the server."""

import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from gateway.app import create_app
from gateway.cautions import warnings_of
from gateway.config import Settings
from gateway.server import server_config
from gateway.telemetry import configure_logging
from schema.errors import ConfigError


def start_logging(settings: Settings) -> None:
    """Logs to standard error, as JSON lines unless a person is looking."""
    style = settings.log_format
    if style == "auto":
        style = "console" if sys.stderr.isatty() else "json"
    configure_logging("json" if style == "json" else "console", settings.log_level)


def listening_socket(host: str, port: int, option: str) -> socket.socket:
    """A bound socket; raises ConfigError naming the option to change where the port is taken or the host is not ours."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(
            f"{host} is no address of this machine: {error.strerror}", hint="Change host."
        ) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(2048)
    except OSError as error:
        bound.close()
        raise ConfigError(_reason(error, host, port), hint=f"Choose another with {option}.") from error
    return bound


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} at {host} is taken by another program"
    return f"port {port} at {host} cannot be opened: {error.strerror}"


def serve(settings: Settings, file: Path | None, announce: Callable[[str], None] = lambda url: None) -> None:
    """Serves until SIGINT or SIGTERM; answers under way are finished first. Raises ConfigError if it cannot start.

    ``announce`` is called with the endpoint's URL once connections are accepted.
    """
    # Both signals end the program in the same way, from the first moment on; uvicorn restores this when it is done.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), listening_socket(settings.host, settings.port, "--port") as bound:
        start_logging(settings)
        log = structlog.get_logger("crossdock")
        for sentence in warnings_of(settings):
            log.warning(sentence)
        config = server_config(
            _application(settings, file),
            settings.host,
            bound.getsockname()[1],
            workers=settings.workers,
            graceful_seconds=max(1, settings.shutdown_ms // 1000),
            message_bytes=settings.limits.max_body_bytes,
            keep_alive_seconds=settings.streams.keep_alive_ms / 1000,
        )
        url = f"http://{_in_url(settings.host)}:{bound.getsockname()[1]}/graphql"
        log.info("serving", url=url, systems=sorted(settings.systems), workers=settings.workers)
        announce(url)
        if settings.workers > 1:
            Multiprocess(config, sockets=[bound]).run()
        else:
            uvicorn.Server(config).run(sockets=[bound])


def _application(settings: Settings, file: Path | None) -> ASGIApp | str:
    """The application, or for several workers the module that makes it from the same file and environment."""
    if settings.workers == 1:
        app = create_app(settings)
        settled()
        return app
    if file is None:
        raise ConfigError("several workers need a configuration file", hint="Name it with --config.")
    os.environ["CROSSDOCK_CONFIG"] = str(file.resolve())
    # The workers read the file and the environment, not the options.
    os.environ["CROSSDOCK_LOG_LEVEL"] = settings.log_level
    return "gateway.worker:app"


def settled() -> None:
    """What is there at the start stays: the garbage collector need not look at it again, nor after every few objects.

    An answer's rows are many small objects without cycles: looking through them at the default pace was most of the CPU
    of a large page (measured with ``python -m benchmarks --only warm``).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
