"""The paths for programs: probes for the cluster, metrics, and the JSON for `reconciler status`.

All of them are served from the store, and cause no requests to Azure.

    /livez    200 while sweeps run; 503 if the last sweep is overdue, so that the process is restarted
    /readyz   200 once specs are active and the fleet has been listed
    /metrics  Prometheus metrics
    /status   the store as JSON

The probes and the metrics may have a separate address, so that browsers cannot crowd out a probe. The
requests of an operator are in the module `operator`.
"""

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus

from prometheus_client.exposition import CONTENT_TYPE_LATEST

from reconciler.daemon import report
from reconciler.daemon.store import Store
from reconciler.web import metrics
from reconciler.web.operator import Commands, OperatorRequests
from reconciler.web.response import Headers, Response

Paths = Mapping[str, Callable[[], Response]]

_READ_ONLY = Response(HTTPStatus.METHOD_NOT_ALLOWED, b"these pages are read-only\n")


class Probes:
    """The probes and the metrics. If the last sweep is older than `overdue`, the daemon counts as hung."""

    def __init__(self, store: Store, overdue: timedelta, now: Callable[[], datetime] | None = None) -> None:
        """`now` defaults to the clock of the store, which records when the last sweep ended."""
        self._store = store
        self._overdue = overdue
        self._now = now or store.now
        self._started = self._now()
        self.paths: Paths = {"/livez": self._livez, "/readyz": self._readyz, "/metrics": self._metrics}

    def get(self, path: str) -> Response:
        return _response(self.paths, path)

    def post(self, _path: str, _headers: Headers, _body: bytes, _peer: str) -> Response:
        return _READ_ONLY

    def _livez(self) -> Response:
        age = self._now() - (self._store.swept_at or self._started)
        if age > self._overdue:
            late = f"no sweep for {age.total_seconds():.0f} s\n".encode()
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, late)
        return Response(HTTPStatus.OK, b"ok\n")

    def _readyz(self) -> Response:
        sweep = self._store.last_sweep
        if sweep is None:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, b"the first sweep has not finished yet\n")
        if not self._store.states() and sweep.errors:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, "\n".join((*sweep.errors, "")).encode())
        return Response(HTTPStatus.OK, b"ok\n")

    def _metrics(self) -> Response:
        return Response(HTTPStatus.OK, metrics.exposition(self._store, self._started), CONTENT_TYPE_LATEST)


class Pages:
    """Serves the status and the requests of an operator. With `probes`, serves the probes too.

    `page_headers` are for `OperatorRequests`.
    """

    def __init__(
        self,
        store: Store,
        probes: Probes | None = None,
        commands: Commands | None = None,
        page_headers: Collection[str] = (),
    ) -> None:
        self._store = store
        self._operator = OperatorRequests(commands, page_headers) if commands else None
        self._paths: Paths = {**(probes.paths if probes else {}), "/status": self._status}

    def get(self, path: str) -> Response:
        return _response(self._paths, path)

    def post(self, path: str, headers: Headers, body: bytes, peer: str) -> Response:
        if self._operator is None:
            return _READ_ONLY
        return self._operator.respond(path, headers, body, peer)

    def _status(self) -> Response:
        text = json.dumps(report.store(self._store))  # indented, it takes four times as long
        return Response(HTTPStatus.OK, f"{text}\n".encode(), "application/json")


def _response(paths: Paths, path: str) -> Response:
    page = paths.get(path.split("?", 1)[0])
    if page is None:
        return Response(HTTPStatus.NOT_FOUND, f"no such page; use one of {', '.join(paths)}\n".encode())
    return page()
