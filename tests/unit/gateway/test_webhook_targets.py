"""Which addresses a webhook may be sent to."""

import socket
from ipaddress import ip_address

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from gateway.webhooks.target import CheckedResolver, TargetRefused, Targets

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
INSIDE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.0.8",
    "198.18.0.1",
    "192.88.99.1",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2001:0:53aa:64c:0:fbff:80ff:fffe",
]
SPELLINGS = [
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://[::1]/",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address: str) -> None:
    """Also where IPv4 is wrapped into IPv6."""
    Targets().admit(ip_address(address))


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_may_not_be_called(address: str) -> None:
    """Private, local, link-local, metadata, multicast, reserved, also wrapped into IPv6; the message names none."""
    with pytest.raises(TargetRefused) as refused:
        Targets().admit(ip_address(address))
    assert address not in str(refused.value)


@given(st.ip_addresses(v=4).filter(lambda address: not address.is_global))
def test_what_is_not_global_stays_refused_however_it_is_wrapped(address: object) -> None:
    """In every wrapping of IPv4 in IPv6 that routers or kernels undo."""
    number = int(address)  # type: ignore[call-overload]
    wrapped = [f"::ffff:{address}", f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}"]
    wrapped.append(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1")
    for one in wrapped:
        with pytest.raises(TargetRefused):
            Targets().admit(ip_address(one))


@pytest.mark.parametrize("url", SPELLINGS)
def test_other_spellings_of_an_address_are_understood(url: str) -> None:
    """One number, hexadecimal, octal, few parts."""
    with pytest.raises(TargetRefused):
        Targets().check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example/hook",
        "ftp://partner.example/hook",
        "https://user:secret@partner.example/hook",
        "https://partner.example/hook#part",
        "https://localhost/hook",
        "https:///hook",
        "/hook",
        "https://partner.example/a b",
        "https://partner.example\\@127.0.0.1/",
        "https://partner.example:99999/",
        "https://partner.example/" + "a" * 2000,
        "",
    ],
)
def test_what_is_no_target_is_refused(url: str) -> None:
    """Each with a message that says what is wrong, and never with the secret in it."""
    with pytest.raises(TargetRefused) as refused:
        Targets().check(url)
    assert str(refused.value).startswith("url: ")
    assert "secret" not in str(refused.value)


def test_a_network_of_the_house_may_be_allowed() -> None:
    """For partners on the plant's own network, by configuration; only there plain http too."""
    targets = Targets(["10.20.0.0/16", "127.0.0.0/8"], plain=True)
    targets.admit(ip_address("10.20.1.1"))
    assert targets.check("http://127.0.0.1:8080/hook").port == 8080
    with pytest.raises(TargetRefused):
        targets.admit(ip_address("10.21.1.1"))


class Answers(AbstractResolver):
    """A name server that answers differently from one question to the next."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The next answer."""
        found = self.answers.pop(0)
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0)
            for one in found
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def test_every_address_of_a_name_must_be_allowed() -> None:
    """One address inside among several outside is enough to refuse."""
    resolver = CheckedResolver(Targets(), Answers(["93.184.216.34", "10.0.0.1"]))
    with pytest.raises(TargetRefused):
        await resolver.resolve("partner.example", 443)


async def test_what_was_checked_is_what_is_connected_to() -> None:
    """The addresses given to the client are those that were checked; a second answer is checked anew."""
    resolver = CheckedResolver(Targets(), Answers(["93.184.216.34"], ["169.254.169.254"]))
    assert [one["host"] for one in await resolver.resolve("partner.example", 443)] == ["93.184.216.34"]
    with pytest.raises(TargetRefused):
        await resolver.resolve("partner.example", 443)
