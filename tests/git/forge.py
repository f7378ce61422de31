"""A forge on this machine: real repositories by `git http-backend`, and whatever a forge answers instead."""

import base64
import http.server
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit


class Forge(http.server.ThreadingHTTPServer):
    """Serves the repositories below a directory, also as a proxy of any other host.

    answer: a page, as (status, headers, body), that is sent instead of anything from git.
    user: "name:password" that is required.
    cut: the connection is closed after this many bytes of each response from git.
    delay: seconds before each response.
    moved: the path of a repository, and the path that requests for it are redirected to.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, root: Path, certificate: tuple[Path, Path] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.answer: tuple[int, Mapping[str, str], bytes] | None = None
        self.user = ""
        self.cut: int | None = None
        self.cut_after = 0  # responses of git that are complete
        self.delay = 0.0
        self.moved = "", ""
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, Authorization
        self.sent = 0  # bytes of git's responses
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def url(self, name: str = "fleet.git") -> str:
        return f"{self.scheme}://{self.host}/{name}"

    def handle_error(self, *_: object) -> None:
        pass  # a client that goes away is what is tested


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Forge

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def do_CONNECT(self) -> None:
        self._respond()

    def log_message(self, *_: object) -> None:
        pass

    def _respond(self) -> None:
        forge = self.server
        forge.requests.append((self.command, self.path, self.headers.get("Authorization")))
        body = self._body()
        if forge.delay:
            time.sleep(forge.delay)
        if forge.answer:
            self._send(*forge.answer)
        elif forge.moved[0] and self.path.startswith(forge.moved[0]):
            self._send(301, {"Location": self.path.replace(*forge.moved)}, b"")
        elif forge.user and self.headers.get("Authorization") != _basic(forge.user):
            self._send(401, {"WWW-Authenticate": "Basic realm=forge"}, b"")
        else:
            self._git(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def _git(self, body: bytes) -> None:
        place = urlsplit(self.path)  # as a proxy, with a host
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": place.path,
            "QUERY_STRING": place.query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type") or "",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=False
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        cut = self.server.cut if self.server.cut_after <= 0 else None
        self.server.cut_after -= 1
        self._send(status, headers, rest, cut)
        self.server.sent += len(rest)

    def _send(self, status: int, headers: Mapping[str, str], body: bytes, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])


def _basic(user: str) -> str:
    return f"Basic {base64.b64encode(user.encode()).decode()}"


@contextmanager
def serve(root: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[Forge]:
    """A forge for as long as this lasts."""
    with Forge(root, certificate) as forge:
        thread = threading.Thread(target=forge.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield forge
        finally:
            forge.shutdown()
            thread.join()
