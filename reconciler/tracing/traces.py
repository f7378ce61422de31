"""The spans of a daemon, and their export over HTTP with OTLP.

OpenTelemetry is imported here and nowhere else, and only if a collector is named. A collector that is down or
hangs delays nothing. Spans are exported in the background, dropped if there are too many, and abandoned when
the daemon ends.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from threading import Thread

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

from reconciler import __version__
from reconciler.azure.tracing import trace_requests
from reconciler.daemon.loop import Work
from reconciler.daemon.outcome import Outcome
from reconciler.spec.wording import one_line

_log = logging.getLogger("reconciler")

CLOSES_WITHIN = timedelta(seconds=5)
"""How long the daemon waits at its end until the spans are exported."""

_SAID_APART = timedelta(hours=1)
_BAD_HEADER = (
    "a header for the collector is not accepted; write OTEL_EXPORTER_OTLP_HEADERS as name=value, separated "
    "by commas, with %20 for a space"
)
_PREFIX = "vmss_reconciler"


class Traces:
    """The spans of this process. OpenTelemetry allows only one such object in a process."""

    def __init__(self, processor: SpanProcessor) -> None:
        own = Resource({SERVICE_NAME: "vmss-reconciler", SERVICE_VERSION: __version__})
        # It would export at the end of the process once more, for as long as the collector hangs.
        self._provider = TracerProvider(
            resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        trace.set_tracer_provider(self._provider)
        self._tracer = self._provider.get_tracer("vmss-reconciler", __version__)
        trace_requests(is_on=True)

    @classmethod
    def from_environment(cls) -> "Traces":
        """Export as the OTEL_ variables say. Raises ValueError if a variable is invalid."""
        theirs = logging.getLogger("opentelemetry")
        theirs.handlers, theirs.propagate = [_Seldom()], False  # first: the exporter logs headers it rejects
        return cls(BatchSpanProcessor(OTLPSpanExporter()))

    def work(self, work: Work) -> Work:
        """The same work, with a span for each sweep and reconcile."""
        return _TracedWork(work, self._tracer)

    def fetch(self) -> AbstractContextManager[object]:
        """A span for a fetch, as a child of the current span. Another thread may enter the new span."""
        return self._fetch(context.get_current())

    @contextmanager
    def _fetch(self, parent: context.Context) -> Iterator[None]:
        with self._tracer.start_as_current_span("git fetch", parent, record_exception=False):
            yield

    def close(self, within: timedelta = CLOSES_WITHIN) -> None:
        """Export the spans that have ended, for at most `within`."""
        trace_requests(is_on=False)
        ending = Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()
        ending.join(within.total_seconds())


class _TracedWork:
    """The work of a loop, with a span for each call."""

    def __init__(self, work: Work, tracer: trace.Tracer) -> None:
        self._work = work
        self._tracer = tracer

    def sweep(self) -> tuple[str, ...]:
        with self._tracer.start_as_current_span("sweep", record_exception=False) as span:
            due = self._work.sweep()
            span.set_attribute(f"{_PREFIX}.due", len(due))
            return due

    def reconcile(self, key: str) -> Outcome | None:
        with self._tracer.start_as_current_span("reconcile", record_exception=False) as span:
            outcome = self._work.reconcile(key)
            if outcome:
                _describe(span, outcome)
            return outcome


def _describe(span: trace.Span, outcome: Outcome) -> None:
    span.set_attributes(
        {
            f"{_PREFIX}.scale_set": outcome.name,
            f"{_PREFIX}.reason": str(outcome.reason),
            f"{_PREFIX}.status": str(outcome.status),
            f"{_PREFIX}.commit": outcome.commit,
        }
    )
    if outcome.is_error:
        span.set_status(Status(StatusCode.ERROR, outcome.message))


class _Seldom(logging.Handler):
    """Passes on at most one line an hour. Each export to a collector that is down would log two."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._next = clock()

    def emit(self, record: logging.LogRecord) -> None:
        now = self._clock()
        if now >= self._next:
            self._next = now + _SAID_APART.total_seconds()
            _log.warning("OpenTelemetry: %s", _without_header(one_line(record.getMessage())))


def _without_header(message: str) -> str:
    """The message, or our own text if the message is about a header, because it may quote a credential."""
    return _BAD_HEADER if "header" in message.lower() else message
