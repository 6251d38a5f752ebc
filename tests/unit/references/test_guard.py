from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_processes.errors import InvalidInput
from candela_processes.references.guard import Guard, is_public
from candela_processes.references.policy import FetchPolicy
from candela_processes.settings import Settings

PUBLIC = "93.184.215.14"


def guard(*addresses: str, allowed: tuple[str, ...] = (), private: tuple[str, ...] = ()) -> Guard:
    policy = FetchPolicy(allowed_hosts=frozenset(allowed), private_hosts=frozenset(private))
    return Guard(policy, lambda host, port: addresses or (PUBLIC,))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # metadata of most clouds
        "100.100.100.200",  # metadata of Alibaba
        "168.63.129.16",  # host agent of Azure
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "198.18.0.1",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",  # metadata of AWS over IPv6
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001::1",
        "not an address",
        "",
    ],
)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))  # type: ignore[untyped-decorator, unused-ignore]
def test_ipv4_is_judged_alike_inside_ipv6(address: object) -> None:
    assert is_public(str(address)) == is_public(f"::ffff:{address}") == is_public(f"64:ff9b::{address}")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://[::1]/x",
        "http://[::ffff:7f00:1]/x",
        "http://2130706433/x",
        "http://0x7f000001/x",
        "http://0x7f.1/x",
        "http://0177.0.0.1/x",
        "http://017700000001/x",
        "http://127.1/x",
        "http://0/x",
        "http://127.0.0.1./x",
        "http://169.254.169.254/latest/meta-data/",
        "http://user:pass@example.org/x",
        "http://user@example.org/x",
        "http://@example.org/x",
        "http://example.org@127.0.0.1/x",
        "http://127.0.0.1\\@example.org/x",
        "http:///x",
        "http://exa mple.org/x",
        "http://example.org/\r\nHost: other",
        "http://example.org:0/x",
        "http://example.org:99999/x",
        "http://exämple.org/x",
        "http://[::1/x",
        "http://%31%32%37.0.0.1/x",
        "ftp://example.org/x",
        "file:///etc/passwd",
        "gopher://example.org/x",
        "//example.org/x",
        "example.org/x",
    ],
)
def test_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        guard().judge("images/0", url)
    assert caught.value.name == "images/0"
    assert "user:pass" not in caught.value.detail


@pytest.mark.parametrize("addresses", [("127.0.0.1",), (PUBLIC, "10.0.0.1"), ("::ffff:10.0.0.1",), ()])
def test_name_of_a_private_address_is_refused(addresses: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput) as caught:
        Guard(FetchPolicy(), lambda host, port: addresses).judge("images/0", "https://rebind.example.org/x")
    assert caught.value.problem == "the host rebind.example.org is not known or has no public address"


def test_unknown_and_private_names_are_told_alike() -> None:
    def unknown(host: str, port: int) -> tuple[str, ...]:
        raise OSError("no such name")

    with pytest.raises(InvalidInput) as missing:
        Guard(FetchPolicy(), unknown).judge("a", "https://x.example.org/")
    with pytest.raises(InvalidInput) as private:
        guard("10.0.0.1").judge("a", "https://x.example.org/")
    assert missing.value.detail == private.value.detail


def test_connection_goes_to_the_judged_address() -> None:
    target = guard(PUBLIC).judge("a", "https://Example.ORG.:8443/p/q?r=s#t")
    assert (target.addresses, target.host, target.port) == ((PUBLIC,), "example.org", 8443)
    assert (target.authority, target.path) == ("example.org:8443", "/p/q?r=s")


def test_host_lists() -> None:
    listed = guard(allowed=("data.example.org",))
    assert listed.judge("a", "https://data.example.org/x").host == "data.example.org"
    with pytest.raises(InvalidInput, match="not one of those"):
        listed.judge("a", "https://other.example.org/x")
    with pytest.raises(InvalidInput, match="not one of those"):
        listed.judge("a", "https://data.example.org.evil.example/x")


def test_private_host_is_allowed_by_its_name_only() -> None:
    trusting = guard("127.0.0.1", allowed=("data.example.org",), private=("geo.local",))
    assert trusting.judge("a", "http://geo.local/x").addresses == ("127.0.0.1",)
    with pytest.raises(InvalidInput):
        trusting.judge("a", "http://127.0.0.1/x")
    with pytest.raises(InvalidInput):
        trusting.judge("a", "http://data.example.org/x")


def test_policy_comes_from_settings() -> None:
    settings = Settings(allowed_hosts=("a.example",), private_hosts=("b.example",), fetch_seconds=5, fetch_bytes=7)
    assert FetchPolicy.from_settings(settings) == FetchPolicy(
        allowed_hosts=frozenset({"a.example"}), private_hosts=frozenset({"b.example"}), seconds=5.0, most_bytes=7
    )
