"""Only the standard variables of OpenTelemetry turn traces on, and without them nothing of it is imported."""

import logging
import subprocess
import sys
from collections.abc import Mapping

import pytest

from reconciler.cli.tracing import NoTracing, tracing
from reconciler.tracing.environment import are_traces_wanted
from tests.cli.program import ROOT, bare

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("environment", "are_wanted"),
    [
        pytest.param({}, False, id="no variable"),
        pytest.param(ENDPOINT, True, id="a collector"),
        pytest.param({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a"}, True, id="a collector of traces"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False, id="an empty address"),
        pytest.param({**ENDPOINT, "OTEL_SDK_DISABLED": "True"}, False, id="OpenTelemetry is disabled"),
        pytest.param({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False, id="no exporter of traces"),
        pytest.param({**ENDPOINT, "OTEL_TRACES_EXPORTER": "otlp"}, True, id="the exporter by OTLP"),
        pytest.param({"OTEL_SERVICE_NAME": "fleet"}, False, id="a name alone"),
    ],
)
def test_what_turns_traces_on(environment: Mapping[str, str], are_wanted: bool) -> None:
    assert are_traces_wanted(environment) is are_wanted


@pytest.mark.parametrize(
    ("environment", "warning"),
    [
        pytest.param(
            {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "no traces are exported: OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'; write http/protobuf, and the port of "
            "the collector for it",
            id="gRPC",
        ),
        pytest.param(
            ENDPOINT,
            "no traces are exported: a collector is configured, but the extra `otel` is not installed: "
            "pip install 'vmss-reconciler[otel]'",
            id="without the extra",
        ),
    ],
)
def test_what_keeps_traces_off_is_a_warning(
    environment: Mapping[str, str],
    warning: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "reconciler.tracing.traces", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)  # as if it were not installed
    with tracing(environment) as traced:
        assert isinstance(traced, NoTracing)
    assert caplog.messages == [warning]
    assert caplog.records[0].levelno == logging.WARNING


LOADED = """
import sys
from reconciler.cli.acts import run
from reconciler.cli.tracing import tracing
with tracing({}):
    print(*sorted(each for each in sys.modules if each.split(".")[0] in {"opentelemetry", "google"}))
"""


def test_nothing_of_opentelemetry_is_imported_without_a_collector() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        env={**bare(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
