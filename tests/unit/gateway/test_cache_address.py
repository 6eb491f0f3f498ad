"""``redis_url``: what is wrong with it is said at the start, with the mend, and without the password in it."""

import pytest

from gateway.cache.address import connection_arguments, described
from gateway.cache.redis import RedisStore
from schema.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://localhost", "localhost:6379/0"),
        ("redis://user:hush@cache.plant:7000/3", "cache.plant:7000/3"),
        ("rediss://:hush@cache.plant:7000?db=2", "cache.plant:7000/2"),
        ("redis://[::1]:7000/", "::1:7000/0"),
        ("unix:///run/redis.sock?password=hush", "/run/redis.sock"),
    ],
)
def test_places_are_named_without_secrets(url: str, place: str) -> None:
    """What the log calls a Redis is where it is, never how one gets in."""
    assert described(connection_arguments(url)) == place


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://hush@localhost", "does not begin with one of redis://, rediss://, unix://"),
        ("localhost:6379", "does not begin with one of"),
        ("", "does not begin with one of"),
        ("redis://:hu/sh@localhost:6379/0", "has no port that is a number"),
        ("redis://localhost:0", "has no port that is a number"),
        ("redis://localhost:99999", "has no port that is a number"),
        ("redis://[::1", "cannot be read"),
        ("redis://:hush@localhost/one", "names a database that is not a number"),
        ("redis://localhost/0?db=one", "an option has a value that cannot be read"),
        ("redis://:hu#sh@localhost", "has a # in it"),
        ("redis://localhost?decode_responses=1", "an option that the gateway does not know"),
        ("redis://localhost?ssl_ca_certs=x", "an option that the gateway does not know"),
        ("rediss://localhost?ssl_colour=hush", "an ssl_ option that does not exist"),
        ("rediss://localhost?ssl_ca_certs=/no/such/file", "TLS cannot be set up"),
        ("rediss://localhost?ssl_cert_reqs=perhaps", "TLS cannot be set up"),
    ],
)
def test_mistakes_are_said_with_their_mend(url: str, said: str) -> None:
    """A URL that cannot be used is an error of the configuration that names no secret."""
    with pytest.raises(ConfigError) as raised:
        connection_arguments(url)
    assert str(raised.value).startswith("redis_url: ")
    assert said in str(raised.value)
    assert raised.value.hint
    assert "hu" not in f"{raised.value}{raised.value.hint}"


def test_a_namespace_is_a_plain_word() -> None:
    """A namespace that could be taken for a part of a key is refused."""
    with pytest.raises(ConfigError, match="namespace in Redis cannot be 'a:b'"):
        RedisStore("redis://localhost", namespace="a:b")
