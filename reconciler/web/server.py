"""The HTTP server of the daemon: probes for the cluster, metrics, and the status for `reconciler status`.

What is read is served from the store, and causes no request to Azure.

    /livez    200 while sweeps run; 503 if the last sweep is overdue, so that the process is restarted
    /readyz   200 once specs are in force and the fleet was listed
    /metrics  Prometheus metrics
    /status   the store as JSON

What an operator may ask for is in `operator`.
"""

import io
import json
import logging
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import BoundedSemaphore, Thread
from typing import Any, Protocol

from prometheus_client.exposition import CONTENT_TYPE_LATEST

from reconciler.daemon import report
from reconciler.daemon.store import Store
from reconciler.web import metrics
from reconciler.web.operator import Commands, OperatorRequests
from reconciler.web.response import Headers, Response

_log = logging.getLogger("reconciler")

_CLOSE_POLL_SECONDS = 0.1  # seconds between checks for the request to close

_MOST_CONNECTIONS = 32  # at once; each takes a thread, a descriptor, and memory for a body
_PATIENCE = timedelta(seconds=10)

MAX_BODY = 1 << 20
"""The size of the largest body that is read, in bytes. A push of GitHub has at most some hundred thousand."""


class Handler(Protocol):
    """What a server serves."""

    def get(self, path: str) -> Response:
        """Respond to a GET."""
        ...

    def post(self, path: str, headers: Headers, body: bytes, peer: str) -> Response:
        """Respond to a POST from the address `peer`."""
        ...


class Pages:
    """The response of each path. A sweep that is older than `overdue` means that the daemon hangs."""

    def __init__(
        self,
        store: Store,
        overdue: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        commands: Commands | None = None,
    ) -> None:
        self._store = store
        self._overdue = overdue
        self._now = now
        self._started = now()
        self._operator = OperatorRequests(commands) if commands else None
        self._paths = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/status": self._status,
        }

    def get(self, path: str) -> Response:
        page = self._paths.get(path.split("?", 1)[0])
        if page is None:
            return Response(
                HTTPStatus.NOT_FOUND, f"no such page; use one of {', '.join(self._paths)}\n".encode()
            )
        return page()

    def post(self, path: str, headers: Headers, body: bytes, peer: str) -> Response:
        if self._operator is None:
            return Response(HTTPStatus.METHOD_NOT_ALLOWED, b"these pages are read-only\n")
        return self._operator.respond(path, headers, body, peer)

    def _livez(self) -> Response:
        sweep = self._store.last_sweep
        age = self._now() - (sweep.at if sweep else self._started)
        if age > self._overdue:
            late = f"no sweep for {age.total_seconds():.0f} s\n".encode()
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, late)
        return Response(HTTPStatus.OK, b"ok\n")

    def _readyz(self) -> Response:
        sweep = self._store.last_sweep
        if sweep is None:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, b"the first sweep has not ended yet\n")
        if not self._store.states() and sweep.errors:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, "\n".join((*sweep.errors, "")).encode())
        return Response(HTTPStatus.OK, b"ok\n")

    def _metrics(self) -> Response:
        return Response(HTTPStatus.OK, metrics.exposition(self._store, self._started), CONTENT_TYPE_LATEST)

    def _status(self) -> Response:
        text = json.dumps(report.store(self._store))  # indented, it takes four times as long
        return Response(HTTPStatus.OK, f"{text}\n".encode(), "application/json")


class Server:
    """Serves a handler on an address until closed. Port 0 means any free port; `url` has the actual one.

    `patience` is the time for a whole request, however slowly a client sends it, and for the response. Raises
    OSError if it cannot listen there.
    """

    def __init__(self, handler: Handler, host: str, port: int, patience: timedelta = _PATIENCE) -> None:
        self._listener = _HttpServer(handler, host, port, patience)
        self._thread = Thread(
            target=self._listener.serve_forever, args=(_CLOSE_POLL_SECONDS,), name="web", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        host, port = self._listener.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def close(self) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._thread.join()


class _HttpServer(ThreadingHTTPServer):
    """Serves a limited number of connections at once. A further one is closed without a response."""

    daemon_threads = True

    def __init__(self, handler: Handler, host: str, port: int, patience: timedelta) -> None:
        self.handler = handler
        self.patience = patience.total_seconds()
        self._places = BoundedSemaphore(_MOST_CONNECTIONS)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _RequestHandler)

    def server_bind(self) -> None:
        """Skips the reverse DNS lookup of HTTPServer, which may take long and is not needed."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # "::" is IPv4 too
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread can be started
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, *_: Any) -> None:
        """Ignores clients that disconnect."""
        if not isinstance(sys.exception(), OSError):
            _log.exception("a page could not be served because of a bug in the reconciler; please report it")


class _Request(io.RawIOBase):
    """What a client sends. Raises TimeoutError once all of it together takes too long."""

    def __init__(self, connection: socket.socket, patience: float) -> None:
        self._connection = connection
        self._patience = patience
        self._end = time.monotonic() + patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(self._patience)


class _RequestHandler(BaseHTTPRequestHandler):
    server: _HttpServer

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.patience)
        self.rfile.close()
        self.rfile = io.BufferedReader(_Request(self.connection, self.server.patience))

    def do_GET(self) -> None:
        self._send(self.server.handler.get(self.path))

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "Content-Length is missing")
        elif len(length) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is over the limit of {MAX_BODY:,} bytes"
            )
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body, peer = self.rfile.read(int(length)), self.client_address[0]
            self._send(self.server.handler.post(self.path, headers, body, peer))

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Respond without reading the body, and close the connection on the rest of it."""
        self.close_connection = True
        self._send(Response(status, f"{message}\n".encode()))

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.kind)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Logs no requests: probes come every few seconds, and the log is for the fleet."""
