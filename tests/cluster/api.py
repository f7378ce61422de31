"""A Kubernetes API server in this process, as far as Leases go: the JSON and the errors of the real one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import yaml

NAMESPACE = "fleet"
_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"

Json = dict[str, Any]


@dataclass
class Api:
    """The Leases by name, and what is wrong with the server.

    `status` is what it returns to every request, None for the right response. While `answers` is not set, requests
    hang.
    """

    leases: dict[str, Json] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    status: int | None = None
    body: bytes | None = None
    kind: str = "application/json"
    answers: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    _versions: "count[int]" = field(default_factory=lambda: count(100))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def respond(self, method: str, path: str, body: Json) -> tuple[int, Json]:
        """The status and the body of the response."""
        name = path.removeprefix(_LEASES).strip("/") or body.get("metadata", {}).get("name")
        if not path.startswith(_LEASES):
            return _error(404, "NotFound", "the server could not find the requested resource")
        with self._lock:
            known = self.leases.get(name)
            if method == "POST" and known:
                return _error(409, "AlreadyExists", f'leases.coordination.k8s.io "{name}" already exists')
            if method != "POST" and not known:
                return _error(404, "NotFound", f'leases.coordination.k8s.io "{name}" not found')
            if method == "GET":
                assert known
                return 200, known
            if method == "PUT" and known and self._is_stale(known, body):
                return _error(
                    409,
                    "Conflict",
                    f'Operation cannot be fulfilled on "{name}": the object has been modified',
                )
            metadata = {**body["metadata"], "resourceVersion": str(next(self._versions))}
            self.leases[name] = {**body, "metadata": metadata}
            return 201 if method == "POST" else 200, self.leases[name]

    def _is_stale(self, known: Json, body: Json) -> bool:
        version = body["metadata"].get("resourceVersion")
        return version is not None and version != known["metadata"]["resourceVersion"]

    def kubeconfig(self, directory: Path) -> Path:
        """A file for KUBECONFIG that leads here."""
        file = directory / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "me", "user": {"token": "secret"}}],
            "contexts": [
                {"name": "it", "context": {"cluster": "fake", "user": "me", "namespace": NAMESPACE}}
            ],
            "current-context": "it",
        }
        file.write_text(yaml.safe_dump(config))
        return file


def _error(code: int, reason: str, message: str) -> tuple[int, Json]:
    return code, {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


@contextmanager
def serve() -> Iterator[Api]:
    """A server that runs inside the context."""
    api = Api()
    api.answers.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            api.requests.append((self.command, self.path))
            api.answers.wait()
            status, said = (
                api.respond(self.command, self.path, body) if api.status is None else (api.status, {})
            )
            content = api.body if api.body is not None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", api.kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names http.server looks for

        def log_message(self, *_: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that has given up."""

    with Listener(("127.0.0.1", 0), Handler) as listener:
        api.url = f"http://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield api
        finally:
            api.answers.set()
            listener.shutdown()
            thread.join()
