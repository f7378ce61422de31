"""A collector of OTLP over HTTP, which may hang."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """What was exported. `answers`: whether it responds; what it receives while it does not is lost."""

    def __init__(self) -> None:
        self.exports: list[ExportTraceServiceRequest] = []
        self.reached = Event()
        self.answers = Event()
        self.url = ""

    @property
    def names(self) -> set[str]:
        """The names of the spans."""
        return {
            span.name
            for export in self.exports
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }

    @property
    def services(self) -> set[str]:
        """The values of service.name."""
        return {
            each.value.string_value
            for export in self.exports
            for resource in export.resource_spans
            for each in resource.resource.attributes
            if each.key == "service.name"
        }


@contextmanager
def collector(*, hangs: bool = False) -> Iterator[Collector]:
    """A collector on this host."""
    received = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.reached.set()
            received.answers.wait(60)
            received.exports.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    if not hangs:
        received.answers.set()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield received
        received.answers.set()
        server.shutdown()
