"""A server that answers `status` and `why` as a daemon would, without being one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

_WEB: dict[str, Any] = {
    "name": "web",
    "status": "Ready",
    "reason": None,
    "message": None,
    "image": "24.04.1",
    "revision": {"commit": ""},
    "observedRevision": None,
    "instances": None,
    "gates": [],
    "notes": [],
    "history": [],
    "forecast": None,
    "at": None,
}
_SWEEP = {"at": "2026-02-01T09:00:00Z", "commit": "", "subject": "specs", "errors": []}


@contextmanager
def answering_daemon(*, posts: tuple[int, bytes] | None = None, **changes: Any) -> Iterator[str]:
    """The URL of a server that knows one scale set, web. `changes` are fields of its store.

    `posts` is what it answers to a POST. Without it, the server knows no POST.
    """
    status = json.dumps({"sweep": _SWEEP, "scaleSets": [_WEB], **changes}).encode()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(status)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            code, body = posts or (501, b"")
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
