"""The board as Prometheus metrics, read at the moment of the scrape."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from reconciler import __version__
from reconciler.daemon.board import Board, Entry
from reconciler.daemon.condition import Status
from reconciler.daemon.history import Ending
from reconciler.daemon.report import is_suspended
from reconciler.rollout.reason import Standing


def exposition(board: Board) -> bytes:
    """The text of one scrape."""
    registry = CollectorRegistry()
    registry.register(_Board(board))
    return generate_latest(registry)


class _Board(Collector):
    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("vmss_reconciler_build_info", "The running version", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield from self._sweep()
        yield from self._requests()
        entries = self._board.entries()
        yield from _standings(entries)
        yield from _conditions(entries)
        yield from _rollouts(entries)

    def _sweep(self) -> Iterator[Metric]:
        sweep = self._board.last_sweep
        if sweep is None:
            return
        yield GaugeMetricFamily(
            "vmss_reconciler_last_sweep_timestamp_seconds", "When the last sweep began", sweep.at.timestamp()
        )
        yield GaugeMetricFamily(
            "vmss_reconciler_trouble",
            "Mistakes in the specs and lists that failed, in the last sweep",
            len(sweep.trouble),
        )
        commit = GaugeMetricFamily("vmss_reconciler_commit_info", "The commit in force", labels=["commit"])
        commit.add_metric([sweep.commit], 1)
        yield commit

    def _requests(self) -> Iterator[Metric]:
        asked = CounterMetricFamily(
            "vmss_reconciler_azure_requests",
            "Requests to Azure by kind and HTTP status, 0 where no answer came",
            labels=["kind", "status"],
        )
        for (kind, status), number in sorted(self._board.requests.counts().items()):
            asked.add_metric([kind.lower(), str(status)], number)
        yield asked


def _standings(entries: Sequence[Entry]) -> Iterator[Metric]:
    standing = GaugeMetricFamily(
        "vmss_reconciler_standing",
        "1 for how a scale set stands, 0 for the others",
        labels=["name", "standing"],
    )
    reason = GaugeMetricFamily(
        "vmss_reconciler_reason", "1 for why a scale set is where it is", labels=["name", "reason"]
    )
    instances = GaugeMetricFamily(
        "vmss_reconciler_instances", "Instances when last looked at", labels=["name", "state"]
    )
    for entry in entries:
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


def _conditions(entries: Sequence[Entry]) -> Iterator[Metric]:
    condition = GaugeMetricFamily(
        "vmss_reconciler_condition",
        "1 for the status that a condition of a scale set has, 0 for the others",
        labels=["name", "type", "status"],
    )
    suspended = GaugeMetricFamily(
        "vmss_reconciler_suspended",
        "1 where a spec or the Fleet says to leave a scale set alone",
        labels=["name"],
    )
    known = GaugeMetricFamily(
        "vmss_reconciler_last_look_timestamp_seconds",
        "When it was last known how a scale set stands",
        labels=["name"],
    )
    for entry in entries:
        name = entry.desired.name
        for each in entry.conditions:
            for status in Status:
                condition.add_metric([name, each.type, status], float(each.status is status))
        suspended.add_metric([name], float(is_suspended(entry.desired)))
        if entry.known_at:
            known.add_metric([name], entry.known_at.timestamp())
    yield from (condition, suspended, known)


def _rollouts(entries: Sequence[Entry]) -> Iterator[Metric]:
    rollouts = CounterMetricFamily(
        "vmss_reconciler_rollouts",
        "Rollouts that have ended, since the process began",
        labels=["name", "result"],
    )
    lengths = GaugeMetricFamily(
        "vmss_reconciler_rollout_duration_seconds",
        "How long the last rollout that has ended took",
        labels=["name", "result"],
    )
    for entry in entries:
        name, history = entry.desired.name, entry.history
        for each in Ending:
            rollouts.add_metric([name, each], history.endings.get(each, 0))
        last = history.last
        if last and last.ending and last.length is not None:
            lengths.add_metric([name, last.ending], last.length.total_seconds())
    yield from (rollouts, lengths)
