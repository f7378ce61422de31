"""The inhibition rules of deploy/prometheus/inhibit.yaml: which alert mutes which, by its labels."""

from typing import Any

import pytest

from tests.alerts.rules import Alert, alert_rules, inhibitions

DEV, PROD = "subscription dev", "subscription prod"
NAMES = {rule.alert for rule in alert_rules()}


def alert(alertname: str, **labels: str) -> Alert:
    assert alertname in NAMES
    return {"alertname": alertname, "job": "vmss-reconciler", "instance": "a:8080", **labels}


def of_set(alertname: str, name: str = "web", scope: str = DEV) -> Alert:
    """Only the rule on the last observation has the scope."""
    return alert(alertname, name=name, **({"scope": scope} if alertname == "ScaleSetUnknown" else {}))


MUTED = [
    ("a list that fails mutes its scale sets", alert("ListFails", scope=DEV), of_set("ScaleSetUnknown")),
    ("a daemon that hangs mutes its scale sets", alert("ReconcilerHung"), of_set("ScaleSetUnknown")),
    ("a daemon that hangs mutes its source", alert("ReconcilerHung"), alert("SourceUnread")),
    *(
        (f"what nobody knows of a set mutes {each}", of_set("ScaleSetUnknown"), of_set(each))
        for each in ("ScaleSetStalled", "ScaleSetFailing", "ScaleSetUnhealthy")
    ),
    *(
        (f"{each} says more than that instances are sick", of_set(each), of_set("ScaleSetUnhealthy"))
        for each in ("ScaleSetStalled", "ScaleSetFailing")
    ),
]
TOLD = [
    ("a list of another scope", alert("ListFails", scope=PROD), of_set("ScaleSetUnknown")),
    (
        "another daemon that hangs",
        {**alert("ReconcilerHung"), "instance": "b:8080"},
        of_set("ScaleSetUnknown"),
    ),
    (
        "another daemon whose source is away",
        {**alert("ReconcilerHung"), "instance": "b:8080"},
        alert("SourceUnread"),
    ),
    ("a scale set that is behind a broken commit", alert("CommitRefused"), of_set("ScaleSetBehind")),
    ("another scale set", of_set("ScaleSetUnknown", "api"), of_set("ScaleSetFailing")),
    ("an image that fails while a list does", alert("ListFails", scope=DEV), of_set("ScaleSetFailing")),
    (
        "an image that fails while Azure throttles",
        alert("AzureThrottles", scope=DEV),
        of_set("ScaleSetFailing"),
    ),
    (
        "an image that fails under a broken commit",
        alert("CommitRefused", commit="a1", author="Ada"),
        of_set("ScaleSetFailing"),
    ),
    ("a rollout that has failed, of a failing set", of_set("ScaleSetFailing"), of_set("RolloutFailed")),
    ("itself", of_set("ScaleSetUnknown"), of_set("ScaleSetUnknown")),
]


def cases(rows: list[tuple[str, Alert, Alert]]) -> list[Any]:
    return [pytest.param(source, target, id=name) for name, source, target in rows]


@pytest.mark.parametrize(("source", "target"), cases(MUTED))
def test_an_alert_is_inhibited_by_its_cause(source: Alert, target: Alert) -> None:
    assert any(each.mutes(target, [source, target]) for each in inhibitions())


@pytest.mark.parametrize(("source", "target"), cases(TOLD))
def test_an_alert_is_not_inhibited_by_an_unrelated_alert(source: Alert, target: Alert) -> None:
    assert not any(each.mutes(target, [source, target]) for each in inhibitions())


def test_every_name_in_a_rule_is_that_of_an_alert() -> None:
    for each in inhibitions():
        assert {*each.source["alertname"], *each.target["alertname"]} <= NAMES
