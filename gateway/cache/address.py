"""``redis_url`` read and checked: a mistake in it is said at the start, without showing the password in it."""

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from redis.asyncio.connection import SSLConnection, parse_url
from redis.exceptions import RedisError

from schema.errors import ConfigError

SCHEMES = ("redis", "rediss", "unix")
OPTIONS = frozenset({"db", "client_name", "password", "username", "socket_keepalive"})
"""What may stand behind the question mark, beside what begins with ssl_. The rest of a connection is the gateway's."""
MEND = "write redis://host:6379/0, or rediss:// for TLS"


def connection_arguments(url: str) -> Mapping[str, Any]:
    """What redis-py needs for a connection to this place, ``connection_class`` included."""
    _check(url)
    try:
        arguments: dict[str, Any] = dict(parse_url(url))
    except ValueError as error:
        raise _mistake("an option has a value that cannot be read") from error
    if issubclass(arguments.get("connection_class", object), SSLConnection):
        _check_tls(arguments)
    return arguments


def with_password(url: str, password: str) -> str:
    """The address with a password that is kept elsewhere put into it."""
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{place}"))


def described(arguments: Mapping[str, Any]) -> str:
    """The place as the log names it: nothing that is secret."""
    if path := arguments.get("path"):
        return str(path)
    return f"{arguments.get('host', 'localhost')}:{arguments.get('port', 6379)}/{arguments.get('db', 0)}"


def _mistake(what: str, hint: str = MEND) -> ConfigError:
    return ConfigError(f"redis_url: {what}", hint=hint)


def _check(url: str) -> None:
    if not url.startswith(tuple(f"{scheme}://" for scheme in SCHEMES)):
        raise _mistake(f"does not begin with one of {', '.join(f'{name}://' for name in SCHEMES)}")
    if "#" in url:
        raise _mistake("has a # in it")
    # The words of the standard library would show the password, or a part of it.
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _mistake("cannot be read") from None
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise _mistake("has no port that is a number from 1 to 65535")
    if parts.scheme != "unix" and parts.path.strip("/") and not parts.path.strip("/").isdigit():
        raise _mistake("names a database that is not a number")
    for name in parse_qs(parts.query, keep_blank_values=True):
        if name not in OPTIONS and not (name.startswith("ssl_") and parts.scheme == "rediss"):
            allowed = ", ".join([*sorted(OPTIONS), "and with rediss:// ssl_ca_certs and the like"])
            raise _mistake("has an option that the gateway does not know", f"options are {allowed}")


def _check_tls(arguments: Mapping[str, Any]) -> None:
    """Have the certificates read once: a file that is not there would look like an outage for ever."""
    wanted = {name: value for name, value in arguments.items() if name != "connection_class"}
    try:
        SSLConnection(**wanted).ssl_context.get()
    except TypeError as error:
        raise _mistake("has an ssl_ option that does not exist") from error
    except (OSError, ValueError, RedisError, ssl.SSLError) as error:
        raise _mistake(
            f"TLS cannot be set up: {error}", "check the ssl_ options and the files they name"
        ) from error
