"""The command line: serve, demo, check, explain, invalidate, schema, crosswalk."""

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.check import run_check
from gateway.config import load_settings
from gateway.crosswalk.cli import crosswalk_app
from gateway.demo import demo_file, run_demo
from gateway.events.asyncapi import compare_events, present_events
from gateway.events.cli import events_app
from gateway.explaining import explained
from gateway.invalidating import address, invalidated
from gateway.sdl import COMMITTED, EXCUSES, Comparison, committed_sdl, compare, present_sdl, read_excuses
from gateway.serving import serve as run_server
from gateway.simulated import Plant
from schema.errors import CrossdockError, RequestError

app = typer.Typer(
    name="crossdock",
    help="One GraphQL schema over production orders, inventory, lots and shipments, live from the systems that own them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
schema_app = typer.Typer(help="The schema as text.", no_args_is_help=True)
app.add_typer(schema_app, name="schema")
app.add_typer(crosswalk_app, name="crosswalk")
app.add_typer(events_app, name="events")


class Erp(StrEnum):
    """Which ERP the demo has."""

    SIMULATED = "simulated"
    TRYTON = "tryton"


Config = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="CROSSDOCK_CONFIG", help="The TOML file of settings and systems."),
]
Host = Annotated[str | None, typer.Option(help="Address to listen at.")]
Port = Annotated[int | None, typer.Option(help="Port to listen at; 0 takes a free one.")]


@app.command()
def serve(
    config: Config,
    host: Host = None,
    port: Port = None,
    workers: Annotated[int | None, typer.Option(help="Processes that answer requests.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Serve the gateway. Options win over the environment, which wins over the file."""
    options = {"host": host, "port": port, "workers": workers, "log_level": log_level}
    run_server(load_settings(config, options=options), config)


@app.command()
def demo(
    port: Port = None,
    systems_port: Annotated[
        int, typer.Option(min=0, max=65500, help="First port of the simulated systems.")
    ] = 9100,
    seed: Annotated[int, typer.Option(help="Another seed is another plant.")] = 7,
    speed: Annotated[
        float, typer.Option(min=0, max=3600, help="How much faster than life the plant runs.")
    ] = 60,
    latency_ms: Annotated[
        int, typer.Option(min=0, max=60000, help="How long each system takes to answer.")
    ] = 0,
    erp: Annotated[
        Erp, typer.Option(help="The ERP: simulated, or a real Tryton server, installed on first use.")
    ] = Erp.SIMULATED,
) -> None:
    """Serve the gateway over a simulated plant. Ctrl-C ends everything."""
    run_demo(Plant(seed, speed, latency_ms), systems_port, {"port": port}, tryton=erp is Erp.TRYTON)


@app.command()
def check(config: Config) -> None:
    """Check a configuration against the live systems: settings, reachability, credentials, a sample of each type."""
    raise typer.Exit(asyncio.run(run_check(load_settings(config), sys.stdout)))


@app.command()
def explain(
    query: Annotated[str, typer.Argument(help="The query, or a file with it; - reads standard input.")],
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", envvar="CROSSDOCK_CONFIG", help="The demo's, if not given."),
    ] = None,
    variables: Annotated[
        str | None, typer.Option(help="Values of its variables, as JSON; a page size changes the price.")
    ] = None,
) -> None:
    """Show the hops of a query, system by system, and what they cost. Nothing is asked of any system."""
    for line in explained(_query_text(query), load_settings(config or demo_file()), variables):
        typer.echo(line)


@app.command()
def invalidate(
    tags: Annotated[
        list[str],
        typer.Argument(help="Ids (po:1710/1000040), all of a kind (po:*) or systems (sys:SAP_PRD)."),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            envvar="CROSSDOCK_CONFIG",
            help="Its settings say where it listens and the token.",
        ),
    ] = None,
    url: Annotated[str | None, typer.Option(help="Where the gateway listens, if not as configured.")] = None,
) -> None:
    """Let a running gateway, and all that share its Redis, forget what they keep about some objects."""
    settings = load_settings(config)
    token = settings.admin_token.resolve() if settings.admin_token is not None else None
    for tag in invalidated(tags, url or address(settings), token):
        typer.echo(tag)


def _query_text(argument: str) -> str:
    if argument == "-":
        return sys.stdin.read()
    # A query has braces, which no sensible file name has.
    if "{" in argument:
        return argument
    try:
        return Path(argument).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{argument}: cannot be read", hint="Give a query, or a file with one.") from error


@schema_app.command("print")
def schema_print() -> None:
    """Print the schema of this program."""
    typer.echo(present_sdl(), nl=False)


@schema_app.command("events")
def schema_events(
    against: Annotated[Path | None, typer.Option(help="A file to compare with, instead of printing.")] = None,
    excuses: Annotated[
        Path, typer.Option(help="Breaking changes that were decided, with their reasons.")
    ] = EXCUSES,
) -> None:
    """Print the events of this program as AsyncAPI 3.0, or compare them with a file as `schema diff` does."""
    if against is None:
        typer.echo(present_events(), nl=False)
        return
    found = compare_events(committed_sdl(against), present_events(), read_excuses(excuses))
    _report(found, f"crossdock schema events > {against}")


@schema_app.command("diff")
def schema_diff(
    against: Annotated[
        Path | None, typer.Option(help="The schema to compare with.", show_default=str(COMMITTED))
    ] = None,
    excuses: Annotated[
        Path, typer.Option(help="Breaking changes that were decided, with their reasons.")
    ] = EXCUSES,
) -> None:
    """Compare with the committed schema. Fails on breaking changes without a reason, and on a file not renewed."""
    found = compare(committed_sdl(against), present_sdl(), read_excuses(excuses))
    _report(found, f"crossdock schema print > {against or COMMITTED}")


def _report(found: Comparison, renewal: str) -> None:
    """Say what changed; the status tells whether that is all right."""
    for title, changes in (
        ("breaking", found.breaking),
        ("excused", found.excused),
        ("dangerous", found.dangerous),
    ):
        for change in changes:
            typer.echo(f"{title}: {change}")
    if not found.same:
        typer.echo(f"The schema has changed: {renewal}")
    raise typer.Exit(0 if found.same and not found.breaking else 1)


def main() -> None:
    """Run the command line; errors raised on purpose are one message and exit status 2."""
    try:
        app()
    except CrossdockError as error:
        hint = f"\n  {error.hint}" if error.hint else ""
        sys.exit(_failed(f"crossdock: {error}{hint}"))
    except KeyboardInterrupt:
        sys.exit(130)


def _failed(message: str) -> int:
    print(message, file=sys.stderr)
    return 2
