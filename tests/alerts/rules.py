"""The alert rules and inhibition rules of deploy/prometheus/."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import promql_parser
import yaml

from tests.alerts.promql import Expression, expression

DIRECTORY = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = DIRECTORY / "rules.yaml"
INHIBITIONS = DIRECTORY / "inhibit.yaml"


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert rule of Prometheus. `lasts` is its `for`."""

    alert: str
    source: str
    expression: Expression
    lasts: timedelta
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def is_ticket(self) -> bool:
        return self.labels["severity"] == "ticket"


def alert_rules() -> tuple[Rule, ...]:
    """Every alert rule."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return tuple(_rule(**rule) for group in groups for rule in group["rules"])


def _rule(
    alert: str, expr: str, labels: Mapping[str, str], annotations: Mapping[str, str], **rest: str
) -> Rule:
    lasts = promql_parser.parse_duration(rest.pop("for")) if "for" in rest else timedelta()
    assert not rest, f"{alert} has what is not tried here: {rest}"
    return Rule(alert, expr, expression(expr), lasts, labels, annotations)


Alert = Mapping[str, str]  # the labels of one that fires


@dataclass(frozen=True, slots=True)
class Inhibition:
    """An inhibition rule of Alertmanager: alerts of `target` are muted while one of `source` fires that has
    the same values of the labels of `equal`; a label that both lack is the same."""

    source: Mapping[str, frozenset[str]]
    target: Mapping[str, frozenset[str]]
    equal: Sequence[str] = field(default=())

    def mutes(self, alert: Alert, firing: Iterable[Alert]) -> bool:
        # Alertmanager: what is both source and target is not muted by what is both as well.
        is_both = _matches(self.source, alert)
        return _matches(self.target, alert) and any(
            _matches(self.source, each)
            and all(each.get(label, "") == alert.get(label, "") for label in self.equal)
            and not (is_both and _matches(self.target, each))
            for each in firing
        )


def _matches(matchers: Mapping[str, frozenset[str]], alert: Alert) -> bool:
    return all(alert.get(label, "") in values for label, values in matchers.items())


def inhibitions() -> tuple[Inhibition, ...]:
    """Every inhibition rule."""
    return tuple(
        Inhibition(_matchers(rule["source_matchers"]), _matchers(rule["target_matchers"]), rule["equal"])
        for rule in yaml.safe_load(INHIBITIONS.read_text())["inhibit_rules"]
    )


def _matchers(written: Iterable[str]) -> dict[str, frozenset[str]]:
    found = {}
    for each in written:
        match = re.fullmatch(r'(\w+)\s*=~?\s*"?([\w|]+)"?', each)
        assert match, each
        assert "=~" in each or "|" not in each, each
        found[match[1]] = frozenset(match[2].split("|"))
    return found
