"""The spans of a daemon: what each says, and that no collector can hold the daemon up."""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from threading import Thread

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from reconciler.cli.tracing import tracing
from reconciler.simulator import Status
from reconciler.tracing.traces import Traces
from tests.stories.world import World, fleet, scale_set, spec
from tests.tracing.collector import collector

SECOND = timedelta(seconds=1)


class Recorded:
    """The traces of this process, in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.traces = Traces(SimpleSpanProcessor(self._exporter))

    def spans(self, name: str) -> list[ReadableSpan]:
        return [each for each in self._exporter.get_finished_spans() if each.name == name]

    def children(self, parent: ReadableSpan) -> list[ReadableSpan]:
        own = parent.get_span_context()
        found = self._exporter.get_finished_spans()
        return [each for each in found if own and each.parent and each.parent.span_id == own.span_id]

    @property
    def text(self) -> str:
        """All that the spans say."""
        return "".join(each.to_json() for each in self._exporter.get_finished_spans())

    def clear(self) -> None:
        self._exporter.clear()


@pytest.fixture(scope="module")
def of_process() -> Iterator[Recorded]:
    """OpenTelemetry has one provider in a process, which the SDK of Azure asks for."""
    recorded = Recorded()
    yield recorded
    recorded.traces.close()


@pytest.fixture
def recorded(of_process: Recorded) -> Recorded:
    of_process.clear()
    return of_process


def test_a_sweep_and_a_reconcile_are_spans_with_their_requests_below(recorded: Recorded) -> None:
    world = World(fleet(scale_set(capacity=3)), spec())
    work = recorded.traces.work(world.reconciler)
    (key,) = work.sweep()
    work.reconcile(key)
    (sweep,), (reconcile,) = recorded.spans("sweep"), recorded.spans("reconcile")
    assert dict(sweep.attributes or {}) == {"vmss_reconciler.due": 1}
    assert dict(reconcile.attributes or {}) == {
        "vmss_reconciler.scale_set": "web",
        "vmss_reconciler.reason": "ModelDrift",
        "vmss_reconciler.status": "Reconciling",
        "vmss_reconciler.commit": f"{1:040x}",
    }
    assert reconcile.status.is_unset
    assert "GET" in {each.name for each in recorded.children(sweep)}
    below = {each.name for each in recorded.children(reconcile)}
    assert {"GET", "VirtualMachineScaleSetsOperations.begin_update"} <= below
    assert "in-process" not in recorded.text  # the token


def test_a_reconcile_that_fails_is_an_error(recorded: Recorded) -> None:
    world = World(fleet(scale_set(capacity=3)), spec())
    work = recorded.traces.work(world.reconciler)
    (key,) = work.sweep()
    world.azure.faults.arm("VirtualMachineScaleSets_Update", Status(500, "InternalServerError", "Try later."))
    work.reconcile(key)
    (reconcile,) = recorded.spans("reconcile")
    assert reconcile.status.status_code is StatusCode.ERROR
    assert "Try later" in (reconcile.status.description or "")


def test_a_refused_image_is_no_error_of_the_daemon(recorded: Recorded) -> None:
    world = World(fleet(scale_set(capacity=3)), spec(version="9.9.9"))
    work = recorded.traces.work(world.reconciler)
    (key,) = work.sweep()
    work.reconcile(key)
    (reconcile,) = recorded.spans("reconcile")
    assert (reconcile.attributes or {})["vmss_reconciler.reason"] == "ImageNotFound"
    assert reconcile.status.is_unset


def test_a_fetch_belongs_to_what_began_it_although_it_runs_in_another_thread(recorded: Recorded) -> None:
    fetches = []

    class Sweeping:
        def sweep(self) -> tuple[str, ...]:
            fetches.append(recorded.traces.fetch())
            return ()

        def reconcile(self, _key: str) -> None:
            return None

    recorded.traces.work(Sweeping()).sweep()

    def fetch() -> None:
        with fetches[0]:
            pass

    thread = Thread(target=fetch)
    thread.start()
    thread.join()
    (sweep,) = recorded.spans("sweep")
    assert [each.name for each in recorded.children(sweep)] == ["git fetch"]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The variables of OpenTelemetry, which its SDK reads itself."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # It warns of a second provider in this process, which would be the one line of the hour.
    monkeypatch.setattr(logging.getLogger("opentelemetry.trace"), "disabled", True)
    yield monkeypatch
    # An exporter that is given up may still have something to say.
    logging.getLogger("opentelemetry").handlers = [logging.NullHandler()]


@pytest.mark.parametrize(
    ("named", "service"),
    [
        pytest.param({}, "vmss-reconciler", id="its own name"),
        pytest.param({"OTEL_SERVICE_NAME": "fleet"}, "fleet", id="the name in OTEL_SERVICE_NAME"),
        pytest.param(
            {"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop"},
            "shop",
            id="the name in OTEL_RESOURCE_ATTRIBUTES",
        ),
    ],
)
def test_spans_reach_the_collector_that_the_variables_name(
    environment: pytest.MonkeyPatch, named: dict[str, str], service: str
) -> None:
    with collector() as received:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": received.url, **named}
        for name, value in variables.items():
            environment.setenv(name, value)
        world = World(fleet(scale_set(capacity=3)), spec())
        with tracing(variables) as traced:
            traced.work(world.reconciler).sweep()
        assert "sweep" in received.names
        assert received.services == {service}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Authorization: Bearer canary-5d41", id="a colon instead of an equals sign"),
        pytest.param("Authorization=Bearer%20canary-5d41%0Ab", id="a line break in a value"),
    ],
)
def test_a_header_that_is_not_accepted_is_a_warning_without_its_value(
    environment: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    value: str,
) -> None:
    environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    environment.setenv("OTEL_EXPORTER_OTLP_HEADERS", value)
    environment.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    theirs = logging.getLogger("opentelemetry")
    environment.setattr(theirs, "handlers", [])  # as at the start of a process
    environment.setattr(theirs, "propagate", True)
    traces = Traces.from_environment()
    traces.work(World(fleet(scale_set(capacity=1)), spec()).reconciler).sweep()
    traces.close()
    assert "canary" not in "".join((*caplog.messages, *capfd.readouterr()))
    assert [each for each in caplog.messages if each.startswith("OpenTelemetry: ")] == [
        "OpenTelemetry: a header for the collector is not accepted; write OTEL_EXPORTER_OTLP_HEADERS as "
        "name=value, separated by commas, with %20 for a space"
    ]


def test_a_collector_that_hangs_holds_nothing_up(environment: pytest.MonkeyPatch) -> None:
    with collector(hangs=True) as received:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
        traces = Traces.from_environment()
        world = World(fleet(scale_set(capacity=3)), spec())
        work, began = traces.work(world.reconciler), time.monotonic()
        (key,) = work.sweep()
        assert received.reached.wait(20)
        outcome = work.reconcile(key)
        assert outcome
        assert outcome.reason == "ModelDrift"
        assert time.monotonic() - began < 5
        began = time.monotonic()
        traces.close(SECOND / 2)
        assert time.monotonic() - began < 2


def test_a_collector_that_is_away_is_one_line_in_the_log(
    environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    environment.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    traces = Traces.from_environment()
    for _ in range(3):
        traces.work(World(fleet(scale_set(capacity=1)), spec()).reconciler).sweep()
        time.sleep(0.2)
    traces.close()
    said = [each for each in caplog.messages if each.startswith("OpenTelemetry: ")]
    assert len(said) == 1
