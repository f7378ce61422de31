"""TLS of the HTTP server: the certificate is replaced without a restart, and a handshake has limits."""

import os
import shutil
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import timedelta
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from reconciler.simulator.certificates import Certificates, make
from reconciler.web.server import Server
from reconciler.web.tls import Certificate, CertificateError
from reconciler.web.webhook import Webhooks

PATIENCE, HOUR = timedelta(seconds=0.5), timedelta(hours=1)


@pytest.fixture
def files(tmp_path: Path) -> Certificates:
    return make(tmp_path / "tls")


@pytest.fixture
def server(files: Certificates) -> Iterator[Server]:
    with closing(serve(files, PATIENCE)) as served:
        yield served


def serve(files: Certificates, patience: timedelta) -> Server:
    hooks, certificate = Webhooks(lambda: b"secret", lambda _: True), Certificate(files.chain, files.key)
    return Server(hooks, "127.0.0.1", 0, patience, certificate=certificate, most=8)


def get(url: str, trusted: Path) -> int:
    try:
        with urllib.request.urlopen(
            url, context=ssl.create_default_context(cafile=str(trusted)), timeout=20
        ) as found:
            return int(found.status)
    except urllib.error.HTTPError as error:
        return error.code


def address(server: Server) -> tuple[str, int]:
    host, port = server.url.removeprefix("https://").split(":")
    return host, int(port)


def is_closed(client: socket.socket) -> bool:
    """Whether the server has closed the connection. Raises TimeoutError if it does nothing."""
    try:
        return not client.recv(1)
    except ConnectionError:
        return True


def test_it_speaks_tls_and_nothing_else(server: Server, files: Certificates) -> None:
    assert get(server.url, files.ca) == 405
    with pytest.raises(OSError, match=r"closed|reset"):
        urllib.request.urlopen(server.url.replace("https", "http"), timeout=20)


def test_old_versions_of_tls_are_refused(files: Certificates) -> None:
    assert Certificate(files.chain, files.key).context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_new_certificate_is_served_at_once(
    server: Server, files: Certificates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert get(server.url, files.ca) == 405
    new = make(tmp_path / "new")
    for old, replacement in ((files.chain, new.chain), (files.key, new.key)):
        os.replace(replacement, old)
    assert get(server.url, new.ca) == 405
    assert [each for each in caplog.messages if "TLS" in each] == ["the TLS certificate was replaced"]
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        get(server.url, files.ca)


def test_half_of_a_new_pair_leaves_the_last_one_in_use(
    server: Server, files: Certificates, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new = make(tmp_path / "new")
    os.replace(new.chain, files.chain)
    assert [get(server.url, files.ca) for _ in range(2)] == [405, 405]
    (line,) = caplog.messages
    assert line.endswith("the last certificate remains in use")
    os.replace(new.key, files.key)
    assert get(server.url, new.ca) == 405


@pytest.mark.parametrize(
    ("break_it", "error"),
    [
        pytest.param(
            lambda files: files.key.write_text("no key"), "are no certificate with its key", id="no key"
        ),
        pytest.param(
            lambda files: shutil.copy(files.ca, files.chain),
            "key values mismatch",
            id="the key of another certificate",
        ),
        pytest.param(lambda files: files.chain.unlink(), "No such file", id="no file"),
    ],
)
def test_files_that_are_no_pair_are_refused(files: Certificates, break_it: object, error: str) -> None:
    assert callable(break_it)
    break_it(files)
    with pytest.raises(CertificateError, match=error):
        Certificate(files.chain, files.key)


def test_a_handshake_that_does_not_end_is_cut_off(server: Server) -> None:
    with socket.create_connection(address(server), timeout=20) as silent:
        assert is_closed(silent)


def test_a_handshake_that_does_not_end_makes_room_for_a_new_one(files: Certificates) -> None:
    with closing(serve(files, HOUR)) as server, ExitStack() as silent:
        waiting = [
            silent.enter_context(socket.create_connection(address(server), timeout=20)) for _ in range(8)
        ]
        assert get(server.url, files.ca) == 405
        assert is_closed(waiting[0])
        waiting[1].settimeout(0.2)
        with pytest.raises(TimeoutError):
            is_closed(waiting[1])


def test_one_connection_serves_several_requests(server: Server, files: Certificates) -> None:
    context = ssl.create_default_context(cafile=str(files.ca))
    with closing(HTTPSConnection(*address(server), timeout=20, context=context)) as client:
        for _ in range(3):
            client.request("GET", "/")
            response = client.getresponse()
            assert (response.status, response.read()) == (405, b"a webhook is posted\n")
            assert client.sock


def test_a_request_in_the_same_packet_as_the_end_of_the_handshake_is_answered(
    server: Server, files: Certificates
) -> None:
    context = ssl.create_default_context(cafile=str(files.ca))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with socket.create_connection(address(server), timeout=20) as plain:
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536))
        client.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.sendall(outgoing.read())  # the end of the handshake, and the request
        answer = b""
        while not answer:
            incoming.write(plain.recv(65536))
            with suppress(ssl.SSLWantReadError):
                answer = client.read(65536)
    assert answer.startswith(b"HTTP/1.1 405")


def test_a_client_that_sends_no_more_gets_its_response(server: Server, files: Certificates) -> None:
    context = ssl.create_default_context(cafile=str(files.ca))
    with (
        socket.create_connection(address(server), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := client.recv(4096):
            answer += part
    assert answer.startswith(b"HTTP/1.1 405")
