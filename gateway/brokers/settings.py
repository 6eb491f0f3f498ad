"""The settings of the brokers: the tables ``[brokers.NAME]``, and what they and the systems' tables must agree on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sources.credentials import Secret, Tls, is_loopback
from sources.intake import BrokerUse
from sources.settings import SystemConfig

SCHEMES = {"mqtt": ("mqtt", "mqtts"), "nats": ("nats", "tls"), "kafka": ("kafka", "kafkas")}
"""By type, the scheme of its addresses in the clear and with TLS."""
PORTS = {"mqtt": 1883, "mqtts": 8883, "nats": 4222, "tls": 4222, "kafka": 9092, "kafkas": 9093}


class BrokerConfig(BaseModel):
    """A message broker at which systems publish what happens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["mqtt", "nats", "kafka"] = Field(
        description="What it speaks: `mqtt`, `nats` (JetStream) or `kafka`. Each is an extra: `crossdock[mqtt]`, …"
    )
    url: str = Field(
        description="Where it is: `mqtt://host:1883`, `nats://host:4222`, `kafka://host:9092`; with TLS `mqtts://`, "
        "`tls://` (NATS), `kafkas://`. Several servers of one cluster are separated by commas (not for MQTT)."
    )
    username: str | None = Field(default=None, description="Who we are there.")
    password: Secret | None = Field(default=None, description="The password of that user, by reference.")
    token: Secret | None = Field(
        default=None, description="nats: a token instead of user and password, by reference."
    )
    sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="PLAIN", description="kafka: how user and password are shown."
    )
    tls: Tls = Field(
        default=Tls(), description="How its certificate is checked, and the client's own: as for systems."
    )
    protocol: Literal["3.1.1", "5"] = Field(
        default="5", description="mqtt: the version. With 3.1.1 there are no headers: CloudEvents structured."
    )
    session_seconds: int = Field(
        default=604_800,
        ge=1,
        description="mqtt 5: how long the broker keeps what comes while the gateway is away.",
    )

    @model_validator(mode="after")
    def _complete(self) -> "BrokerConfig":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password come together")
        if self.token is not None and (self.type != "nats" or self.username is not None):
            raise ValueError("token is for nats alone, and instead of username and password")
        return self

    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each server."""
        first = urlsplit(self.url)
        found = [urlsplit(f"{first.scheme}://{one}") for one in first.netloc.split(",")]
        return [(one.hostname or "", one.port or PORTS[first.scheme]) for one in found]

    @property
    def secure(self) -> bool:
        """Whether it is spoken to by TLS."""
        return urlsplit(self.url).scheme == SCHEMES[self.type][1]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one system has at one broker."""

    system: str
    broker: BrokerConfig
    use: BrokerUse

    @property
    def durable(self) -> str:
        """The name under which the broker keeps how far we are."""
        return self.use.durable or f"crossdock-{self.system}"


def subscriptions_of(
    brokers: Mapping[str, BrokerConfig], systems: Mapping[str, SystemConfig]
) -> list[Subscription]:
    """What the systems have at the brokers."""
    return [
        Subscription(code, brokers[system.broker.name], system.broker)
        for code, system in systems.items()
        if system.broker is not None
    ]


Finding = tuple[tuple[str | int, ...], Any, str, str]
"""Where, which value, what is wrong with it, and the mend."""


def bad_brokers(
    brokers: Mapping[str, BrokerConfig], systems: Mapping[str, SystemConfig]
) -> Iterator[Finding]:
    """What no single table can know."""
    for name, broker in brokers.items():
        yield from _bad_address(("brokers", name), broker)
    taken: dict[tuple[str, str], str] = {}
    for code, system in systems.items():
        use = system.broker
        if use is None:
            continue
        at = ("systems", code, "broker")
        if use.name not in brokers:
            yield (*at, "name"), use.name, "is no broker", f"Add [brokers.{use.name}]."
            continue
        one = Subscription(code, brokers[use.name], use)
        other = taken.setdefault((use.name, one.durable), code)
        if other != code:
            mend = "Choose another: one name is one place in the stream."
            yield (*at, "durable"), one.durable, f"is the name of {other} there already", mend
        if one.broker.type != "mqtt" and use.format == "sparkplug":
            yield (*at, "format"), "sparkplug", "is for brokers of type mqtt", "Leave it out."
        if (one.broker.type == "nats") != (use.stream is not None):
            yield (
                (*at, "stream"),
                use.stream,
                "is for brokers of type nats, and needed there",
                "Name the stream.",
            )


def _bad_address(at: tuple[str, str], broker: BrokerConfig) -> Iterator[Finding]:
    parts = urlsplit(broker.url)
    clear, secured = SCHEMES[broker.type]
    if parts.scheme not in (clear, secured) or not parts.netloc:
        yield (
            (*at, "url"),
            parts.scheme,
            "is no address of such a broker",
            f"Write {clear}:// or {secured}://.",
        )
        return
    if "@" in parts.netloc:
        mend = 'Name user and place of the password: username = "…", password = {env = "…"}.'
        yield (*at, "url"), "…", "holds credentials", mend
        return
    try:
        addresses = broker.addresses()
    except ValueError:
        yield (*at, "url"), broker.url, "has a port that is none", f"Write {clear}://host:{PORTS[clear]}."
        return
    near = all(is_loopback(f"x://[{host}]" if ":" in host else f"x://{host}") for host, _ in addresses)
    if broker.type == "mqtt" and len(addresses) > 1:
        yield (*at, "url"), broker.url, "names several servers", "Name one: a session is one server's."
    if not broker.secure and not near and (broker.password or broker.token):
        yield (*at, "url"), broker.url, "sends the password in the clear", f"Write {secured}://."
    for name, secret in (("password", broker.password), ("token", broker.token)):
        if secret is not None and secret.value is not None and not near:
            mend = f'Name the place where it is: {name} = {{env = "…"}}.'
            yield (*at, name), "…", "is written out, for a broker on another machine", mend
    if not broker.tls.verify and not near:
        mend = "Name the authority: tls = { ca_file = … }."
        yield (*at, "tls", "verify"), False, "trusts anybody, for a broker on another machine", mend
