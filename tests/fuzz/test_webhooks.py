"""Whatever is sent to the port of the webhooks, nothing happens without the secret, and the next sender is served."""

import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.web.server import Server
from reconciler.web.webhook import Webhooks
from tests.fuzz.properties import NOW, SECRET, check_webhook
from tests.fuzz.targets import FORGES

NAMES = (
    "x-hub-signature-256", "x-gitlab-token", "x-signature", "authorization", "webhook-signature", "webhook-id",
    "webhook-timestamp", "x-github-event", "x-gitlab-event", "content-length", "transfer-encoding",
)  # fmt: skip
VALUES = st.sampled_from(
    ["", "sha256=", "v1,", "v1," * 5000, "v1, " * 5000, "Basic ", "Basic Og==", "Bearer x", f"{NOW.timestamp():.0f}", "9" * 5000, "²", "٣",
     "push", "Push Hook", "whsec_", "é", "\ud800", "\x00", "1\r\n 2", SECRET[:-1], SECRET.upper(), f"{SECRET} "]
) | st.text(max_size=40)  # fmt: skip


@given(
    path=st.sampled_from(
        [*FORGES, "/hooks/github?x=1", "", "/", "//hooks/github", "/hooks/github/", "\ud800"]
    ),
    headers=st.dictionaries(st.sampled_from(NAMES), VALUES),
    body=st.binary(max_size=200),
)
def test_a_webhook_without_the_secret_has_no_effect(path: str, headers: dict[str, str], body: bytes) -> None:
    check_webhook(path, headers, body)


class Port:
    """A server of webhooks, and the pushes that it was sent."""

    def __init__(self, patience: timedelta = timedelta(seconds=10)) -> None:
        self.pushes: list[bool] = []
        webhooks = Webhooks(SECRET.encode, self._push, lambda: NOW)
        self.server = Server(webhooks, "127.0.0.1", 0, patience)
        self._address = ("127.0.0.1", int(self.server.url.rpartition(":")[2]))

    def _push(self, is_relayed: bool) -> bool:
        self.pushes.append(is_relayed)
        return True

    def connect(self) -> socket.socket:
        return socket.create_connection(self._address, timeout=30)

    def send(self, *parts: bytes) -> bytes:
        """What the server responds to a client that sends this and no more."""
        with self.connect() as client:
            try:
                for part in parts:
                    client.sendall(part)
                client.shutdown(socket.SHUT_WR)
            except OSError:  # it has refused already
                pass
            return received(client)


def received(client: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    found = b""
    try:
        while part := client.recv(65536):
            found += part
    except ConnectionError:
        pass
    return found


@pytest.fixture(scope="module")
def port() -> Iterator[Port]:
    made = Port()
    with closing(made.server):
        yield made


def push(*headers: str, body: bytes = b"{}", path: str = "/hooks/gitlab") -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"POST {path} HTTP/1.1", "Host: x", *headers))
    return f"{head}\r\n".encode("latin-1") + body


TOKEN = f"X-Gitlab-Token: {SECRET}"
EVENT = "X-Gitlab-Event: Push Hook"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(push(TOKEN, EVENT, "Content-Length: 2"), b"202", id="a push with the secret"),
        pytest.param(push(EVENT, "Content-Length: 2"), b"401", id="a push without the secret"),
        pytest.param(push(TOKEN, EVENT, "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"), b"411", id="a chunked body"),
        pytest.param(push(TOKEN, EVENT), b"411", id="a body without its length"),
        pytest.param(push(TOKEN, EVENT, "Content-Length: 1048577"), b"413", id="a body over the limit by a byte"),
        pytest.param(push(TOKEN, EVENT, f"Content-Length: {'9' * 5000}"), b"400", id="a length of 5,000 digits"),
        pytest.param(push(TOKEN, EVENT, "Content-Length: -1"), b"400", id="a negative length"),
        pytest.param(push(TOKEN, EVENT, "Content-Length: \u00b2"), b"400", id="a length that is no ASCII digit"),
        pytest.param(push(TOKEN, EVENT, f"X-Long: {'x' * 70_000}"), b"431", id="a header of 70,000 characters"),
        pytest.param(push(TOKEN, EVENT, *(f"X-{number}: x" for number in range(200))), b"431", id="200 headers"),
        pytest.param(push(TOKEN, EVENT, path=f"/{'x' * 70_000}"), b"431", id="a path of 70,000 characters"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400", id="a client that speaks TLS"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"505", id="a client that speaks HTTP/2"),
        pytest.param(b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", b"501", id="another method"),
    ],
)  # fmt: skip
def test_a_request_has_this_status(
    port: Port, caplog: pytest.LogCaptureFixture, request_: bytes, status: bytes
) -> None:
    before = len(port.pushes)
    response = port.send(request_)
    assert status in response.split(b"\n")[0] or status in response, response[:100]
    assert len(port.pushes) - before == (status == b"202")
    assert SECRET.encode() not in response
    assert caplog.messages == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.binary(max_size=60)
        | st.sampled_from([b"\r\n", b"\n", b": ", b"POST /hooks/gitlab HTTP/1.1\r\n", b"GET / HTTP/0.9\r\n", b"Content-Length: 5\r\n",
                           b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n", b"\x00", b"X-Gitlab-Token: \xff\r\n"]),
        max_size=12,
    )
)  # fmt: skip
def test_any_bytes_end_a_connection_without_effect_or_log(
    port: Port, caplog: pytest.LogCaptureFixture, parts: Sequence[bytes]
) -> None:
    before = len(port.pushes)
    port.send(b"".join(parts))
    assert len(port.pushes) == before
    assert caplog.messages == []


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST /hooks/gitlab HT", id="half a request line"),
        pytest.param(b"POST /hooks/gitlab HTTP/1.1\r\nX-A: b\r\n", id="headers without an end"),
        pytest.param(push(TOKEN, EVENT, "Content-Length: 1000"), id="a body that does not come"),
    ],
)
def test_a_slow_sender_is_cut_off_however_regularly_it_sends(
    caplog: pytest.LogCaptureFixture, begin: bytes
) -> None:
    slow = Port(timedelta(seconds=0.3))
    ended = threading.Event()
    with closing(slow.server), slow.connect() as client:

        def drip() -> None:
            try:
                client.sendall(begin)
                while not ended.wait(0.02):
                    client.sendall(b"x")
            except OSError:
                pass  # cut off

        sender = threading.Thread(target=drip)
        sender.start()
        try:
            assert received(client) == b""
        finally:
            ended.set()
            sender.join()
        assert slow.send(push(TOKEN, EVENT, "Content-Length: 2")).startswith(b"HTTP/1.1 202")
    assert len(slow.pushes) == 1
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_of_connections_beyond_the_limit_those_that_wait_longest_are_closed() -> None:
    port = Port()
    with closing(port.server), ExitStack() as opened:
        idle = [opened.enter_context(port.connect()) for _ in range(210)]
        assert port.send(push("Content-Length: 2")).startswith(b"HTTP/1.1 401")
        assert is_closed(idle[0])
        assert is_closed(idle[10])
        assert port.send(push("Content-Length: 2")).startswith(b"HTTP/1.1 401")


def is_closed(client: socket.socket) -> bool:
    try:
        return not client.recv(1)
    except ConnectionError:
        return True
