"""Where checks are sent: every spelling of an address, names that change, redirects and proxies.

Requests are counted at a listener on loopback, and connections to any other machine fail and are recorded.
"""

import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from reconciler.checks.client import Checks
from reconciler.checks.reach import MERGED, UNMERGED, Reach, allowed
from reconciler.rollout.gate import Gate
from reconciler.rollout.reason import Reason
from reconciler.spec.check import HttpCheck, PrometheusCheck
from tests.build import NOW
from tests.checks.endpoint import HERE, Endpoint, serve_endpoint

REACHES = {"plan": UNMERGED, "the daemon": MERGED}
each_reach = pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
# Each leads to 127.0.0.1 if it is asked.
SPELLINGS = {
    "127.0.0.1": "four numbers",
    "localhost": "a name",
    "127.1": "a short form",
    "2130706433": "a decimal number",
    "0x7f000001": "a hexadecimal number",
    "0x7f.0.0.1": "a hexadecimal part",
    "0177.0.0.1": "an octal part",
    "[::ffff:127.0.0.1]": "an IPv4-mapped address",
    "[::ffff:7f00:1]": "an IPv4-mapped address in hexadecimal",
    "\N{FULLWIDTH DIGIT ONE}27.0.0.1": "a full-width digit",
    "\N{CIRCLED DIGIT ONE}27.0.0.1": "a circled digit",
}
UNSPECIFIED = {"0.0.0.0": "the unspecified address", "0": "the unspecified address as a number"}  # noqa: S104
# Of each kind, in each spelling that a resolver accepts.
ELSEWHERE = {
    "169.254.169.254": "a link-local address",
    "2852039166": "a link-local address",
    "0xa9fea9fe": "a link-local address",
    "0251.0376.0251.0376": "a link-local address",
    "169.16689662": "a link-local address",
    "[::ffff:169.254.169.254]": "a link-local address",
    "[64:ff9b::a9fe:a9fe]": "a link-local address",
    "[fe80::1]": "a link-local address",
    "168.63.129.16": "the address of a metadata server",
    "[fd00:ec2::254]": "the address of a metadata server",
    "224.0.0.1": "a multicast address",
    "[ff02::1]": "a multicast address",
    "255.255.255.255": "a reserved address",
    "[::7f00:1]": "a reserved address",
}
PRIVATE = (
    "10.0.0.5",
    "167772165",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "[fd00::1]",
    "[::ffff:10.0.0.5]",
)


@pytest.fixture(autouse=True)
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses to which a connection was attempted. No test reaches another machine."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found: list[str] = []
    connect = socket.socket.connect

    def recorded(self: socket.socket, address: Any) -> None:
        found.append(address[0])
        if address[0] not in {"127.0.0.1", "127.0.0.2", "::ffff:127.0.0.1"}:
            raise ConnectionRefusedError(111, "Connection refused")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", recorded)
    return found


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serve_endpoint() as found:
        yield found


def ask(url: str, reach: Reach) -> list[Gate]:
    """The gates of an HTTP check and of a Prometheus check at this URL."""
    checks = Checks(lambda: NOW, reach)
    return [checks.gate(HttpCheck("smoke", url, 200)), checks.gate(PrometheusCheck("errors", url, "x > 1"))]


def allow(reach: Reach, *entries: str) -> Reach:
    return replace(reach, allowed=tuple(map(allowed, entries)))


def resolver(*answers: Sequence[str]) -> Callable[..., Any]:
    """A name server that gives these addresses for every name, the last ones again and again."""
    left = list(answers)

    def getaddrinfo(_host: str, port: int | None, **options: Any) -> Any:
        if options.get("flags"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        addresses = left.pop(0) if len(left) > 1 else left[0]
        return [
            (
                socket.AF_INET6 if ":" in each else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (each, port, 0, 0) if ":" in each else (each, port),
            )
            for each in addresses
        ]

    return getaddrinfo


@each_reach
@pytest.mark.parametrize("host", [*SPELLINGS, *UNSPECIFIED], ids=[*SPELLINGS.values(), *UNSPECIFIED.values()])
def test_no_spelling_of_this_machine_is_asked(endpoint: Endpoint, host: str, reach: Reach) -> None:
    for gate in ask(endpoint.url.replace("127.0.0.1", host), reach):
        assert gate.closed is Reason.CHECK_FAILED
        assert "was not called, because it is at " in gate.evidence
    assert endpoint.asked == []


@pytest.mark.parametrize("host", SPELLINGS, ids=SPELLINGS.values())
def test_every_spelling_of_an_allowed_address_is_asked(endpoint: Endpoint, host: str) -> None:
    ask(endpoint.url.replace("127.0.0.1", host), HERE)
    assert len(endpoint.asked) == 2


@each_reach
@pytest.mark.parametrize(("host", "kind"), ELSEWHERE.items(), ids=ELSEWHERE)
def test_no_address_of_these_kinds_is_asked(host: str, kind: str, reach: Reach, attempts: list[str]) -> None:
    for gate in ask(f"http://{host}/latest/meta-data", reach):
        assert gate.closed is Reason.CHECK_FAILED
        assert f"was not called, because it is at {kind}; " in gate.evidence
    assert attempts == []


@pytest.mark.parametrize("host", PRIVATE)
def test_only_the_daemon_asks_private_addresses(host: str, attempts: list[str]) -> None:
    assert all("at a private address" in gate.evidence for gate in ask(f"http://{host}", UNMERGED))
    assert attempts == []
    assert all("connection refused" in gate.evidence for gate in ask(f"http://{host}", MERGED))
    assert len(attempts) == 2


@each_reach
@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["169.254.169.254"], id="the metadata server"),
        pytest.param(["127.0.0.1"], id="this machine"),
        pytest.param(["8.8.8.8", "127.0.0.1"], id="a public address and this machine"),
        pytest.param(["fe80::1", "8.8.8.8"], id="a link-local address and a public one"),
    ],
)
def test_a_name_is_not_asked_if_any_of_its_addresses_is_out_of_reach(
    addresses: list[str], reach: Reach, attempts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver(addresses))
    assert all("was not called" in gate.evidence for gate in ask("http://a.example.com", reach))
    assert attempts == []


