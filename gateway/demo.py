"""The demo: the simulated plant and a gateway over it, from the configuration that serves as the example."""

import os
import re
import shlex
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson

from gateway.app import FIRST_ORDER
from gateway.config import Settings, load_settings
from gateway.serving import listening_socket, serve
from gateway.simulated import Plant, simulated
from gateway.tomlfile import TomlFile, parse_toml
from schema.errors import ConfigError
from sources.tryton.demo import DemoError, TrytonServer, running

LOOPBACK = "127.0.0.1"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crossdock" / "tryton"
FIRST_PORT = 9100
"""The port that the packaged configuration counts its systems from."""
ORDER = (
    '{ productionOrder(id: "%s") { status item { description } planning { quantity { value unit } } '
    "execution { good { value unit } } sources { system { code } group outcome } } }"
)
ORDERS = (
    "{ productionOrders(first: 3) { nodes { number status item { description } "
    "operations { number status } } } }"
)
ERP = "SAP_PRD"
REGISTER_SECONDS = 10.0
TRYTON_PLANT = {"name": "Plant Kassel", "time_zone": "Europe/Berlin"}


def demo_file() -> TomlFile:
    """The packaged configuration, with the lines for its errors."""
    packaged = files("gateway").joinpath("demo.toml")
    return parse_toml(packaged.read_text("utf-8"), str(packaged))


def at_ports(data: Mapping[str, Any], ports: Mapping[str, int]) -> dict[str, Any]:
    """The configuration with each system's address, wherever it stands, moved to the port given to its code."""
    systems = {
        code: _moved(table, urlsplit(table["base_url"]).netloc, f"{LOOPBACK}:{ports[code]}")
        for code, table in data["systems"].items()
        if code in ports
    }
    return {**data, "systems": {**data["systems"], **systems}}


def _moved(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return re.sub(rf"//{re.escape(old)}(?=/|$)", f"//{new}", value)
    if isinstance(value, dict):
        return {key: _moved(inner, old, new) for key, inner in value.items()}
    return [_moved(inner, old, new) for inner in value] if isinstance(value, list) else value


@contextmanager
def simulated_settings(
    plant: Plant, systems_port: int, options: Mapping[str, Any], erp: TrytonServer | None = None
) -> Iterator[Settings]:
    """Settings of a gateway over a running simulated plant; ``systems_port`` is its first port, 0 takes free ones.

    With a Tryton server its plant's ERP is that, and there is no simulated one.
    """
    file = demo_file()
    data = file.data if erp is None else with_tryton(file.data, erp)
    with ExitStack() as stack:
        sockets = {
            code: stack.enter_context(
                listening_socket(LOOPBACK, _port(table, systems_port), "--systems-port")
            )
            for code, table in data["systems"].items()
            if table["adapter"] == "rest"
        }
        ports = {code: bound.getsockname()[1] for code, bound in sockets.items()}
        kept = stack.enter_context(TemporaryDirectory(prefix="crossdock-demo-"))
        moved = {"database_url": f"sqlite:///{kept}/crossdock.db", **at_ports(data, ports)}
        settings = load_settings(TomlFile(file.name, moved, file.lines), options=options)
        stack.enter_context(simulated(plant, sockets))
        for bound in sockets.values():
            # The child has its own; as long as ours is open too, a stopped system would still accept connections.
            bound.close()
        yield settings


def _port(table: Mapping[str, Any], systems_port: int) -> int:
    """The port of a system: as far from the first one as in the file, so that the file's comments stay true."""
    return systems_port and systems_port + (urlsplit(table["base_url"]).port or FIRST_PORT) - FIRST_PORT


def with_tryton(data: Mapping[str, Any], server: TrytonServer) -> dict[str, Any]:
    """The configuration with a Tryton server in the place of the simulated ERP, for the plant that it knows."""
    table = {
        "adapter": "tryton",
        "kind": "ERP",
        "vendor": "Tryton 8.2",
        "plants": ["KAS"],
        "base_url": server.url,
        "auth": {"type": "bearer", "token": {"value": server.key}},
        "time_zone": "Europe/Berlin",
        "quarantine": ["KAS-QUAR"],
        "timeout_ms": 5000,
    }
    others = {code: system for code, system in data["systems"].items() if code != ERP}
    return {**data, "plants": {**data["plants"], "KAS": TRYTON_PLANT}, "systems": {"TRYTON": table, **others}}


def run_demo(plant: Plant, systems_port: int, options: Mapping[str, Any], *, tryton: bool = False) -> None:
    """Serves the demo until SIGINT or SIGTERM. Raises ConfigError if a port is taken or Tryton cannot be started."""
    # From here on both signals unwind the stack below, so that nothing started here is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        erp = stack.enter_context(_tryton()) if tryton else None
        settings = stack.enter_context(simulated_settings(plant, systems_port, options, erp))
        query = ORDERS if tryton else ORDER % FIRST_ORDER

        def ready(url: str) -> None:
            print(welcome(url, settings, query), flush=True)
            # The systems send from now on: by themselves, so nothing here waits for them.
            Thread(target=register, args=(settings, url), daemon=True).start()

        serve(settings, None, ready)


def register(settings: Settings, url: str) -> None:
    """Tell the simulated systems that have something to tell where to send it: to the gateway at this address."""
    root = url.removesuffix("/graphql")
    for code, system in settings.systems.items():
        if system.ingest is None or system.adapter != "rest":
            continue
        place = urlsplit(getattr(system, "base_url", "")).netloc
        answer = httpx2.post(
            f"http://{place}/__webhook",
            json={"url": f"{root}/ingest/{code}"},
            timeout=REGISTER_SECONDS,
            trust_env=False,
        )
        answer.raise_for_status()


@contextmanager
def _tryton() -> Iterator[TrytonServer]:
    print(
        "Starting Tryton; the first time it is installed and seeded, which takes a minute or two.", flush=True
    )
    try:
        with running(CACHE) as server:
            yield server
    except DemoError as error:
        raise ConfigError(f"Tryton did not start: {error}", hint="Use the demo without --erp.") from error


def welcome(url: str, settings: Settings, query: str) -> str:
    """What to open and what to ask first."""
    body = orjson.dumps({"query": query}).decode()
    systems = "\n".join(
        f"  {code:<9} {system.kind:<9} {getattr(system, 'base_url', '')}"
        for code, system in settings.systems.items()
    )
    return f"""
Crossdock over {len(settings.systems)} systems of a simulated plant:
{systems}

Open   {url}
or ask, and get one answer joined from the systems that know it:

  curl -s {url} -H 'Content-Type: application/json' -d {shlex.quote(body)}

The plant runs, and its systems tell what happens as it happens:

  curl -s '{url.removesuffix("/graphql")}/admin/events?first=5'

Ctrl-C ends everything.
"""
