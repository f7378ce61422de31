"""The board as Prometheus metrics, read at the moment of the scrape."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from reconciler import __version__
from reconciler.daemon.board import Board
from reconciler.daemon.outcome import Standing


def exposition(board: Board) -> bytes:
    """The text of one scrape."""
    registry = CollectorRegistry()
    registry.register(_Board(board))
    return generate_latest(registry)


class _Board(Collector):
    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("reconciler_build_info", "The running version", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield from self._sweep()
        yield from self._scale_sets()

    def _sweep(self) -> Iterator[Metric]:
        sweep = self._board.last_sweep
        if sweep is None:
            return
        yield GaugeMetricFamily(
            "reconciler_last_sweep_timestamp_seconds", "When the last sweep began", sweep.at.timestamp()
        )
        yield GaugeMetricFamily(
            "reconciler_trouble",
            "Mistakes in the specs and lists that failed, in the last sweep",
            len(sweep.trouble),
        )
        commit = GaugeMetricFamily("reconciler_commit_info", "The commit in force", labels=["commit"])
        commit.add_metric([sweep.commit], 1)
        yield commit

    def _scale_sets(self) -> Iterator[Metric]:
        standing = GaugeMetricFamily(
            "reconciler_standing",
            "1 for how a scale set stands, 0 for the others",
            labels=["name", "standing"],
        )
        reason = GaugeMetricFamily(
            "reconciler_reason", "1 for why a scale set is where it is", labels=["name", "reason"]
        )
        instances = GaugeMetricFamily(
            "reconciler_instances", "Instances when last looked at", labels=["name", "state"]
        )
        for entry in self._board.entries():
            outcome, name = entry.outcome, entry.desired.name
            if outcome is None:
                continue
            for each in Standing:
                standing.add_metric([name, each], float(outcome.standing is each))
            reason.add_metric([name, outcome.reason], 1)
            if counts := entry.survey:
                instances.add_metric([name, "total"], counts.total)
                instances.add_metric([name, "up_to_date"], counts.up_to_date)
                instances.add_metric([name, "away"], counts.away)
        yield from (standing, reason, instances)
