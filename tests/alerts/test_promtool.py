"""Each alert rule by promtool, on invented series: it fires in time, bridges gaps, and resolves.

`test_alerts.py` has the daemon itself make the series, and evaluates the rules with our own evaluator. Here
Prometheus evaluates them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.alerts.promtool import needs_promtool, promtool
from tests.alerts.rules import RULES, Rule, alert_rules

NONE, GONE = "_", "stale"
Value = int | str
HOUR, DAY = 6, 144  # in steps of ten minutes


@dataclass(frozen=True, kw_only=True)
class Case:
    """Series, and the steps at which the alert is silent and fires. A step takes `minutes`.

    `labels` are those of the one alert, without its severity. Series that it does not name never raise it.
    """

    series: Mapping[str, Sequence[Value]]
    silent: Sequence[int]
    fires: Sequence[int]
    labels: Mapping[str, str]
    minutes: int = 1


def line(length: int, rest: Value = 0, **spans: Value) -> list[Value]:
    """One value for each step: `rest`, and others in spans such as `from_5_to_9=1`, both ends included."""
    values: list[Value] = [rest] * length
    for span, value in spans.items():
        _, first, _, last = span.split("_")
        values[int(first) : int(last) + 1] = [value] * (int(last) + 1 - int(first))
    return values


def clock(length: int, **stops: int) -> list[Value]:
    """The time at each step of a minute, except in spans in which it stands still."""
    return [value if value != NONE else 60 * step for step, value in enumerate(line(length, NONE, **stops))]


WEB = {"name": "web"}
CASES = {
    "ReconcilerAbsent": Case(
        series={
            'vmss_reconciler_build_info{version="1"}': line(
                30, 1, from_3_to_3=GONE, from_4_to_4=NONE, from_10_to_10=GONE, from_11_to_18=NONE
            )
        },
        silent=[4, 8, 14, 19],
        fires=[15, 18],
        labels={},
    ),
    "ReconcilerHung": Case(
        series={"vmss_reconciler_last_sweep_timestamp_seconds": clock(40, from_10_to_30=600)},
        silent=[20, 31],
        fires=[21, 30],
        labels={},
    ),
    "CommitRefused": Case(
        series={
            'vmss_reconciler_refused_commit_info{commit="b2",author="Ada"}': line(
                60, NONE, from_5_to_40=1, from_9_to_10=NONE, from_41_to_41=GONE
            )
        },
        silent=[19, 46],
        fires=[20, 40],
        labels={"commit": "b2", "author": "Ada"},
    ),
    "SourceUnread": Case(
        series={
            "vmss_reconciler_source_read_timestamp_seconds": clock(
                50, from_5_to_40=300, from_12_to_13=0, from_30_to_31=0
            )
        },
        silent=[25, 41],
        fires=[26, 30, 35],
        labels={},
    ),
    "ListFails": Case(
        series={
            'vmss_reconciler_sweep_errors{scope="subscription a"}': line(40, from_5_to_30=1),
            'vmss_reconciler_sweep_errors{scope="specs"}': line(40, 1),
        },
        silent=[14, 31],
        fires=[15, 30],
        labels={"scope": "subscription a"},
    ),
    "AzureThrottles": Case(
        series={
            'vmss_reconciler_throttled{scope="subscription a"}': [
                int(step in range(5, 62, 8)) for step in range(80)
            ]
        },
        silent=[34, 72],
        fires=[35, 50, 71],
        labels={"scope": "subscription a"},
    ),
    "ScaleSetUnknown": Case(
        series={
            'vmss_reconciler_last_observed_timestamp_seconds{name="web",scope="a"}': clock(
                50, from_5_to_40=300
            ),
            'vmss_reconciler_last_observed_timestamp_seconds{name="api",scope="b"}': line(50),
            'vmss_reconciler_last_observed_timestamp_seconds{name="old",scope="a"}': line(50),
            'vmss_reconciler_throttled{scope="a"}': line(50),
            'vmss_reconciler_throttled{scope="b"}': line(50, 1),
            'vmss_reconciler_suspended{name="old"}': line(50, 1),
        },
        silent=[20, 41],
        fires=[21, 40],
        labels={"name": "web", "scope": "a"},
    ),
    "ScaleSetStalled": Case(
        series={
            'vmss_reconciler_condition{name="web",type="Stalled",status="True"}': line(50, from_5_to_40=1)
        },
        silent=[19, 41],
        fires=[20, 40],
        labels={**WEB, "type": "Stalled", "status": "True"},
    ),
    "ScaleSetFailing": Case(
        series={
            'vmss_reconciler_status{name="web",status="Failing"}': line(60, from_5_to_50=1),
            'vmss_reconciler_reason{name="web",reason="Conflict"}': line(60, 1),
            'vmss_reconciler_status{name="api",status="Failing"}': line(60, 1),
            'vmss_reconciler_reason{name="api",reason="Contested"}': line(60, 1),
        },
        silent=[34, 51],
        fires=[35, 50],
        labels={**WEB, "status": "Failing"},
    ),
    "ImageContested": Case(
        series={
            'vmss_reconciler_reason{name="web",reason="Contested"}': line(
                90, NONE, from_5_to_5=1, from_6_to_6=GONE, from_15_to_15=1, from_16_to_16=GONE
            )
        },
        silent=[4, 76],
        fires=[5, 10, 75],
        labels={**WEB, "reason": "Contested"},
    ),
    "RolloutFailed": Case(
        series={
            'vmss_reconciler_rollouts_total{name="web",result="Failed"}': line(90, from_10_to_89=1),
            'vmss_reconciler_rollouts_total{name="web",result="Succeeded"}': line(90, from_10_to_89=1),
        },
        silent=[9, 70],
        fires=[10, 69],
        labels={**WEB, "result": "Failed"},
    ),
    "ScaleSetUnhealthy": Case(
        series={
            'vmss_reconciler_instances{name="web",state="unhealthy"}': line(70, from_5_to_60=2),
            'vmss_reconciler_condition{name="web",type="Healthy",status="False"}': line(70, from_5_to_60=1),
            'vmss_reconciler_status{name="web",status="Reconciling"}': line(70, from_5_to_9=1),
        },
        silent=[39, 61],
        fires=[40, 60],
        labels={**WEB, "state": "unhealthy"},
    ),
    "ScaleSetDrifted": Case(
        series={
            'vmss_reconciler_condition{name="web",type="Drifted",status="True"}': line(
                50 * HOUR, from_6_to_240=1, from_30_to_31=NONE
            ),
            'vmss_reconciler_condition{name="api",type="Drifted",status="True"}': line(50 * HOUR, 1),
            'vmss_reconciler_reason{name="api",reason="InstancesLeftOut"}': line(50 * HOUR, 1),
            'vmss_reconciler_condition{name="old",type="Drifted",status="True"}': line(50 * HOUR, 1),
            'vmss_reconciler_suspended{name="old"}': line(50 * HOUR, 1),
        },
        silent=[6 + DAY - 1, 247],
        fires=[6 + DAY, 240],
        labels={**WEB, "type": "Drifted", "status": "True"},
        minutes=10,
    ),
    "InstancesLeftOutForLong": Case(
        series={
            'vmss_reconciler_instances{name="web",state="left_out"}': line(
                5 * DAY, from_6_to_500=1, from_30_to_31=NONE
            )
        },
        silent=[6 + 3 * DAY - 1, 507],
        fires=[6 + 3 * DAY, 500],
        labels={**WEB, "state": "left_out"},
        minutes=10,
    ),
    "ApprovalForgotten": Case(
        series={
            'vmss_reconciler_reason{name="web",reason="AwaitingApproval"}': line(
                20 * HOUR, NONE, from_6_to_60=1, from_30_to_31=NONE, from_61_to_61=GONE
            )
        },
        silent=[6 + 8 * HOUR - 1, 67],
        fires=[6 + 8 * HOUR, 60],
        labels={**WEB, "reason": "AwaitingApproval"},
        minutes=10,
    ),
    **{
        alert: Case(
            series={f'vmss_reconciler_{metric}{{name="web"}}': line(last + 20, **{f"from_6_to_{last}": 1})},
            silent=[6 + lasts - 1, last + 7],
            fires=[6 + lasts, last],
            labels=WEB,
            minutes=10,
        )
        for alert, metric, lasts, last in (
            ("SuspendedForLong", "suspended", 7 * DAY, 8 * DAY),
            ("ScaleSetBehind", "behind", 4 * HOUR, 6 * HOUR),
            ("ScaleSetOrphaned", "orphaned", 4 * HOUR, 6 * HOUR),
        )
    },
}


@needs_promtool
@pytest.mark.parametrize("rule", [pytest.param(each, id=each.alert) for each in alert_rules()])
def test_a_rule_fires_in_time_and_resolves(rule: Rule, tmp_path: Path) -> None:
    case = CASES[rule.alert]
    annotations = {
        name: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda match: case.labels[match[1]], text)
        for name, text in rule.annotations.items()
    }
    firing = {"exp_labels": {**case.labels, **rule.labels}, "exp_annotations": annotations}
    looks: list[dict[str, Any]] = [
        {"eval_time": f"{step * case.minutes}m", "alertname": rule.alert, "exp_alerts": alerts}
        for steps, alerts in ((case.silent, []), (case.fires, [firing]))
        for step in steps
    ]
    series = [{"series": name, "values": " ".join(map(str, values))} for name, values in case.series.items()]
    interval = f"{case.minutes}m"
    test = {"interval": interval, "input_series": series, "alert_rule_test": looks}
    whole = {"rule_files": [str(RULES)], "evaluation_interval": interval, "tests": [test]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(whole))
    promtool("test", "rules", tmp_path / "test.yaml")


def test_every_rule_has_a_case() -> None:
    assert {rule.alert for rule in alert_rules()} == CASES.keys()


@needs_promtool
def test_promtool_takes_the_rules() -> None:
    promtool("check", "rules", RULES)


def test_the_page_on_alerts_has_every_rule_with_its_severity_and_time() -> None:
    page = (RULES.parents[2] / "docs" / "how-to" / "alerts.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w ]+) \|", page, re.MULTILINE)
    assert [
        (alert, severity, timedelta() if after == "at once" else promql_parser.parse_duration(after))
        for alert, severity, after in rows
    ] == [(rule.alert, rule.labels["severity"], rule.lasts) for rule in alert_rules()]
