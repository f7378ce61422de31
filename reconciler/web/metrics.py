"""The store as Prometheus metrics, read at the moment of the scrape."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from reconciler import __version__
from reconciler.daemon.condition import ConditionStatus, ConditionType
from reconciler.daemon.history import Ending
from reconciler.daemon.leadership import Leadership
from reconciler.daemon.report import is_suspended
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store, Sweep
from reconciler.rollout.reason import Status

# The scope of errors in the specs and their source. The scope of a failed list is what it lists.
SPECS = "specs"


def exposition(store: Store, began: datetime) -> bytes:
    """The text of one scrape. `began` is when the process started."""
    registry = CollectorRegistry()
    registry.register(_StoreCollector(store, began))
    return generate_latest(registry)


class _StoreCollector(Collector):
    def __init__(self, store: Store, began: datetime) -> None:
        self._store = store
        self._began = began

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("vmss_reconciler_build_info", "The running version", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        yield from self._sweep()
        yield from self._requests()
        yield from _lead(self._store.leadership)
        if not self._store.leadership.term:
            return  # only the leader knows scale sets
        states = self._store.states()
        yield from _statuses(states)
        orphaned = GaugeMetricFamily(
            "vmss_reconciler_orphaned",
            "1 for a scale set without a spec whose rollout has not ended",
            labels=["name"],
        )
        for orphan in self._store.orphans:
            orphaned.add_metric([orphan.name], 1)
        yield orphaned
        yield from _conditions(states)
        if self._store.last_sweep:
            yield _last_observed(states, self._store.last_sweep)
        yield from _waits(states)
        yield from _rollouts(states)

    def _sweep(self) -> Iterator[Metric]:
        sweep = self._store.last_sweep
        yield GaugeMetricFamily(
            "vmss_reconciler_last_sweep_timestamp_seconds",
            "When the last sweep began",
            (sweep.at if sweep else self._began).timestamp(),
        )
        if sweep is None:
            return
        errors = GaugeMetricFamily(
            "vmss_reconciler_sweep_errors",
            "Errors in the last sweep: errors in the specs, and lists that failed",
            labels=["scope"],
        )
        errors.add_metric([SPECS], len(sweep.spec_errors))
        for scope, failure in sweep.lists.items():
            errors.add_metric([scope], float(failure is not None and scope not in sweep.throttled_lists))
        yield errors
        yield self._throttled_metric(sweep)
        commit = GaugeMetricFamily(
            "vmss_reconciler_commit_info",
            "The commit in force, and whether all of it is",
            labels=["commit", "in_force"],
        )
        commit.add_metric([sweep.commit, "partly" if sweep.is_partial else "wholly"], 1)
        yield commit
        refused = GaugeMetricFamily(
            "vmss_reconciler_refused_commit_info",
            "The newest commit, if it has errors",
            labels=["commit", "author"],
        )
        yield GaugeMetricFamily(
            "vmss_reconciler_source_read_timestamp_seconds",
            "When the specs were last read from their source, 0 if this process has never read them",
            sweep.source_read_at.timestamp() if sweep.source_read_at else 0,
        )
        stale = GaugeMetricFamily(
            "vmss_reconciler_source_stale",
            "1 if the specs could not be read for too long, and no rollout begins",
        )
        stale.add_metric([], float(sweep.stale_since is not None))
        yield stale
        if sweep.refused:
            refused.add_metric([sweep.refused.commit, sweep.refused.author], 1)
        yield refused

    def _throttled_metric(self, sweep: Sweep) -> Metric:
        throttled = GaugeMetricFamily(
            "vmss_reconciler_throttled",
            "1 if the last list or observation was throttled, 0 if not",
            labels=["scope"],
        )
        waiting = {sweep.scope(state.desired) for state in self._store.states() if state.is_throttled}
        for scope in sweep.lists:
            throttled.add_metric([scope], float(scope in sweep.throttled_lists | waiting))
        return throttled

    def _requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "vmss_reconciler_azure_requests",
            "Requests to Azure by kind and HTTP status, 0 if no response came",
            labels=["kind", "status"],
        )
        for (kind, status), number in sorted(self._store.requests.counts().items()):
            requests.add_metric([kind.lower(), str(status)], number)
        yield requests
        left = GaugeMetricFamily(
            "vmss_reconciler_azure_requests_left",
            "Requests left in a bucket, or instances if it counts those, from Azure's last response and the "
            "refill rate",
            labels=["bucket", "subscription", "location"],
        )
        for each in self._store.requests.left():
            left.add_metric([each.bucket, each.subscription, each.location], each.requests)
        yield left


def _lead(leadership: Leadership) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "vmss_reconciler_leader", "1 if this replica leads, 0 if it is on standby", float(leadership.term > 0)
    )
    age = GaugeMetricFamily(
        "vmss_reconciler_lease_age_seconds",
        "Time since the last renewal of the Lease that this replica knows of",
        labels=[],
    )
    if leadership.lease_age is not None:
        age.add_metric([], leadership.lease_age.total_seconds())
    yield age


def _statuses(states: Sequence[ScaleSetState]) -> Iterator[Metric]:
    status = GaugeMetricFamily(
        "vmss_reconciler_status",
        "1 for the status of a scale set, 0 for every other status",
        labels=["name", "status"],
    )
    reason = GaugeMetricFamily(
        "vmss_reconciler_reason", "1 for the reason of the status of a scale set", labels=["name", "reason"]
    )
    instances = GaugeMetricFamily(
        "vmss_reconciler_instances", "Instances as last observed", labels=["name", "state"]
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
            instances.add_metric([name, "unavailable"], counts.unavailable)
            instances.add_metric([name, "unhealthy"], counts.unhealthy)
            instances.add_metric([name, "left_out"], counts.left_out)
    yield from (status, reason, instances)


def _conditions(states: Sequence[ScaleSetState]) -> Iterator[Metric]:
    condition = GaugeMetricFamily(
        "vmss_reconciler_condition",
        "1 for the status of a condition of a scale set, 0 for every other status",
        labels=["name", "type", "status"],
    )
    suspended = GaugeMetricFamily(
        "vmss_reconciler_suspended",
        "1 if a scale set is suspended, frozen or paused, 0 if not",
        labels=["name"],
    )
    behind = GaugeMetricFamily(
        "vmss_reconciler_behind",
        "1 if a newer commit with errors is not in force for a scale set",
        labels=["name"],
    )
    for state in states:
        name = state.desired.name
        behind.add_metric([name], float(state.behind is not None))
        for each in state.published.conditions:
            for status in ConditionStatus:
                condition.add_metric([name, each.type, status], float(each.status is status))
        suspended.add_metric([name], float(is_suspended(state)))
    yield from (condition, suspended, behind)


def _last_observed(states: Sequence[ScaleSetState], sweep: Sweep) -> Metric:
    known = GaugeMetricFamily(
        "vmss_reconciler_last_observed_timestamp_seconds",
        "When the status of a scale set was last known",
        labels=["name", "scope"],
    )
    for state in states:
        if at := state.published.known_at or state.declared_at:
            known.add_metric([state.desired.name, sweep.scope(state.desired)], at.timestamp())
    return known


def _waits(states: Sequence[ScaleSetState]) -> Iterator[Metric]:
    drifted = GaugeMetricFamily(
        "vmss_reconciler_drifted_since_timestamp_seconds",
        "When a scale set stopped matching the declared image, absent while it matches",
        labels=["name"],
    )
    waiting = GaugeMetricFamily(
        "vmss_reconciler_waiting_since_timestamp_seconds",
        "When the current wait or series of retries began, absent without a wait",
        labels=["name"],
    )
    attempts = GaugeMetricFamily(
        "vmss_reconciler_attempts",
        "Consecutive reconciles in this wait, 0 without a wait",
        labels=["name"],
    )
    for state in states:
        name, outcome = state.desired.name, state.outcome
        for each in state.published.conditions:
            is_drifted = each.type is ConditionType.DRIFTED and each.status is ConditionStatus.TRUE
            if is_drifted and each.since:
                drifted.add_metric([name], each.since.timestamp())
        if outcome is None:
            continue
        if outcome.wait:
            waiting.add_metric([name], outcome.wait.since.timestamp())
        attempts.add_metric([name], outcome.wait.tries if outcome.wait else 0)
    yield from (drifted, waiting, attempts)


def _rollouts(states: Sequence[ScaleSetState]) -> Iterator[Metric]:
    rollouts = CounterMetricFamily(
        "vmss_reconciler_rollouts",
        "Rollouts that have ended since the process began",
        labels=["name", "result"],
    )
    lengths = GaugeMetricFamily(
        "vmss_reconciler_rollout_duration_seconds",
        "Duration of the last rollout that has ended",
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
