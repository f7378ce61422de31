"""Who reads a page: which headers count, from where, and what is wrong with the others."""

from collections.abc import Sequence
from ipaddress import ip_network

import pytest

from reconciler.web.page.action import Grants, Visitor
from reconciler.web.page.sign_in import SignIn, header_name, proxy_network

USER, GROUPS = "X-Forwarded-Email", "X-Forwarded-Groups"
PROXY = "10.1.2.3"
SIGN_IN = SignIn(USER, GROUPS, (ip_network("10.1.2.0/24"), ip_network("fd00::7/128")), Grants())
ADA = (b"x-forwarded-email", b"ada@example.com")


def visitor(*headers: tuple[bytes, bytes], peer: str = PROXY, sign_in: SignIn = SIGN_IN) -> Visitor:
    return sign_in.visitor(headers, peer)


@pytest.mark.parametrize(
    "headers, name, groups",
    [
        pytest.param([ADA], "ada@example.com", [], id="a user"),
        pytest.param([(ADA[0], b"  ada  ")], "ada", [], id="a user among spaces"),
        pytest.param([(ADA[0], "Zoë".encode())], "Zoë", [], id="a name in UTF-8"),
        pytest.param(
            [ADA, (b"x-forwarded-groups", b"sre, dev,,SRE Team")],
            "ada@example.com",
            ["SRE Team", "dev", "sre"],
            id="groups, one of which has a space",
        ),
        pytest.param([(b"x-forwarded-groups", b"sre")], "", [], id="groups of nobody"),
        pytest.param([(ADA[0], b"")], "", [], id="an empty name"),
        pytest.param([], "", [], id="no header"),
        pytest.param([(b"x_forwarded_email", b"ada")], "", [], id="the header with underscores"),
        pytest.param([(b"x-forwarded-user", b"ada")], "", [], id="another header"),
    ],
)
def test_what_a_trusted_proxy_says(
    headers: Sequence[tuple[bytes, bytes]], name: str, groups: list[str]
) -> None:
    assert visitor(*headers) == Visitor(name, frozenset(groups))


@pytest.mark.parametrize(
    "headers, note",
    [
        pytest.param(
            [ADA, (ADA[0], b"bob")],
            "2 X-Forwarded-Email headers were sent, so it is unknown which one the proxy set",
            id="two users",
        ),
        pytest.param(
            [ADA, ADA],
            "2 X-Forwarded-Email headers were sent, so it is unknown which one the proxy set",
            id="one twice",
        ),
        pytest.param(
            [ADA, (ADA[0], b"")],
            "2 X-Forwarded-Email headers were sent, so it is unknown which one the proxy set",
            id="a second one that is empty",
        ),
        pytest.param(
            [ADA, (b"x-forwarded-groups", b"dev"), (b"x-forwarded-groups", b"sre")],
            "2 X-Forwarded-Groups headers were sent, so it is unknown which one the proxy set",
            id="two headers of groups",
        ),
        pytest.param(
            [(ADA[0], b"ada\x1b[2J")],
            "X-Forwarded-Email has characters that are not printable",
            id="a control character",
        ),
        pytest.param(
            [(ADA[0], "ada\u202e".encode())],
            "X-Forwarded-Email has characters that are not printable",
            id="a character that reorders text",
        ),
        pytest.param(
            [ADA, (b"x-forwarded-groups", b"sre\x00")],
            "X-Forwarded-Groups has characters that are not printable",
            id="a control character in a group",
        ),
        pytest.param([(ADA[0], b"Zo\xeb")], "X-Forwarded-Email is not in UTF-8", id="a name in Latin-1"),
        pytest.param(
            [(ADA[0], b"a" * 101)], "X-Forwarded-Email is longer than 100 characters", id="a long name"
        ),
        pytest.param(
            [ADA, (b"x-forwarded-groups", b",".join(b"g%d" % n for n in range(1001)))],
            "X-Forwarded-Groups names more than 1,000 groups",
            id="more groups than anyone has",
        ),
    ],
)
def test_a_header_that_is_not_in_order_makes_its_reader_anonymous(
    headers: Sequence[tuple[bytes, bytes]], note: str
) -> None:
    assert visitor(*headers) == Visitor(note=note)


@pytest.mark.parametrize("peer", [PROXY, "::ffff:10.1.2.3", "fd00::7", "fd00::7%eth0"])
def test_a_proxy_is_known_by_its_address(peer: str) -> None:
    assert visitor(ADA, peer=peer).name == "ada@example.com"


@pytest.mark.parametrize("peer", ["10.1.3.3", "::ffff:10.1.3.3", "127.0.0.1", "fd00::8", "testclient", ""])
def test_a_header_from_elsewhere_counts_for_nothing(peer: str) -> None:
    found = visitor(ADA, (b"x-forwarded-for", PROXY.encode()), peer=peer)
    assert (found.name, found.groups) == ("", frozenset())
    assert found.note == f"X-Forwarded-Email came from {peer}, which is not an address in --page-proxy"
    assert visitor((b"x-forwarded-for", PROXY.encode()), peer=peer) == Visitor()


def test_without_a_header_for_groups_nobody_has_any() -> None:
    alone = SignIn(USER, "", SIGN_IN.proxies, Grants())
    assert visitor(ADA, (b"x-forwarded-groups", b"sre"), sign_in=alone).groups == frozenset()


@pytest.mark.parametrize("name", ["X_Forwarded_User", "X-Forwarded-User:", "", "X Forwarded", "-", "X-Zoë"])
def test_what_is_no_name_of_a_header(name: str) -> None:
    with pytest.raises(ValueError, match="write letters, digits and hyphens"):
        header_name(name)


@pytest.mark.parametrize(
    "text, error",
    [
        pytest.param("10.0.0.5/24", "has host bits set: write 10.0.0.0/24", id="host bits"),
        pytest.param("proxy.example.com", "is not an address or a network", id="a name"),
        pytest.param("10.0.0", "is not an address or a network", id="half an address"),
        pytest.param("", "is not an address or a network", id="nothing"),
    ],
)
def test_what_is_no_address_of_a_proxy(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        proxy_network(text)
