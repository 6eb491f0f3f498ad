"""What the tables of brokers say and must agree on; what an adapter needs to be installed."""

from typing import Any

import pytest

from gateway.brokers.running import adapter
from gateway.config import load_settings
from gateway.problems import SettingsError
from gateway.tomlfile import TomlFile
from schema.errors import ConfigError
from tests.unit.gateway.events.house import MES

NATS: dict[str, Any] = {"type": "nats", "url": "nats://127.0.0.1:4222"}
USE: dict[str, Any] = {"name": "plant", "topics": ["plant.>"], "stream": "PLANT"}


def loaded(broker: dict[str, Any], *uses: dict[str, Any]) -> Any:
    """The settings of one broker and of systems that use it."""
    table = {name: value for name, value in MES.items() if name not in ("code", "plants")}
    systems = {f"MES_{number}": {**table, "broker": use} for number, use in enumerate(uses)}
    return load_settings(TomlFile("t.toml", {"brokers": {"plant": broker}, "systems": systems}), environ={})


def test_several_systems_share_one_broker() -> None:
    """Each under a name of its own."""
    settings = loaded(NATS, USE, USE)
    assert [one.broker.name for one in settings.systems.values()] == ["plant", "plant"]


@pytest.mark.parametrize(
    ("broker", "use", "said"),
    [
        ({"url": "http://x"}, {}, "is no address of such a broker"),
        ({"url": "nats://me:secret@127.0.0.1"}, {}, "holds credentials"),
        ({"url": "nats://x:port"}, {}, "has a port that is none"),
        ({"username": "me"}, {}, "username and password come together"),
        ({"url": "nats://far", "token": {"env": "T"}}, {}, "sends the password in the clear"),
        ({"url": "tls://far", "token": {"value": "t"}}, {}, "is written out"),
        ({"url": "tls://far", "tls": {"verify": False}}, {}, "trusts anybody"),
        ({"nonsense": 1}, {}, "nonsense"),
        ({"type": "mqtt", "url": "mqtt://a,b"}, {"stream": None}, "names several servers"),
        ({}, {"name": "other"}, "is no broker"),
        ({}, {"stream": None}, "needed there"),
        ({}, {"format": "sparkplug"}, "is for brokers of type mqtt"),
        ({}, {"topics": []}, "topics"),
        ({}, {"durable": "a b"}, "durable"),
    ],
)
def test_what_cannot_be_is_refused(broker: dict[str, Any], use: dict[str, Any], said: str) -> None:
    """With the place and the mend, and without a secret."""
    given = {name: value for name, value in {**USE, **use}.items() if value is not None}
    with pytest.raises(SettingsError) as caught:
        loaded({**NATS, **broker}, given)
    assert said in str(caught.value)
    assert "secret@" not in str(caught.value)


def test_two_systems_do_not_share_one_place() -> None:
    """They would each get half of what is published."""
    with pytest.raises(SettingsError, match="is the name of MES_0 there already"):
        loaded(NATS, {**USE, "durable": "d"}, {**USE, "durable": "d"})


def test_addresses() -> None:
    """Each server has the port of its scheme unless it names one."""
    broker = loaded({"type": "kafka", "url": "kafkas://a,b:1,[::1]"}).brokers["plant"]
    assert broker.addresses() == [("a", 9093), ("b", 1), ("::1", 9093)]
    assert broker.secure


def test_what_is_not_installed_is_named() -> None:
    """A module that is not there is the extra's that has the name of the type."""
    with pytest.raises(ConfigError) as caught:
        adapter("pigeon")
    assert caught.value.hint == "pip install 'crossdock[pigeon]'"
