"""The metrics: how many there are of a scale set, and that the page about them is true."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from reconciler.azure.budget import OperationClass
from reconciler.azure.failure import TooManyRequests, Unreachable
from reconciler.azure.request_counter import RequestCounter, RequestsLeft
from reconciler.daemon.condition import Condition, ConditionStatus, ConditionType
from reconciler.daemon.history import Ending, History, RolloutRecord
from reconciler.daemon.in_force import RefusedCommit
from reconciler.daemon.leadership import Alone
from reconciler.daemon.orphan import Orphan
from reconciler.daemon.store import Store, Sweep
from reconciler.rollout.counts import DomainCounts, InstanceCounts
from reconciler.rollout.domains import Domain
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.wait import Wait
from reconciler.web.metrics import SPECS, exposition
from tests.alerts.rules import alert_rules
from tests.build import NEW, NOW, OLD, SUBSCRIPTION, spec
from tests.daemon.states import in_force, outcome, state, store_of

SCOPE = f"subscription {SUBSCRIPTION}"
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "metrics.md"
DEPLOY = ROOT / "deploy"
ENDED = RolloutRecord(NEW, NEW, "a1", OLD, NOW - timedelta(minutes=9), ended=NOW, ending=Ending.SUCCEEDED)
LABELS = {
    "type": set(ConditionType),
    "status": {*ConditionStatus, *Status, "0", "200", "429"},
    "reason": {*Reason},
    "state": {"total", "up_to_date", "unavailable", "unhealthy", "left_out"},
    "result": set(Ending),
    "in_force": {"wholly", "partly"},
    "kind": {operation_class.name.lower() for operation_class in OperationClass},
}


def store() -> Store:
    """A scale set with every metric."""
    known = state(
        counts=InstanceCounts((DomainCounts(Domain("", "", 0, "update domain"), 2, 2, 2, 0),)),
        known_at=NOW,
        history=History((ENDED,), {Ending.SUCCEEDED: 1}),
        outcome=outcome(wait=Wait(Reason.CONFLICT, NOW - timedelta(minutes=4), tries=3)),
        conditions=tuple(
            Condition(each, ConditionStatus.TRUE, "", "", NOW - timedelta(minutes=7), None)
            for each in ConditionType
        ),
    )
    shown = store_of(known)
    lists = {"subscription s": None}
    shown.last_sweep = Sweep(NOW, "a1", "Move web", lists=lists, refused=REFUSED, orphans=(ORPHAN,))
    shown.requests = RequestCounter(lambda: [RequestsLeft("GetVMScaleSetSubscriptionMaximum", "s", "", 9)])
    shown.requests.count("HIGH_COST_GET", 200)
    shown.requests.count("HIGH_COST_GET", 200)
    shown.requests.count("PATCH", 0)
    shown.leadership = Leading()
    return shown


class Leading(Alone):
    """One of several replicas, which leads."""

    is_shared = True
    lease_age = timedelta(seconds=3)


ORPHAN = Orphan("old", spec("old").target.id, NEW.version, NOW, 1, 3, NOW)
REFUSED = RefusedCommit("b2", "Move api", "Ada", "specs/api.yaml:3:1: metadata is missing", 1)


def families() -> Iterator[Metric]:
    yield from text_string_to_metric_families(exposition(store(), NOW).decode())


def test_the_page_has_every_metric_with_its_labels() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| `")
    ]
    assert rows == [
        [
            f"`{family.samples[0].name}`",
            family.type,
            ", ".join(sorted(family.samples[0].labels)),
            family.documentation,
        ]
        for family in families()
    ]


def test_the_labels_take_only_documented_values() -> None:
    for family in families():
        for sample in family.samples:
            for label, value in sample.labels.items():
                assert value in LABELS.get(label, {value}), sample
    text = PAGE.read_text()
    assert [
        value
        for label in ("kind", "state", "result", "in_force")
        for value in sorted(LABELS[label])
        if f"`{value}`" not in text
    ] == []


def test_a_scale_set_has_as_many_series_as_the_page_says() -> None:
    of_web = [
        sample for family in families() for sample in family.samples if sample.labels.get("name") == "web"
    ]
    assert f"has at most {len(of_web)} series" in PAGE.read_text()


def expressions() -> Iterator[Any]:
    """Those of the alert rules, and those of the dashboard."""
    for rule in alert_rules():
        yield pytest.param(rule.source, id=rule.alert)
    for panel in json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")


@pytest.mark.parametrize("expression", list(expressions()))
def test_every_expression_uses_only_existing_metrics(expression: str) -> None:
    known = {sample.name: sample.labels for family in families() for sample in family.samples}
    selectors = re.findall(r"(\w*reconciler_\w+)(?:\{(.*?)\})?", expression)
    assert selectors
    promql_parser.parse(expression)
    for metric, matchers in selectors:
        assert metric in known
        for label, values in re.findall(r'(\w+)!?=~?"([^"]*)"', matchers):
            if not values.startswith("$"):  # a variable of the dashboard
                assert label in known[metric]
                assert set(values.split("|")) <= LABELS.get(label, {SPECS})
    for label in re.findall(r"by \((.*?)\)", expression):
        assert set(label.split(", ")) <= {each for metric, _ in selectors for each in known[metric]}


def test_the_dashboard_shows_every_metric() -> None:
    shown = (DEPLOY / "grafana" / "dashboard.json").read_text()
    assert [name for family in families() if (name := family.samples[0].name) not in shown] == []


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    panels = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())["panels"]
    places = [each["gridPos"] for each in panels]
    cells = [
        (x, y)
        for at in places
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({each["id"] for each in panels}) == len(panels)


def test_requests_to_azure_are_counted() -> None:
    lines = exposition(store(), NOW).decode().splitlines()
    assert 'vmss_reconciler_azure_requests_total{kind="high_cost_get",status="200"} 2.0' in lines
    assert 'vmss_reconciler_azure_requests_total{kind="patch",status="0"} 1.0' in lines


def test_requests_left_are_reported_by_bucket() -> None:
    labels = 'bucket="GetVMScaleSetSubscriptionMaximum",location="",subscription="s"'
    lines = exposition(store(), NOW).decode().splitlines()
    assert f"vmss_reconciler_azure_requests_left{{{labels}}} 9.0" in lines


@pytest.mark.parametrize(
    ("metric", "minutes"),
    [
        pytest.param("drifted_since_timestamp_seconds", 7, id="the lag behind git"),
        pytest.param("waiting_since_timestamp_seconds", 4, id="the wait"),
    ],
)
def test_a_scale_set_that_is_not_as_declared_says_since_when(metric: str, minutes: int) -> None:
    (sample,) = (each for family in families() for each in family.samples if each.name.endswith(metric))
    assert sample.value == (NOW - timedelta(minutes=minutes)).timestamp()


def test_a_scale_set_that_waits_for_nothing_has_no_attempts_and_no_times() -> None:
    lines = exposition(store_of(state()), NOW).decode().splitlines()
    assert 'vmss_reconciler_attempts{name="web"} 0.0' in lines
    assert [each for each in lines if "_since_timestamp_seconds{" in each] == []
    assert 'vmss_reconciler_attempts{name="web"} 3.0' in exposition(store(), NOW).decode()


def test_ended_rollouts_are_counted_and_the_last_one_is_timed() -> None:
    lines = exposition(store(), NOW).decode().splitlines()
    assert 'vmss_reconciler_rollouts_total{name="web",result="Succeeded"} 1.0' in lines
    assert 'vmss_reconciler_rollouts_total{name="web",result="Failed"} 0.0' in lines
    assert 'vmss_reconciler_rollout_duration_seconds{name="web",result="Succeeded"} 540.0' in lines


OTHER = "subscription t, resource group g"


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        pytest.param(
            "sweep_errors",
            {SPECS: 2, SCOPE: 0, OTHER: 1},
            id="a failed list is an error of its own scope",
        ),
        pytest.param("throttled", {SPECS: None, SCOPE: 1, OTHER: 0}, id="a throttled list is no error"),
    ],
)
def test_errors_above_the_scale_sets_are_reported_by_scope(metric: str, values: Mapping[str, Any]) -> None:
    shown = store()
    lists = {SCOPE: TooManyRequests("no", timedelta(minutes=1)), OTHER: Unreachable("no")}
    shown.last_sweep = Sweep(NOW, "a1", "Move web", ("a mistake", "another"), lists)
    assert {scope: sample(shown, metric, scope=scope) for scope in values} == values


def test_a_throttled_observation_is_reported_for_its_scope() -> None:
    shown = store_of(state(outcome=outcome(reason="UpToDate", as_of=NOW)))
    shown.last_sweep = Sweep(NOW, "a1", "Move web", lists={SCOPE: None, OTHER: None})
    assert [sample(shown, "throttled", scope=each) for each in (SCOPE, OTHER)] == [1, 0]


def test_times_before_the_first_sweep_and_observation() -> None:
    shown = Store()
    assert sample(shown, "last_sweep_timestamp_seconds") == NOW.timestamp()
    shown.declare(in_force(spec()), NOW)
    assert sample(shown, "last_observed_timestamp_seconds", name="web", scope=SCOPE) is None
    shown.last_sweep = Sweep(NOW + timedelta(minutes=1), "a1", "Move web")
    assert sample(shown, "last_observed_timestamp_seconds", name="web", scope=SCOPE) == NOW.timestamp()
    shown.declare(in_force(spec(), commit="b2"), NOW + timedelta(minutes=9))
    assert sample(shown, "last_observed_timestamp_seconds", name="web", scope=SCOPE) == NOW.timestamp()


def test_when_the_source_was_read() -> None:
    shown = store_of(state())
    later = NOW + timedelta(minutes=9)
    shown.last_sweep = Sweep(later, "a1", "Move web")
    assert sample(shown, "source_read_timestamp_seconds") == 0
    shown.last_sweep = Sweep(later, "a1", "Move web", source_read_at=later)
    assert sample(shown, "source_read_timestamp_seconds") == later.timestamp()


@pytest.mark.parametrize(
    ("is_partial", "extent"),
    [
        pytest.param(False, "wholly", id="without errors"),
        pytest.param(True, "partly", id="with errors"),
    ],
)
def test_whether_all_of_the_commit_is_in_force(is_partial: bool, extent: str) -> None:
    shown = store_of(state())
    shown.last_sweep = Sweep(NOW, "a1", "Move web", is_partial=is_partial)
    assert sample(shown, "commit_info", commit="a1", in_force=extent) == 1


def test_list_by_resource_group_has_the_scope_of_the_group() -> None:
    shown = store()
    shown.last_sweep = Sweep(NOW, "a1", "Move web", by_group=True)
    scope = f"{SCOPE}, resource group shop"
    assert sample(shown, "last_observed_timestamp_seconds", name="web", scope=scope) == NOW.timestamp()


def sample(shown: Store, metric: str, **labels: str) -> float | None:
    """The value of one series, None where there is none."""
    registry = text_string_to_metric_families(exposition(shown, NOW).decode())
    found = (each for family in registry for each in family.samples)
    wanted = f"vmss_reconciler_{metric}"
    return next((each.value for each in found if each.name == wanted and each.labels == labels), None)
