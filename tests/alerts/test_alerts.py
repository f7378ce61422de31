"""Each alert rule of deploy/prometheus/rules.yaml against each fault that lasts."""

import pytest

from tests.alerts.faults import FAULTS, MINUTE, Fault
from tests.alerts.prometheus import Prometheus
from tests.alerts.rules import alert_rules, inhibitions

RULES, INHIBITIONS = alert_rules(), inhibitions()


@pytest.mark.parametrize("fault", [pytest.param(each, id=name) for name, each in FAULTS.items()])
def test_a_fault_raises_only_its_alerts_in_time_until_it_ends(fault: Fault) -> None:
    world = fault.world()
    prometheus = Prometheus(world, RULES, INHIBITIONS, interval=fault.interval)
    prometheus.watch(3 * MINUTE)
    assert prometheus.fired == []

    began = world.clock.now()
    fault.begin(prometheus)
    ends = world.clock.now() + fault.lasts
    while (left := ends - world.clock.now()) > 0 * MINUTE:
        prometheus.watch(min(left, fault.every))
        fault.meanwhile(prometheus)
    fault.end(prometheus)
    ended = world.clock.now()
    prometheus.watch(fault.resolves)

    late = {
        each.alert: round((each.since - began) / MINUTE, 1)
        for each in prometheus.fired
        if each.since - began > fault.fires.get(each.alert, 0) * MINUTE
    }
    assert (late, {each.alert for each in prometheus.fired}) == ({}, set(fault.fires))
    names = [(each.alert, each.labels.get("name")) for each in prometheus.fired]
    assert len(names) == len(set(names)), "an alert resolved while the fault lasted"
    assert [each.alert for each in prometheus.fired if each.until is None] == [], "it did not resolve"
    assert [each.alert for each in prometheus.fired if each.until and each.until < ended] == []
    assert {each.alert for each in prometheus.fired if each.is_told} == set(fault.fires) - fault.muted


@pytest.mark.parametrize("alert", [rule.alert for rule in RULES])
def test_every_rule_has_a_fault_that_raises_it_and_one_that_does_not(alert: str) -> None:
    assert {alert in fault.fires for fault in FAULTS.values()} == {True, False}
