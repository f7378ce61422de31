"""Somebody to put checks to, on loopback: answers as it is told, and remembers what was asked."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Place(ThreadingHTTPServer):
    """`status`, `body` and `headers` are what it answers; `asked` are the paths so far."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.body: bytes | Callable[[Any], None] = b""
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        place = self.server
        assert isinstance(place, Place)
        place.asked.append(self.path)
        self.send_response(place.status)
        for name, value in place.headers.items():
            self.send_header(name, value)
        if callable(place.body):
            self.end_headers()
            place.body(self.wfile)
            return
        self.send_header("Content-Length", str(len(place.body)))
        self.end_headers()
        self.wfile.write(place.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nobody reads it."""


@contextmanager
def served() -> Iterator[Place]:
    with Place() as place:
        thread = threading.Thread(target=place.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield place
        finally:
            place.shutdown()
            thread.join()


@contextmanager
def raw(answer: bytes) -> Iterator[str]:
    """A place that says these bytes to one who comes, and hangs up; the address of it."""
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
