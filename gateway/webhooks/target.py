"""Which addresses a webhook may be sent to. What was checked is what is connected to.

A partner chooses the address that we call from inside the plant's network, so it must not lead back into it: nothing
private, local, multicast or reserved, also not wrapped into an IPv6 address. Names are resolved by us, every address
found must be allowed, and the connection is made to these very addresses: a name that answers differently a moment
later gains nothing.
"""

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from schema.errors import RequestError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MOST_URL = 2000
"""Characters of a target at most."""
_WRAPPING = (
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("64:ff9b:1::/48"), 0),
    (IPv6Network("::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
"""Where an IPv4 address stands inside IPv6 addresses (NAT64, IPv4-compatible, 6to4): so many bits from the right."""
_NEVER = tuple(
    ip_network(text)
    for text in ("100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "2001::/32", "fec0::/10")
)
"""Shared, assigned for protocols or tunnels: global to some tables, never a partner's server."""


class TargetRefused(RequestError):
    """The target of a webhook is not one that may be called; the message says why."""

    code = "WEBHOOK_TARGET_REFUSED"


class Targets:
    """The rule. ``allowed`` are networks that may be called although they are private; ``plain`` allows http there."""

    def __init__(self, allowed: Sequence[str] = (), *, plain: bool = False) -> None:
        self._allowed = tuple(ip_network(text) for text in allowed)
        self._plain = plain

    def check(self, url: str) -> URL:
        """The target as an address, checked as far as that goes without asking for its name. Raises TargetRefused."""
        found = _parsed(url)
        host = found.host or ""
        if found.scheme != "https" and not (self._plain and found.scheme == "http"):
            raise TargetRefused(
                f"url: {found.scheme or 'no scheme'} is not allowed", hint="Begin with https://."
            )
        if found.user is not None or found.password is not None:
            raise TargetRefused(
                "url: it must not hold a user or a password", hint="The signature says who sends."
            )
        if found.fragment:
            raise TargetRefused("url: a fragment is never sent", hint="Leave out what begins with #.")
        literal = _literal(host)
        if literal is not None:
            self.admit(literal)
        elif "." not in host.rstrip(".") and not self._allowed:
            raise TargetRefused(f"url: {host[:100]!r} is no public host name")
        return found

    def admit(self, address: Address) -> None:
        """Raises TargetRefused where this address must not be called."""
        if any(address in network for network in self._allowed if network.version == address.version):
            return
        for one in (address, *_inside(address)):
            if not _public(one):
                # Which address a name has inside the plant is none of the partner's business.
                raise TargetRefused(
                    "url: it leads to an address that may not be called", hint="Use a public one."
                )


class CheckedResolver(AbstractResolver):
    """Resolves names for the client that sends; raises TargetRefused where any address must not be called."""

    def __init__(self, targets: Targets, inner: AbstractResolver) -> None:
        self._targets = targets
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host, all of them allowed."""
        found = await self._inner.resolve(host, port, family)
        for one in found:
            self._targets.admit(ip_address(one["host"].partition("%")[0]))
        return found

    async def close(self) -> None:
        """Give back what the inner resolver holds."""
        await self._inner.close()


def _parsed(url: str) -> URL:
    if len(url) > MOST_URL:
        raise TargetRefused(f"url: more than {MOST_URL} characters")
    if any(ord(character) <= 0x20 or character == "\\" for character in url):
        raise TargetRefused("url: it holds a character that no URL has")
    try:
        found = URL(url)
        port = found.port
    except ValueError:
        raise TargetRefused("url: it is no URL", hint="Write https://host/path.") from None
    if not found.host or not found.absolute or not port:
        raise TargetRefused("url: it names no host", hint="Write https://host/path.")
    return found


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        # Other ways to write an IPv4 address (one number, hexadecimal, few parts), which resolvers understand.
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _inside(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address may lead to."""
    if isinstance(address, IPv4Address):
        return []
    found: list[Address] = [address.ipv4_mapped] if address.ipv4_mapped is not None else []
    number = int(address)
    found += [IPv4Address((number >> bits) & 0xFFFFFFFF) for network, bits in _WRAPPING if address in network]
    return found


def _public(address: Address) -> bool:
    if any(address in network for network in _NEVER if network.version == address.version):
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        # Judged by what is inside.
        return True
    odd = address.is_multicast or address.is_reserved or address.is_link_local or address.is_unspecified
    if isinstance(address, IPv6Address) and any(address in network for network, _ in _WRAPPING):
        # Reserved themselves; judged by what is inside.
        odd = address.is_multicast or address.is_unspecified
        return not odd and address != IPv6Address("::1")
    return address.is_global and not odd
