"""What proves that no daemon runs, and what may hide one."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from reconciler.cli import daemon_client
from reconciler.cli.daemon_client import DaemonAbsent, DaemonUnreachable, store_of
from tests.cli.program import bare, invoke

NOWHERE = "http://127.0.0.1:1"
ELSEWHERE = "http://daemon.example.com"


@contextmanager
def responding(code: int) -> Iterator[str]:
    """The address of a server that responds with this status, and with an empty page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def is_absent(server: str) -> bool:
    with pytest.raises(DaemonUnreachable) as caught:
        store_of(server)
    return isinstance(caught.value, DaemonAbsent)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


def test_where_the_connection_is_refused_there_is_no_daemon() -> None:
    assert is_absent(NOWHERE)


@pytest.mark.parametrize("code", [200, 401, 403, 404, 502, 503])
def test_whoever_responds_may_stand_before_a_daemon(code: int) -> None:
    with responding(code) as server:
        assert not is_absent(server)


def test_a_timeout_may_hide_a_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_client, "_PATIENCE", 0.1)
    with silent() as server:
        assert not is_absent(server)


def test_an_error_of_tls_may_hide_a_daemon() -> None:
    with responding(200) as server:
        assert not is_absent(server.replace("http:", "https:"))


@pytest.mark.parametrize(
    ("number", "absent"),
    [
        pytest.param(socket.EAI_NONAME, True, id="there is no such name"),
        pytest.param(socket.EAI_AGAIN, False, id="the name server did not answer"),
    ],
)
def test_a_name_that_does_not_resolve(number: int, absent: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(number, "resolver")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    assert is_absent(ELSEWHERE) == absent


def test_a_proxy_that_refuses_says_nothing_about_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", NOWHERE)
    assert not is_absent(ELSEWHERE)


def test_upgrade_does_not_go_alone_where_a_daemon_may_run(tmp_path: Path) -> None:
    with responding(503) as server:
        done = invoke(
            "upgrade", "web", "--domain", "3", "--yes", "--server", server, env=bare(), cwd=tmp_path
        )
    assert (done.code, done.out, done.err) == (
        1,
        [],
        [
            f"error: no daemon responds at {server} (HTTP Error 503: Service Unavailable), but one may run there; "
            "correct --server, or try again"
        ],
    )
