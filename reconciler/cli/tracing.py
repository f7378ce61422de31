"""Traces this process if the environment asks for it."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

from reconciler.daemon.loop import Work
from reconciler.spec.wording import one_line
from reconciler.tracing.environment import are_traces_wanted, protocol_error

_log = logging.getLogger("reconciler")


class Tracing(Protocol):
    """Traces the work and the fetches of a process."""

    def work(self, work: Work) -> Work:
        """The work, wrapped so that each sweep and reconcile has a span."""
        ...

    def fetch(self) -> AbstractContextManager[object]:
        """A span for a fetch. The span may be entered in another thread."""
        ...


class NoTracing:
    """Traces nothing."""

    def work(self, work: Work) -> Work:
        return work

    def fetch(self) -> AbstractContextManager[object]:
        return nullcontext()


@contextmanager
def tracing(environment: Mapping[str, str]) -> Iterator[Tracing]:
    """Export traces while the context is open, as the OTEL_ variables say.

    If that fails, the log says why, and nothing is traced. A broken collector must not prevent rollouts.
    """
    if not are_traces_wanted(environment):
        yield NoTracing()
        return
    if error := protocol_error(environment):
        _log.warning("no traces are exported: %s", error)
        yield NoTracing()
        return
    try:
        from reconciler.tracing.traces import Traces

        traces = Traces.from_environment()
    except ImportError:
        _log.warning(
            "no traces are exported: a collector is configured, but the extra `otel` is not installed: "
            "pip install 'vmss-reconciler[otel]'"
        )
        yield NoTracing()
        return
    except Exception as error:  # what OpenTelemetry raises on a variable that makes no sense is many things
        _log.warning("no traces are exported: an OTEL_ variable is invalid (%s)", one_line(str(error)))
        yield NoTracing()
        return
    _log.info("traces are exported by OTLP")
    try:
        yield traces
    finally:
        traces.close()
