"""The board as Prometheus metrics, read at the moment of the scrape."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from reconciler import __version__
from reconciler.daemon.condition import ConditionStatus
from reconciler.daemon.history import Ending
from reconciler.daemon.report import is_suspended
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store
from reconciler.rollout.reason import Status


def exposition(store: Store) -> bytes:
    """The text of one scrape."""
    registry = CollectorRegistry()
    registry.register(_Board(store))
    return generate_latest(registry)


class _Board(Collector):
    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("vmss_reconciler_build_info", "The running version", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield from self._sweep()
        yield from self._requests()
        states = self._store.states()
        yield from _statuses(states)
        yield from _conditions(states)
        yield from _rollouts(states)

    def _sweep(self) -> Iterator[Metric]:
        sweep = self._store.last_sweep
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
        for (kind, status), number in sorted(self._store.requests.counts().items()):
            asked.add_metric([kind.lower(), str(status)], number)
        yield asked


def _statuses(states: Sequence[ScaleSetState]) -> Iterator[Metric]:
    status = GaugeMetricFamily(
        "vmss_reconciler_status",
        "1 for how a scale set stands, 0 for the others",
        labels=["name", "status"],
    )
    reason = GaugeMetricFamily(
        "vmss_reconciler_reason", "1 for why a scale set is where it is", labels=["name", "reason"]
    )
    instances = GaugeMetricFamily(
        "vmss_reconciler_instances", "Instances when last looked at", labels=["name", "state"]
    )
    for state in states:
        outcome, name = state.outcome, state.desired.name
        if outcome is None:
            continue
        for each in Status:
            status.add_metric([name, each], float(outcome.status is each))
        reason.add_metric([name, outcome.reason], 1)
        if counts := state.seen.counts:
            instances.add_metric([name, "total"], counts.total)
            instances.add_metric([name, "up_to_date"], counts.up_to_date)
            instances.add_metric([name, "away"], counts.away)
    yield from (status, reason, instances)


def _conditions(states: Sequence[ScaleSetState]) -> Iterator[Metric]:
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
    for state in states:
        name = state.desired.name
        for each in state.published.conditions:
            for status in ConditionStatus:
                condition.add_metric([name, each.type, status], float(each.status is status))
        suspended.add_metric([name], float(is_suspended(state.desired)))
        if state.published.known_at:
            known.add_metric([name], state.published.known_at.timestamp())
    yield from (condition, suspended, known)


def _rollouts(states: Sequence[ScaleSetState]) -> Iterator[Metric]:
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
    for state in states:
        name, history = state.desired.name, state.published.history
        for each in Ending:
            rollouts.add_metric([name, each], history.endings.get(each, 0))
        last = history.last
        if last and last.ending and last.length is not None:
            lengths.add_metric([name, last.ending], last.length.total_seconds())
    yield from (rollouts, lengths)
