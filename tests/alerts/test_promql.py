"""The evaluator of the rules: what it computes, what it rejects, and that promtool agrees."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.promql import Labels, Samples, Unsupported, Value, expression
from tests.alerts.promtool import needs_promtool, promtool

# One scrape a minute, the first at minute 0 and the last at minute 9. "_" before the first value: not there
# yet; "stale": not there any more.
SERIES = {
    'up{job="a"}': "1 1 1 1 1 1 1 1 1 1",
    'up{job="b"}': "1 1 1 0 0 0 0 0 0 0",
    'ended{job="a"}': "1 1 1 1 1 1 1 stale",
    'flag{job="a", zone="1"}': "0 0 1 0 0 0 0 0 0 0",
    'flag{job="b", zone="1"}': "0 0 0 0 0 0 0 1 0 0",
    'flag{job="c", zone="2"}': "5 5 5 5 5 5 5 5 5 5",
    'ends_total{job="a"}': "0 0 0 0 0 0 1 1 1 1",
    'ends_total{job="b"}': "7 7 7 7 7 7 7 7 7 7",
    'ends_total{job="c"}': "3 4 5 0 1 1 1 1 2 2",
    'ends_total{job="d"}': "_ _ _ _ _ _ 1 1 1 1",
    'began{job="a"}': "60 60 60 60 60 60 60 60 60 60",
}
NOW = 9 * 60.0


CASES = [
    pytest.param("up", {"a": 1, "b": 0}, id="the newest sample"),
    pytest.param("ended", {}, id="a series that has ended"),
    pytest.param("up == 1", {"a": 1}, id="a comparison keeps what holds"),
    pytest.param("up != 1", {"b": 0}, id="a comparison for inequality"),
    pytest.param("up >= 1", {"a": 1}, id="at least"),
    pytest.param("up <= 0", {"b": 0}, id="at most"),
    pytest.param("up < 1", {"b": 0}, id="less"),
    pytest.param("time() - began > 400", {"a": 480}, id="an age"),
    pytest.param("time() - began > 480", {}, id="an age within its limit"),
    pytest.param("began / 60 + 1", {"a": 2}, id="arithmetic with a number"),
    pytest.param("absent(up)", {}, id="an existing series is not absent"),
    pytest.param("absent(ended)", {"": 1}, id="an ended series is absent"),
    pytest.param(
        'absent(nowhere{job="z"})', {"z": 1}, id="a series that never existed is absent, with its labels"
    ),
    pytest.param('up{job!="a"}', {"b": 0}, id="every series except one"),
    pytest.param('flag{job=~"a|c"}', {"a": 0, "c": 5}, id="one of several values"),
    pytest.param("max_over_time(flag[5m])", {"a": 0, "b": 1, "c": 5}, id="the highest of five minutes"),
    pytest.param("max_over_time(flag[7m])", {"a": 1, "b": 1, "c": 5}, id="a range includes its first minute"),
    pytest.param("max_over_time(ended[5m])", {"a": 1}, id="the highest of an ended series"),
    pytest.param("max by (zone) (flag)", {"1": 0, "2": 5}, id="the highest of a group"),
    pytest.param("sum by (zone) (flag)", {"1": 0, "2": 5}, id="the sum of a group"),
    pytest.param("min(flag)", {"": 0}, id="the lowest of all"),
    pytest.param("flag > 0 and on (job) up == 0", {}, id="`and` without a match on the other side"),
    pytest.param("up and on (job) flag == 0", {"a": 1, "b": 0}, id="`and` on one label"),
    pytest.param("flag unless on (job) up == 0", {"a": 0, "c": 5}, id="`unless` on one label"),
    pytest.param("began or up", {"a": 60, "b": 0}, id="`or` adds missing series"),
    pytest.param(
        "flag > 4 and on (job) flag == 5 unless on (job) up == 1",
        {"c": 5},
        id="operators are evaluated from left to right",
    ),
    pytest.param(
        "increase(ends_total[9m])",
        {"a": 1, "b": 0, "c": 4, "d": 0},
        id="an increase over the whole range, without the first value",
    ),
    pytest.param("increase(ends_total[4m]) > 0", {"a": 1, "c": 1}, id="an increase over a part of the range"),
    pytest.param("increase(ends_total[1h]) > 0", {"a": 1, "c": 4.222}, id="a range longer than the series"),
]


def loaded() -> Samples:
    samples = Samples()
    rows = {_named(name): values.split() for name, values in SERIES.items()}
    for minute in range(10):
        there = {key: row[minute] for key, row in rows.items() if minute < len(row)}
        scraped = {key: float(value) for key, value in there.items() if value not in {"_", "stale"}}
        samples.scrape(scraped, 60.0 * minute)
    return samples


def _named(written: str) -> tuple[str, Labels]:
    name, _, rest = written.partition("{")
    pairs = (each.split("=") for each in rest.rstrip("}").split(", "))
    return name, frozenset((label, value.strip('"')) for label, value in pairs)


def by_value(value: Value) -> dict[str, float]:
    """A vector by the values of its labels: that of job, else of zone."""
    assert isinstance(value, dict)
    named = {dict(labels).get("job") or dict(labels).get("zone", ""): each for labels, each in value.items()}
    assert len(named) == len(value)
    return named


@pytest.mark.parametrize(("written", "values"), CASES)
def test_an_expression_has_its_value(written: str, values: Mapping[str, float]) -> None:
    assert by_value(expression(written)(loaded(), NOW)) == pytest.approx(values, abs=0.001)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("rate(ends_total[5m])", id="an unknown function"),
        pytest.param("up offset 5m", id="an offset"),
        pytest.param('up{job=~"a.*"}', id="a regular expression beyond alternatives"),
        pytest.param('up{job!~"a"}', id="a negative match"),
        pytest.param("max without (job) (up)", id="a grouping with `without`"),
        pytest.param("count(up)", id="an unknown aggregation"),
        pytest.param("up > bool 0", id="a comparison that gives 0 and 1"),
        pytest.param("up > began", id="a comparison of two vectors"),
        pytest.param("up unless ignoring (job) flag", id="a match with `ignoring`"),
        pytest.param("flag * on (job) group_left (zone) up", id="a many-to-one match"),
        pytest.param("max_over_time(up[5m:1m])", id="a subquery"),
        pytest.param("-up", id="a unary minus"),
    ],
)
def test_unsupported_expressions_are_rejected(written: str) -> None:
    with pytest.raises(Unsupported):
        expression(written)


@needs_promtool
def test_promtool_computes_the_same(tmp_path: Path) -> None:
    samples = loaded()
    tried: list[dict[str, Any]] = []
    for written, _ in (case.values for case in CASES):
        value = expression(str(written))(samples, NOW)
        assert isinstance(value, dict)
        # Rounded, as what is extrapolated may differ in its last digit; the sum drops the metric's name.
        tried.append(
            {
                "expr": f"0 + round({written}, 0.001)",
                "eval_time": "9m",
                "exp_samples": [
                    {"labels": _braces(labels), "value": round(each * 1000) / 1000}
                    for labels, each in value.items()
                ],
            }
        )
    series = [{"series": name, "values": values} for name, values in SERIES.items()]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": tried}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"tests": [test]}))
    promtool("test", "rules", tmp_path / "test.yaml")


def _braces(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(labels)) + "}"
