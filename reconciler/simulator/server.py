"""The entry point for clients outside this process: a real HTTPS server with sign-in endpoints.

    with sim.serve() as server:
        env = {**os.environ, **server.environment}       # any client that finds its identity and its CA there

There are two listeners: `url` uses TLS, `plain_url` does not. Both serve Resource Manager and the token
endpoints. Connections are kept alive, each in its own thread, but the core handles one request at a time.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from reconciler.simulator import certificates as authority
from reconciler.simulator import entra, identity
from reconciler.simulator.core import Core
from reconciler.simulator.domains import guid
from reconciler.simulator.message import ConnectionLost, Request, Response

LOOPBACK = "127.0.0.1"
# SO_LINGER with zero seconds: closing the socket resets the connection.
ABRUPTLY = struct.pack("ii", 1, 0)


class Server:
    """A server that runs from construction until `close`."""

    def __init__(self, core: Core, port: int = 0, certificates: Path | None = None) -> None:
        self.identity_header = guid("identity header")
        with contextlib.ExitStack() as opened:  # if the port is in use, nothing is left behind
            directory = certificates or Path(opened.enter_context(tempfile.TemporaryDirectory()))
            files = authority.make(directory)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(files.chain, files.key)
            self.ca_file = files.ca
            self._secure = _Listener(core, port, self.identity_header, context)
            opened.callback(self._secure.stop)
            self._plain = _Listener(core, 0, self.identity_header, None)
            opened.callback(self._plain.stop)
            self._opened = opened.pop_all()

    @property
    def url(self) -> str:
        return self._secure.url

    @property
    def plain_url(self) -> str:
        return self._plain.url

    @property
    def identity_endpoint(self) -> str:
        return self._plain.url + identity.PATH

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables that let a client find its identity and trust the certificate."""
        return {
            "IDENTITY_ENDPOINT": self.identity_endpoint,
            "IDENTITY_HEADER": self.identity_header,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
            "SSL_CERT_FILE": str(self.ca_file),
            "NO_PROXY": f"{LOOPBACK},localhost",
            "no_proxy": f"{LOOPBACK},localhost",
        }

    def close(self) -> None:
        """Stop serving, close all connections, and remove the certificates if they are temporary."""
        self._opened.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Listener(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, core: Core, port: int, secret: str, context: ssl.SSLContext | None) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.core = core
        self.secret = secret
        self.scheme = "https" if context else "http"
        self._connections: set[socket.socket] = set()
        if context is not None:
            # Each connection's own thread does the handshake, so a silent client does not block the others.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://{LOOPBACK}:{self.server_port}"

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def answer(self) -> None:
        host = self.headers.get("Host") or f"{LOOPBACK}:{self.server.server_port}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, f"{self.server.scheme}://{host}{self.path}", dict(self.headers), body)
        tenants = self.server.core.cloud.tenants.values()
        if aside := identity.answer(request, self.server.secret) or entra.answer(request, tenants):
            self._send(aside)
            return
        try:
            response = self.server.core.handle(request)
        except ConnectionLost:
            self._break()
            return
        self._send(response)

    do_GET = do_PUT = do_PATCH = do_POST = do_DELETE = answer  # noqa: N815 - the names http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing, because the simulator has its own record."""

    def _send(self, response: Response) -> None:
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def _break(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABRUPTLY)
