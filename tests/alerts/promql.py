"""As much of PromQL as the rules of docs/metrics.md use, over samples in memory.

`promql_parser` reads the expressions by the grammar of Prometheus. What the rules do not use is refused here
and never guessed at. `test_promql.py` holds this against promtool, where that is installed.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from operator import add, eq, ge, gt, le, lt, mul, ne, sub, truediv
from typing import Any

import promql_parser as grammar
from promql_parser import MatchOp

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Value = float | Vector
Matcher = Callable[[Mapping[str, str]], bool]

LOOKBACK = 5 * 60.0  # seconds for which a sample is the newest one, as in Prometheus

_ARITHMETIC: dict[str, Callable[[float, float], float]] = {"+": add, "-": sub, "*": mul, "/": truediv}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": eq,
    "!=": ne,
    ">": gt,
    "<": lt,
    ">=": ge,
    "<=": le,
}
_AGGREGATES: dict[str, Callable[[Iterable[float]], float]] = {"sum": sum, "max": max, "min": min}
# Of regular expressions the rules use alternatives alone.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_|")


class Unsupported(Exception):
    """An expression uses what this does not know."""


@dataclass(slots=True)
class Series:
    """The samples of one series by time. A value of None means that it has ended."""

    times: list[float] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)

    def add(self, value: float | None, at: float) -> None:
        """Of two of the same moment the later one stays."""
        if self.times and self.times[-1] == at:
            self.values[-1] = value
            return
        self.times.append(at)
        self.values.append(value)

    def newest(self, at: float) -> float | None:
        """The value at a moment."""
        index = bisect_right(self.times, at) - 1
        return self.values[index] if index >= 0 and self.times[index] > at - LOOKBACK else None

    def between(self, first: float, last: float) -> list[tuple[float, float]]:
        """The samples of a range, its ends included."""
        inside = slice(bisect_left(self.times, first), bisect_right(self.times, last))
        pairs = zip(self.times[inside], self.values[inside], strict=True)
        return [(time, value) for time, value in pairs if value is not None]


@dataclass(slots=True)
class Samples:
    """What was scraped. A series that is not in the next scrape has ended, as in Prometheus."""

    _metrics: dict[str, dict[Labels, Series]] = field(default_factory=dict)
    _last: list[Series] = field(default_factory=list)

    def scrape(self, samples: Mapping[tuple[str, Labels], float], at: float) -> None:
        """Take over one scrape, at seconds; an empty one is that of a target that is down."""
        found = []
        for (name, labels), value in samples.items():
            series = self._metrics.setdefault(name, {}).setdefault(labels, Series())
            series.add(value, at)
            found.append(series)
        for series in self._last:
            if series.times[-1] != at:
                series.add(None, at)
        self._last = found

    def of(self, metric: str) -> Mapping[Labels, Series]:
        """Every series of a metric."""
        return self._metrics.get(metric, {})


Expression = Callable[[Samples, float], Value]


def expression(written: str) -> Expression:
    """What gives the value of an expression at a moment, in seconds. Raises Unsupported."""
    return _compile(grammar.parse(written))


def _compile(node: Any) -> Expression:
    match node:
        case grammar.NumberLiteral():
            number = float(node.val)
            return lambda _samples, _at: number
        case grammar.ParenExpr():
            return _compile(node.expr)
        case grammar.VectorSelector():
            return _instant(node)
        case grammar.Call():
            return _call(node)
        case grammar.AggregateExpr():
            return _aggregate(node)
        case grammar.BinaryExpr():
            return _binary(node)
        case _:
            raise Unsupported(str(node))


def _selection(selector: grammar.VectorSelector) -> Callable[[Samples], Sequence[tuple[Labels, Series]]]:
    """What gives the series that are selected."""
    name = selector.name
    if selector.offset or selector.at or selector.matchers.or_matchers or not name:
        raise Unsupported(str(selector))
    matchers = [_matcher(each) for each in selector.matchers.matchers]
    known: list[tuple[Labels, Series]] = []
    searched: tuple[Samples | None, int] = (None, 0)

    def select(samples: Samples) -> Sequence[tuple[Labels, Series]]:
        nonlocal known, searched
        there = samples.of(name)
        if searched[0] is not samples or searched[1] != len(there):  # series only ever come
            searched = samples, len(there)
            found = ((dict(labels), labels, series) for labels, series in there.items())
            known = [(labels, series) for named, labels, series in found if all(m(named) for m in matchers)]
        return known

    return select


def _matcher(matcher: grammar.Matcher) -> Matcher:
    name, value = matcher.name, matcher.value
    match matcher.op:
        case MatchOp.Equal:
            return lambda labels: labels.get(name, "") == value
        case MatchOp.NotEqual:
            return lambda labels: labels.get(name, "") != value
        case MatchOp.Re if set(value) <= _PLAIN:
            alternatives = frozenset(value.split("|"))
            return lambda labels: labels.get(name, "") in alternatives
        case _:
            raise Unsupported(str(matcher))


def _instant(selector: grammar.VectorSelector) -> Expression:
    select = _selection(selector)

    def evaluate(samples: Samples, at: float) -> Vector:
        values = ((labels, series.newest(at)) for labels, series in select(samples))
        return {labels: value for labels, value in values if value is not None}

    return evaluate


def _call(call: grammar.Call) -> Expression:
    match call.func.name, *call.args:
        case ("time",):
            return lambda _samples, at: at
        case ("absent", grammar.VectorSelector() as selector):
            return _absent(selector)
        case ("max_over_time", grammar.MatrixSelector() as selector):
            return _over_range(selector, lambda found, _at, _span: max(value for _, value in found))
        case ("increase", grammar.MatrixSelector() as selector):
            return _over_range(selector, _increase)
        case _:
            raise Unsupported(str(call))


def _absent(selector: grammar.VectorSelector) -> Expression:
    there = _instant(selector)
    wanted = frozenset(
        (each.name, each.value) for each in selector.matchers.matchers if each.op == MatchOp.Equal
    )
    return lambda samples, at: {} if there(samples, at) else {wanted: 1.0}


def _over_range(
    selector: grammar.MatrixSelector,
    function: Callable[[list[tuple[float, float]], float, timedelta], float | None],
) -> Expression:
    select, span = _selection(selector.vector_selector), selector.range

    def evaluate(samples: Samples, at: float) -> Vector:
        values = {}
        for labels, series in select(samples):
            found = series.between(at - span.total_seconds(), at)
            value = function(found, at, span) if found else None
            if value is not None:
                values[labels] = value
        return values

    return evaluate


def _increase(found: list[tuple[float, float]], at: float, span: timedelta) -> float | None:
    """As Prometheus extrapolates it to the ends of the range."""
    if len(found) < 2:
        return None
    (first_at, first), (last_at, last) = found[0], found[-1]
    resets = sum(before for (_, before), (_, after) in pairwise(found) if after < before)
    grown = last - first + resets
    sampled = last_at - first_at
    apart = sampled / (len(found) - 1)
    to_start, to_end = first_at - (at - span.total_seconds()), at - last_at
    if grown > 0 and first >= 0:
        to_start = min(to_start, sampled * (first / grown))  # no counter was below zero
    covered = sampled
    covered += to_start if to_start < apart * 1.1 else apart / 2
    covered += to_end if to_end < apart * 1.1 else apart / 2
    return grown * (covered / sampled)


def _aggregate(node: grammar.AggregateExpr) -> Expression:
    modifier, operator = node.modifier, str(node.op)
    if operator not in _AGGREGATES or (modifier and modifier.type != grammar.AggModifierType.By):
        raise Unsupported(str(node))
    inner, by, function = _compile(node.expr), modifier.labels if modifier else (), _AGGREGATES[operator]

    def evaluate(samples: Samples, at: float) -> Vector:
        groups: dict[Labels, list[float]] = {}
        for labels, value in _vector(inner(samples, at)).items():
            groups.setdefault(_only(labels, by), []).append(value)
        return {labels: function(values) for labels, values in groups.items()}

    return evaluate


def _vector(value: Value) -> Vector:
    if not isinstance(value, dict):
        raise Unsupported("a scalar where a vector is wanted")
    return value


def _only(labels: Labels, names: Iterable[str]) -> Labels:
    return frozenset(each for each in labels if each[0] in names)


def _binary(node: grammar.BinaryExpr) -> Expression:
    operator, modifier = str(node.op), node.modifier
    left, right = _compile(node.lhs), _compile(node.rhs)
    if operator in {"and", "unless", "or"}:
        return _set_operation(operator, left, right, modifier.matching if modifier else None)
    if modifier:
        raise Unsupported(str(node))
    if operator in _ARITHMETIC:
        calculate = _ARITHMETIC[operator]
        return lambda samples, at: _each(left(samples, at), right(samples, at), calculate)
    holds = _COMPARISONS.get(operator)
    if holds is None or not isinstance(node.rhs, grammar.NumberLiteral):
        raise Unsupported(str(node))
    limit = float(node.rhs.val)
    return lambda samples, at: {
        labels: value for labels, value in _vector(left(samples, at)).items() if holds(value, limit)
    }


def _each(left: Value, right: Value, calculate: Callable[[float, float], float]) -> Value:
    match left, right:
        case float(), float():
            return calculate(left, right)
        case float(), dict():
            return {labels: calculate(left, value) for labels, value in right.items()}
        case dict(), float():
            return {labels: calculate(value, right) for labels, value in left.items()}
        case _:
            raise Unsupported("arithmetic of two vectors")


def _set_operation(
    operator: str, left: Expression, right: Expression, matching: grammar.LabelModifier | None
) -> Expression:
    if matching and matching.type != grammar.LabelModifierType.Include:
        raise Unsupported("ignoring")

    def key(labels: Labels) -> Labels:
        return _only(labels, matching.labels) if matching else labels

    def evaluate(samples: Samples, at: float) -> Vector:
        ours, others = _vector(left(samples, at)), _vector(right(samples, at))
        if operator == "or":
            known = {key(labels) for labels in ours}
            return ours | {labels: value for labels, value in others.items() if key(labels) not in known}
        there = {key(labels) for labels in others}
        is_kept = operator == "and"
        return {labels: value for labels, value in ours.items() if (key(labels) in there) is is_kept}

    return evaluate
