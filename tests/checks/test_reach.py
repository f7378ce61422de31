"""Which addresses a check may be sent to: of `plan`, of the daemon, and with what the operator allows."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from reconciler.checks.reach import MERGED, UNMERGED, AddressKind, Reach, address_kind, allowed

KINDS = {
    "8.8.8.8": AddressKind.PUBLIC,
    "172.15.255.255": AddressKind.PUBLIC,
    "172.32.0.0": AddressKind.PUBLIC,
    "100.128.0.0": AddressKind.PUBLIC,
    "2606:4700::1111": AddressKind.PUBLIC,
    "::ffff:8.8.8.8": AddressKind.PUBLIC,
    "10.0.0.5": AddressKind.PRIVATE,
    "172.16.0.0": AddressKind.PRIVATE,
    "172.31.255.255": AddressKind.PRIVATE,
    "192.168.1.1": AddressKind.PRIVATE,
    "100.64.0.0": AddressKind.PRIVATE,
    "100.127.255.255": AddressKind.PRIVATE,
    "192.0.0.8": AddressKind.PRIVATE,
    "198.19.255.255": AddressKind.PRIVATE,
    "fc00::1": AddressKind.PRIVATE,
    "fdff::1": AddressKind.PRIVATE,
    "fec0::1": AddressKind.PRIVATE,
    "::ffff:10.0.0.5": AddressKind.PRIVATE,
    "127.0.0.1": AddressKind.LOOPBACK,
    "127.255.255.254": AddressKind.LOOPBACK,
    "::1": AddressKind.LOOPBACK,
    "::ffff:127.0.0.1": AddressKind.LOOPBACK,
    "169.254.169.254": AddressKind.LINK_LOCAL,
    "169.254.0.1": AddressKind.LINK_LOCAL,
    "fe80::1": AddressKind.LINK_LOCAL,
    "fe80::1%2": AddressKind.LINK_LOCAL,
    "febf::1": AddressKind.LINK_LOCAL,
    "::ffff:169.254.169.254": AddressKind.LINK_LOCAL,
    "64:ff9b::169.254.169.254": AddressKind.LINK_LOCAL,
    "64:ff9b:1::169.254.169.254": AddressKind.LINK_LOCAL,
    "2002:a9fe:a9fe::1": AddressKind.LINK_LOCAL,
    "2001:0:4136:e378:8000:63bf:5601:5601": AddressKind.LINK_LOCAL,
    "168.63.129.16": AddressKind.METADATA,
    "100.100.100.200": AddressKind.METADATA,
    "192.0.0.192": AddressKind.METADATA,
    "fd00:ec2::254": AddressKind.METADATA,
    "fd20:ce::254": AddressKind.METADATA,
    "0.0.0.0": AddressKind.UNSPECIFIED,  # noqa: S104
    "0.0.0.1": AddressKind.UNSPECIFIED,
    "::": AddressKind.UNSPECIFIED,
    "224.0.0.1": AddressKind.MULTICAST,
    "239.255.255.255": AddressKind.MULTICAST,
    "ff02::1": AddressKind.MULTICAST,
    "240.0.0.1": AddressKind.RESERVED,
    "255.255.255.255": AddressKind.RESERVED,
    "::7f00:1": AddressKind.RESERVED,
    "100::1": AddressKind.RESERVED,
    "4000::1": AddressKind.RESERVED,
}


@pytest.mark.parametrize(("address", "kind"), KINDS.items(), ids=KINDS)
def test_an_address_is_of_a_kind(address: str, kind: AddressKind) -> None:
    assert address_kind(ip_address(address)) is kind


def test_every_kind_has_an_example() -> None:
    assert {*KINDS.values()} == {*AddressKind}


@pytest.mark.parametrize(("address", "kind"), KINDS.items(), ids=KINDS)
def test_a_plan_reaches_public_addresses_and_the_daemon_private_ones_too(
    address: str, kind: AddressKind
) -> None:
    assert (UNMERGED.refusal("a.example.com", address) == "") is (kind is AddressKind.PUBLIC)
    is_reached = kind in {AddressKind.PUBLIC, AddressKind.PRIVATE}
    assert (MERGED.refusal("a.example.com", address) == "") is is_reached


@pytest.mark.parametrize(
    "entry, host, address, is_asked",
    [
        pytest.param("10.0.0.5", "10.0.0.5", "10.0.0.5", True, id="a private address opens itself"),
        pytest.param("10.0.0.5", "10.0.0.6", "10.0.0.6", False, id="a private address opens no other"),
        pytest.param("10.0.0.0/8", "db.corp", "10.9.9.9", True, id="a network opens a name inside it"),
        pytest.param("10.0.0.0/8", "db.corp", "::ffff:10.9.9.9", True, id="a network opens a mapped address"),
        pytest.param("fd00::/8", "db.corp", "fd12::1", True, id="an IPv6 network opens an address"),
        pytest.param("fd00::/8", "db.corp", "fd00:ec2::254", False, id="a network opens no metadata server"),
        pytest.param("100.64.0.0/10", "a", "100.100.100.200", False, id="CGNAT opens no metadata server"),
        pytest.param("0.0.0.0/0", "a", "192.168.1.1", True, id="all of IPv4 opens private addresses"),
        pytest.param("0.0.0.0/0", "a", "169.254.169.254", False, id="all of IPv4 opens no metadata server"),
        pytest.param("0.0.0.0/0", "a", "127.0.0.1", False, id="all of IPv4 opens no loopback address"),
        pytest.param("0.0.0.0/0", "a", "0.0.0.0", False, id="all of IPv4 opens no unspecified address"),  # noqa: S104
        pytest.param("::/0", "a", "fe80::1", False, id="all of IPv6 opens no link-local address"),
        pytest.param("169.254.169.254", "a", "169.254.169.254", True, id="an address opens itself"),
        pytest.param("169.254.0.0/16", "a", "169.254.10.1", True, id="a link-local network opens itself"),
        pytest.param("168.63.129.16", "a", "168.63.129.16", True, id="the address of a metadata server"),
        pytest.param("127.0.0.0/8", "localhost", "127.0.0.1", True, id="a loopback network opens loopback"),
        pytest.param("localhost", "localhost", "127.0.0.1", True, id="a name opens loopback"),
        pytest.param("db.corp", "db.corp", "10.0.0.5", True, id="a name opens private addresses"),
        pytest.param("db.corp", "DB.Corp.", "10.0.0.5", True, id="a name in another spelling"),
        pytest.param("db.corp", "x.db.corp", "10.0.0.5", False, id="a name opens nothing below it"),
        pytest.param("*.corp", "x.db.corp", "10.0.0.5", True, id="a wildcard opens all names below"),
        pytest.param("*.corp", "corp", "10.0.0.5", False, id="a wildcard does not open its own name"),
        pytest.param("*.corp", "evilcorp", "10.0.0.5", False, id="a wildcard begins at a dot"),
        pytest.param("db.corp", "db.corp", "169.254.169.254", False, id="a name opens no metadata server"),
        pytest.param("db.corp", "db.corp", "168.63.129.16", False, id="a name opens no wire server"),
        pytest.param("db.corp", "db.corp", "fe80::1", False, id="a name opens no link-local address"),
        pytest.param("db.corp", "db.corp", "0.0.0.0", False, id="a name opens no unspecified address"),  # noqa: S104
        pytest.param("db.corp", "db.corp", "224.0.0.1", False, id="a name opens no multicast address"),
        pytest.param("[fd00::5]", "a", "fd00::5", True, id="an address in brackets"),
    ],
)
def test_an_allow_list_opens_what_it_names(entry: str, host: str, address: str, is_asked: bool) -> None:
    reach = replace(UNMERGED, allowed=(allowed(entry),))
    assert (reach.refusal(host, address) == "") is is_asked


@pytest.mark.parametrize(
    "reach, host, address, message",
    [
        pytest.param(
            UNMERGED,
            "prometheus.corp",
            "10.0.0.5",
            "was not called, because it is at a private address; allow it with --allow-check-hosts prometheus.corp",
            id="a private address, which is not shown",
        ),
        pytest.param(
            MERGED,
            "localhost",
            "::1",
            "was not called, because it is at a loopback address; allow it with --allow-check-hosts localhost",
            id="a loopback address",
        ),
        pytest.param(
            MERGED,
            "x.example.com",
            "169.254.169.254",
            "was not called, because it is at a link-local address; write the URL of another server",
            id="a link-local address",
        ),
        pytest.param(
            MERGED,
            "x.example.com",
            "168.63.129.16",
            "was not called, because it is at the address of a metadata server; write the URL of another server",
            id="a metadata server",
        ),
    ],
)
def test_a_refusal_says_why_and_what_to_do(reach: Reach, host: str, address: str, message: str) -> None:
    assert reach.refusal(host, address) == message


@pytest.mark.parametrize(
    "text, error",
    [
        pytest.param(
            "http://prometheus:9090",
            '"http://prometheus:9090" is a URL: write only its host',
            id="a URL",
        ),
        pytest.param(
            "10.0.0.5/8", '"10.0.0.5/8" has host bits set: write 10.0.0.0/8', id="a network with host bits"
        ),
        pytest.param(
            "2130706433",
            '"2130706433" is not an address: write four numbers, such as 10.0.0.5',
            id="a decimal address",
        ),
        pytest.param(
            "0x7f.1",
            '"0x7f.1" is not an address: write four numbers, such as 10.0.0.5',
            id="a short address",
        ),
        *(
            pytest.param(
                text,
                f'"{text}" is not a host or network: write one, such as prometheus.example.com, *.example.com, '
                "10.0.0.5 or 10.0.0.0/8",
                id=reason,
            )
            for text, reason in {
                "*": "every host",
                "prometheus:9090": "a host with a port",
                "a.*.example.com": "a wildcard in the middle",
                "a,b": "two hosts",
                "10.0.0.0/33": "a network that is too narrow",
                "*.": "a wildcard alone",
            }.items()
        ),
    ],
)
def test_an_invalid_entry_is_refused_with_a_fix(text: str, error: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is compared
        allowed(text)
    assert str(raised.value) == error
