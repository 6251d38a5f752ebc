"""Which addresses of a user may be opened: scheme, host and the address that is really connected to.

A name is resolved once, every address it has is judged, and the connection goes to a judged address: a name server
that answers differently the second time gains nothing. Callbacks pass the same guard.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from candela_processes.errors import InvalidInput
from candela_processes.references.policy import FetchPolicy

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Resolver = Callable[[str, int], tuple[str, ...]]
"""Gives the numeric addresses of a host; raises OSError."""

MAX_ADDRESSES: Final = 4
SCHEMES: Final = {"https": 443, "http": 80}

_TRANSLATED: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_REFUSED: Final = (
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's host agent: public range, local meaning
    ipaddress.ip_network("100.64.0.0/10"),  # carrier-grade NAT; Alibaba's metadata lies in it
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays
    ipaddress.ip_network("fec0::/10"),  # site-local of old
)
_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A judged URL: where to connect (numeric `addresses`, and `port`) and whom to ask there (`host`, `path`)."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]

    @property
    def authority(self) -> str:
        """Return the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == SCHEMES[self.scheme] else f"{host}:{self.port}"


def system_resolver(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses that the system's resolver gives for a host; raises OSError."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


@dataclass(frozen=True)
class Guard:
    """Judges URLs by a policy; raises InvalidInput naming the input, never an address that a name stands for."""

    policy: FetchPolicy
    resolver: Resolver = system_resolver

    def check(self, name: str, url: str) -> SplitResult:
        """Check all that can be said without asking a name server: scheme, credentials, host lists, literal address."""
        parts = check_form(name, url)
        host = _host(name, parts)
        if host in self.policy.private_hosts:
            return parts
        if self.policy.allowed_hosts and host not in self.policy.allowed_hosts:
            raise InvalidInput(name, f"the host {host} is not one of those that inputs may be fetched from")
        if _literal(host) is not None and not is_public(host):
            raise InvalidInput(name, f"the host {host} is not a public address")
        if _literal(host) is None and _is_disguised_number(host):
            raise InvalidInput(name, f"the host {host} is a number in disguise; write it as a name or plain address")
        return parts

    def judge(self, name: str, url: str) -> Target:
        """Check a URL, resolve its host, and return where to connect; every address of the host has to be allowed."""
        parts = self.check(name, url)
        host = _host(name, parts)
        port = parts.port or SCHEMES[parts.scheme]
        try:
            addresses = self.resolver(host, port)
        except (OSError, UnicodeError) as error:
            raise _unknown(name, host) from error
        trusted = host in self.policy.private_hosts
        if not addresses or not (trusted or all(is_public(address) for address in addresses)):
            raise _unknown(name, host)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(scheme=parts.scheme, host=host, port=port, path=path, addresses=addresses[:MAX_ADDRESSES])


def _unknown(name: str, host: str) -> InvalidInput:
    """Return one error for both cases: which of them it is would tell a client about names inside our network."""
    return InvalidInput(name, f"the host {host} is not known or has no public address")


def is_public(address: str) -> bool:
    """Return whether a numeric address is on the public network, seen through IPv4 inside IPv6 of every kind."""
    try:
        value: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(value, ipaddress.IPv6Address):
        inner = _inner(value)
        if inner is not None:
            return is_public(str(inner))
    if any(value in network for network in _REFUSED if network.version == value.version):
        return False
    return value.is_global and not (value.is_multicast or value.is_reserved or value.is_unspecified)


def _inner(value: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address inside a mapped, 6to4, translated or compatible IPv6 address."""
    if value.ipv4_mapped is not None:
        return value.ipv4_mapped
    if value.sixtofour is not None:
        return value.sixtofour
    if any(value in network for network in _TRANSLATED) or (int(value) >> 32 == 0 and int(value) > 1):
        return ipaddress.IPv4Address(int(value) & 0xFFFFFFFF)
    return None


def check_form(name: str, url: str) -> SplitResult:
    """Check scheme, characters and the absence of credentials; raises InvalidInput."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise InvalidInput(name, "the URL has characters that are not allowed in one; percent-encode them")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(name, "this is not a URL") from error
    if parts.scheme not in SCHEMES:
        raise InvalidInput(name, f"the scheme {parts.scheme[:20]!r} is not allowed; allowed are https and http")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise InvalidInput(name, "a URL with a user name or password in it is not allowed")
    if port == 0:
        raise InvalidInput(name, "port 0 is not allowed")
    return parts


def _host(name: str, parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".").lower()
    if _literal(host) is None and (not _HOST.fullmatch(host) or len(host) > 253):
        raise InvalidInput(name, "the URL has no valid host name")
    return host


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_disguised_number(host: str) -> bool:
    """Return whether the C library would read this name as an IPv4 address (`2130706433`, `0x7f.1`, `0177.0.0.1`)."""
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True
