"""`reconciler run` with a collector: what it exports, and that it ends in time although the collector hangs."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.tracing.traces import CLOSES_WITHIN
from tests.cli.program import Azure, Daemon, azure, until, write_specs
from tests.cli.test_source import Remote
from tests.stories.world import OLD, spec
from tests.tracing.collector import collector


@pytest.fixture
def world() -> Iterator[Azure]:
    with azure() as served:
        yield served


def test_a_daemon_exports_its_sweeps_fetches_and_reconciles(world: Azure, tmp_path: Path) -> None:
    remote = Remote(tmp_path / "remote")
    remote.initialise()
    remote.merge("Begin where we are", spec("web", version=OLD))
    with collector() as received:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": received.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with Daemon("--git", remote.url, env={**world.environment, **variables}, cwd=tmp_path) as daemon:
            daemon.started()
            until(lambda: {"sweep", "git fetch", "reconcile", "GET"} <= received.names, daemon.log)
            daemon.signal(signal.SIGTERM)
            assert daemon.ended() == 0
    assert "INFO traces are exported by OTLP" in daemon.log()


def test_a_daemon_ends_in_time_although_the_collector_hangs(world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", version=OLD))
    with collector(hangs=True) as received:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": received.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with Daemon(env={**world.environment, **variables}, cwd=tmp_path) as daemon:
            daemon.started()
            until(lambda: daemon.status_of("web") == "Ready", daemon.log)
            assert received.reached.wait(20)
            daemon.signal(signal.SIGTERM)
            began = time.monotonic()
            assert daemon.ended() == 0
            assert time.monotonic() - began < CLOSES_WITHIN.total_seconds() + 4