def test_a_name_that_changes_is_asked_where_it_was_judged(
    endpoint: Endpoint, attempts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """127.0.0.1 is allowed and 127.0.0.2 is not. The name server gives the one first and then the other."""
    monkeypatch.setattr(socket, "getaddrinfo", resolver(["127.0.0.1"], ["127.0.0.2"]))
    url = endpoint.url.replace("127.0.0.1", "rebinding.example.com")
    checks = Checks(lambda: NOW, allow(UNMERGED, "127.0.0.1"))
    assert checks.gate(HttpCheck("smoke", url, 200)).closed is None
    assert (attempts, endpoint.asked) == (["127.0.0.1"], ["/"])
    gate = checks.gate(HttpCheck("again", url, 200))
    assert "was not called, because it is at a loopback address" in gate.evidence
    assert len(attempts) == 1


def test_the_next_address_of_a_name_is_asked_if_the_first_does_not_answer(
    endpoint: Endpoint, attempts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolver(["127.0.0.2", "127.0.0.1"]))
    url = endpoint.url.replace("127.0.0.1", "shop.example.com")
    assert Checks(lambda: NOW, HERE).gate(HttpCheck("smoke", url, 200)).closed is None
    assert attempts == ["127.0.0.2", "127.0.0.1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        pytest.param("http://169.254.169.254/metadata/identity", id="to the metadata server"),
        pytest.param("http://168.63.129.16/machine", id="to the wire server"),
        pytest.param("http://10.0.0.5/", id="to a private address"),
        pytest.param("http://[fd00::1]/", id="to a private IPv6 address"),
        pytest.param("http://2852039166/", id="to the metadata server as a number"),
        pytest.param("//0.0.0.0/", id="to the unspecified address"),
        pytest.param("file:///etc/passwd", id="to a file"),
        pytest.param("/login", id="to another path"),
    ],
)
def test_no_redirect_is_followed(endpoint: Endpoint, status: int, location: str, attempts: list[str]) -> None:
    endpoint.status, endpoint.headers = status, {"Location": location}
    http, prometheus = ask(endpoint.url, HERE)
    assert http.evidence.endswith(f"returned {status}, expected 200")
    assert prometheus.evidence.endswith(f"returned {status} and no result for x > 1")
    assert location not in http.evidence + prometheus.evidence
    assert attempts == ["127.0.0.1"] * 2
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize(
    "reach, host, asked",
    [
        pytest.param(MERGED, "shop.example.com", 2, id="the daemon asks a proxy for a name"),
        pytest.param(UNMERGED, "shop.example.com", 0, id="plan asks a proxy for no name"),
        pytest.param(
            allow(UNMERGED, "shop.example.com"),
            "shop.example.com",
            2,
            id="plan asks a proxy for a name on the list",
        ),
        pytest.param(UNMERGED, "8.8.8.8", 2, id="plan asks a proxy for a public address"),
        pytest.param(UNMERGED, "10.0.0.5", 0, id="plan asks a proxy for no private address"),
        pytest.param(MERGED, "10.0.0.5", 2, id="the daemon asks a proxy for a private address"),
        *(
            pytest.param(MERGED, host, 0, id=f"the daemon asks a proxy for no {host}")
            for host in (*ELSEWHERE, *UNSPECIFIED)
        ),
    ],
)
def test_behind_a_proxy(  # noqa: PLR0917 - pytest passes them by name
    endpoint: Endpoint,
    reach: Reach,
    host: str,
    asked: int,
    attempts: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", endpoint.url)
    resolved: list[str] = []
    resolve = socket.getaddrinfo

    def recorded(name: str, *arguments: Any, **options: Any) -> Any:
        if not options.get("flags", 0) & socket.AI_NUMERICHOST:
            resolved.append(name)
            assert name == "127.0.0.1", "only the proxy resolves other names"
        return resolve(name, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", recorded)
    gates = ask(f"http://{host}/", reach)
    assert {*resolved} == ({"127.0.0.1"} if asked else set())
    assert len(endpoint.asked) == asked
    assert {*attempts} == ({"127.0.0.1"} if asked else set())
    assert all(("was not called" in gate.evidence) is not bool(asked) for gate in gates)


def test_a_host_without_proxy_is_judged(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example.com:3128")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert all("a loopback address" in gate.evidence for gate in ask(endpoint.url, MERGED))
    assert all(gate.closed is None for gate in ask(endpoint.url, HERE)[:1])
    assert len(endpoint.asked) == 2


def test_a_server_with_tls_is_asked_by_its_name(attempts: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is checked for the name in the URL, though the connection is to the judged address."""
    from tests.cli.program import azure

    with azure() as world:
        monkeypatch.setenv("SSL_CERT_FILE", world.server.environment["SSL_CERT_FILE"])
        checks = Checks(lambda: NOW, HERE)
        right = HttpCheck("smoke", f"{world.server.url}/", 401)
        other = HttpCheck("smoke", f"{world.server.url.replace('127.0.0.1', 'shop.example.com')}/", 401)
        assert checks.gate(right).evidence.endswith("returned 401")
        monkeypatch.setattr(socket, "getaddrinfo", resolver(["127.0.0.1"]))
        assert "its certificate is not valid: " in checks.gate(other).evidence
    assert {*attempts} == {"127.0.0.1"}
