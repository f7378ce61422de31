"""An HTTP server on loopback for checks: returns configured responses and records the requests."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

from reconciler.checks.reach import MERGED

# The reach of a daemon whose operator allows this machine.
HERE = replace(MERGED, allowed=(ip_network("127.0.0.0/8"),))


class Endpoint(ThreadingHTTPServer):
    """`status`, `body` and `headers` are the response. `asked` are the requested paths.

    `happens` is called after a request has arrived and before it is answered.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.body: bytes | Callable[[Any], None] = b""
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        self.happens: Callable[[], None] = lambda: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        endpoint = self.server
        assert isinstance(endpoint, Endpoint)
        endpoint.asked.append(self.path)
        endpoint.happens()
        self.send_response(endpoint.status)
        for name, value in endpoint.headers.items():
            self.send_header(name, value)
        if callable(endpoint.body):
            self.end_headers()
            endpoint.body(self.wfile)
            return
        self.send_header("Content-Length", str(len(endpoint.body)))
        self.end_headers()
        self.wfile.write(endpoint.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Logs nothing."""


@contextmanager
def serve_endpoint() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield endpoint
        finally:
            endpoint.shutdown()
            thread.join()


@contextmanager
def serve_bytes(answer: bytes) -> Iterator[str]:
    """The URL of a server that sends these bytes to one client and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def speak() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=speak)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            thread.join()
