"""`reconciler reconcile`: which scale sets it asks the daemon for."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli import main

ROWS = [{"name": "web", "labels": {"team": "web"}}, {"name": "api", "labels": {}}]


@pytest.fixture
def asked() -> Iterator[tuple[str, list[Any]]]:
    """The URL of a daemon, and the bodies that were posted to it."""
    bodies: list[Any] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(json.dumps({"sweep": {"errors": []}, "scaleSets": ROWS}))

        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer("1 scale set will be reconciled")

        def _answer(self, text: str) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", bodies
        server.shutdown()


@pytest.mark.parametrize(
    ("line", "names"),
    [
        pytest.param(["api"], ["api"], id="a name"),
        pytest.param(["-l", "team=web"], ["web"], id="labels"),
        pytest.param(["api", "-l", "team"], ["api", "web"], id="a name and labels"),
    ],
)
def test_it_asks_for_names_and_labels(
    line: list[str], names: list[str], asked: tuple[str, list[Any]]
) -> None:
    url, bodies = asked
    done = CliRunner().invoke(main, ["reconcile", *line, "--server", url], env={})
    assert (done.exit_code, bodies) == (0, [{"names": names}])


def test_without_names_and_labels_it_asks_for_nothing(asked: tuple[str, list[Any]]) -> None:
    url, bodies = asked
    done = CliRunner().invoke(main, ["reconcile", "--server", url], env={})
    assert (done.exit_code, bodies) == (2, [])
    assert "pass NAMES or --selector" in done.stderr
