"""``crossdock events``: see messages that a running gateway could not understand, try them again, throw them away."""

from pathlib import Path
from typing import Annotated, Any

import httpx2
import orjson
import typer

from gateway.config import load_settings
from gateway.invalidating import address
from schema.errors import RequestError

SECONDS = 30.0

events_app = typer.Typer(
    help="Events of a running gateway: the log, and the messages that could not become events.",
    no_args_is_help=True,
)

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", envvar="CROSSDOCK_CONFIG", help="Its settings say where it listens and the token."
    ),
]
Url = Annotated[str | None, typer.Option(help="Where the gateway listens, if not as configured.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
System = Annotated[str | None, typer.Option("--system", help="All of this system.")]
All = Annotated[bool, typer.Option("--all", help="All there are.")]
Numbers = Annotated[list[str] | None, typer.Argument(help="Numbers of messages, as listed by parked.")]
First = Annotated[int, typer.Option(min=1, max=1000, help="Most rows.")]


@events_app.command("list")
def list_events(
    config: Config = None,
    url: Url = None,
    about: Annotated[
        str | None, typer.Option(help="Only what touches an object, such as po:1710/1000040.")
    ] = None,
    first: First = 20,
    as_json: Json = False,
) -> None:
    """List the latest events of the log, or those of one object from the first on."""
    params = {"first": str(first)} | ({} if about is None else {"about": about})
    found = _ask(config, url, "GET", "", params=params)["events"]
    marks = ("late", "synthesized")
    lines = [
        f"{one['time']}  {one['type']:<36} {one['subject']:<28} {one['source']}"
        + "".join(f"  {mark}" for mark in marks if one.get(mark))
        for one in found
    ]
    _print(found, lines, as_json, "No event is kept.")


@events_app.command()
def parked(
    config: Config = None, url: Url = None, system: System = None, first: First = 100, as_json: Json = False
) -> None:
    """List the messages that are parked, the oldest first. WAITING ones go on by themselves when their system answers."""
    params = {"first": str(first)} | ({} if system is None else {"system": system})
    found = _ask(config, url, "GET", "/parked", params=params)["parked"]
    lines = [
        f"{one['number']}  {one['system']:<9} {one['receivedAt'][:19]}  x{one['attempts']}  {_clean(one['reason'])}"
        for one in found
    ]
    _print(found, lines, as_json, "Nothing is parked.")


@events_app.command()
def replay(
    numbers: Numbers = None,
    config: Config = None,
    url: Url = None,
    system: System = None,
    all_: All = False,
    as_json: Json = False,
) -> None:
    """Try parked messages again, after their mapping was mended. What was told before is not told twice."""
    found = _ask(config, url, "POST", "/replay", body=_which(numbers, system, all_))["messages"]
    lines = [f"{one['number']}  {one['state']}  {_clean(one.get('reason', ''))}".rstrip() for one in found]
    _print(found, lines, as_json, "Nothing was parked.")


@events_app.command()
def drop(
    numbers: Numbers = None,
    config: Config = None,
    url: Url = None,
    system: System = None,
    all_: All = False,
    as_json: Json = False,
) -> None:
    """Throw parked messages away for good. Those that wait for their system stay."""
    found = _ask(config, url, "POST", "/drop", body=_which(numbers, system, all_))["dropped"]
    _print(found, [f"{number}  dropped" for number in found], as_json, "Nothing was dropped.")


def _which(numbers: list[str] | None, system: str | None, every: bool) -> dict[str, Any]:
    chosen = [bool(numbers), system is not None, every]
    if sum(chosen) != 1:
        raise RequestError(
            "Name numbers of messages, or --system, or --all.", hint="See crossdock events parked."
        )
    return {"numbers": numbers} if numbers else {"system": system} if system is not None else {"all": True}


def _ask(
    config: Path | None,
    url: str | None,
    method: str,
    path: str,
    *,
    params: dict[str, str] | None = None,
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What a gateway answers below /admin/events. Raises RequestError where it is not what was asked for."""
    settings = load_settings(config)
    token = settings.admin_token.resolve() if settings.admin_token is not None else None
    headers = {b"Authorization": f"Bearer {token}".encode()} if token is not None else {}
    place = f"{(url or address(settings)).rstrip('/')}/admin/events{path}"
    try:
        answer = httpx2.request(
            method, place, params=params, json=body, headers=headers, timeout=SECONDS, trust_env=False
        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise RequestError(
            f"{place} cannot be reached: {type(error).__name__}",
            hint="Is the gateway running there? Name another address with --url.",
        ) from error
    if answer.status_code == 404:
        raise RequestError(f"{place} is not there.", hint="A gateway behind a proxy needs an admin_token.")
    try:
        said: dict[str, Any] = answer.json()
        if answer.status_code == 200:
            return said
        refused = said["errors"][0]
        told, hint = str(refused["message"]), refused["extensions"].get("hint")
    except (ValueError, LookupError, TypeError):
        raise RequestError(f"{place} answered {answer.status_code} and nothing of sense.") from None
    raise RequestError(told, hint=hint)


def _print(rows: list[Any], lines: list[str], as_json: bool, nothing: str) -> None:
    if as_json:
        typer.echo(orjson.dumps(rows).decode())
    else:
        typer.echo("\n".join(lines) if lines else nothing)


def _clean(text: str) -> str:
    """On one line: what a system sent must not write on the operator's terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
