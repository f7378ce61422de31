"""Policies that scale sets share: inherited fields, overridden fields, and errors in both."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from reconciler.spec.amount import Amount, Count, Percent
from reconciler.spec.declared import declare
from reconciler.spec.files import File
from reconciler.spec.scale_set import By, Canary, Rollout
from tests.build import rollout

Lines = Callable[..., list[str]]
POLICY = """\
apiVersion: vmss-reconciler/v1alpha1
kind: RolloutPolicy
metadata: {name: careful}
spec: {by: zone, canary: {instances: 1, soak: 30m}, maxBatch: 10%, soak: 5m}
"""
MINUTE = timedelta(minutes=1)


def declared_rollout(web: str, settings: str, policy: str = POLICY) -> Rollout:
    text = web.replace("{by: auto, maxBatch: 20%, converge: image}", settings)
    declared = declare([File("web.yaml", text.encode()), File("policies.yaml", policy.encode())])
    assert declared.problems == ()
    return declared.scale_sets[0].rollout


def test_a_spec_takes_all_fields_from_its_policy(web: str) -> None:
    assert declared_rollout(web, "{policy: careful}") == rollout(
        by=By.ZONE,
        max_batch=Percent(10),
        canary=Canary(Count(1), 30 * MINUTE),
        soak=5 * MINUTE,
    )


def test_fields_of_a_spec_override_its_policy(web: str) -> None:
    settings = "{policy: careful, by: auto, maxBatch: 3, canary: {instances: 5%}}"
    assert declared_rollout(web, settings) == rollout(
        by=By.AUTO,
        max_batch=Count(3),
        canary=Canary(Percent(5), timedelta()),
        soak=5 * MINUTE,
    )


def test_a_spec_without_a_policy_takes_the_defaults(web: str) -> None:
    assert declared_rollout(web, "{}") == rollout()


@pytest.mark.parametrize(
    ("query", "is_refused"),
    [
        pytest.param("errors < 5", False, id="a comparison"),
        pytest.param("errors < bool 5", True, id="a comparison with bool"),
        pytest.param(
            "sum(rate(errors[5m])) <bool  -1.5e3", True, id="a comparison with bool after a function"
        ),
        pytest.param("errors == bool:rate5m", False, id="a comparison with a series named bool"),
        pytest.param(
            "sum(up == bool 1) >= 3", False, id="a comparison with bool that is summed and compared"
        ),
        pytest.param(
            "avg(latency < bool 0.5) > 0.99", False, id="a comparison with bool that is averaged and compared"
        ),
        pytest.param("(errors < bool 5) == 1", False, id="a comparison with bool that is compared"),
        pytest.param(
            "count(up) > 3 AND errors < bool 5", False, id="a comparison with bool after AND in capitals"
        ),
        pytest.param("count(up) > 3 and errors < bool 5", False, id="a comparison with bool after and"),
    ],
)
def test_a_query_must_be_able_to_fail(web: str, query: str, *, is_refused: bool) -> None:
    check = {"name": "a", "prometheus": {"server": "http://p:9090", "query": query}}
    text = web.replace("{by: auto, maxBatch: 20%, converge: image}", json.dumps({"checks": [check]}))
    problems = declare([File("web.yaml", text.encode())]).problems
    found = [problem.message.endswith("only if the comparison holds") for problem in problems]
    assert found == [True] * is_refused


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        pytest.param("1", Count(1), id="a count of instances"),
        pytest.param("5%", Percent(5), id="a percentage of instances"),
        pytest.param('["3", "web_7f"]', ("3", "web_7f"), id="instance ids"),
    ],
)
def test_a_canary_is_an_amount_or_a_list_of_ids(
    web: str, instances: str, expected: Amount | tuple[str, ...]
) -> None:
    canary = declared_rollout(web, f"{{canary: {{instances: {instances}}}}}").canary
    assert canary == Canary(expected, timedelta())


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        pytest.param(
            "{policy: carefull}",
            '17:21: spec.rollout.policy names the RolloutPolicy "carefull", which does not exist: did you mean careful '
            "(policies.yaml:1:1)?",
            id="a policy that is not declared",
        ),
        pytest.param(
            "{canary: 1}",
            "17:21: spec.rollout.canary is the number 1, but a mapping is expected: write canary with instances below it",
            id="a number instead of a canary",
        ),
        pytest.param(
            "{canary: {soak: 5m}}",
            "17:13: spec.rollout.canary.instances is missing: add instances: 1",
            id="a canary without instances",
        ),
        pytest.param(
            "{canary: {instances: 0}}",
            "17:33: spec.rollout.canary.instances is 0, which would never upgrade anything: write 1 or more, or a percentage such "
            "as 20%",
            id="a canary of 0 instances",
        ),
        pytest.param(
            "{canary: {instances: [3]}}",
            '17:34: spec.rollout.canary.instances[0] is read as the number 3: quote it: "3"',
            id="an instance id without quotes",
        ),
        pytest.param(
            '{canary: {instances: ["3", "*"]}}',
            '17:39: spec.rollout.canary.instances[1] "*" is not an instance id: write an id that `az vmss '
            "list-instances` prints",
            id="a star as an instance id",
        ),
        pytest.param(
            "{canary: {instances: []}}",
            "17:33: spec.rollout.canary.instances is an empty list: write instances: 1",
            id="an empty list of instance ids",
        ),
        pytest.param(
            "{soak: 25h}",
            '17:19: spec.rollout.soak "25h" is too long: write 24h or less',
            id="a soak that is too long",
        ),
        pytest.param(
            "{soak: 5}",
            "17:19: spec.rollout.soak is 5, a number without a unit: write 5s",
            id="a soak without a unit",
        ),
    ],
)
def test_an_error_in_a_rollout_is_reported_with_its_place_and_fix(
    web: str, lines: Lines, settings: str, line: str
) -> None:
    text = web.replace("{by: auto, maxBatch: 20%, converge: image}", settings)
    assert lines(web=text, policies=POLICY) == [f"web.yaml:{line}"]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        pytest.param(
            "maxBatch: 10%",
            "maxBatch: 120%",
            '4:63: spec.maxBatch "120%" is more than the whole scale set: write 100% or less',
            id="an invalid amount",
        ),
        pytest.param(
            "by: zone",
            "policy: other",
            "4:8: spec.policy is not a known field: expected by, order, canary, maxBatch, maxUnavailable, maxUnhealthy, "
            "maxUnhealthyUpgraded, soak, bakeTime, converge, customizedInstances, onFailure, requireWayBack, progressDeadline, "
            "deadline, approval, approver, windows or checks",
            id="a policy of a policy",
        ),
        pytest.param(
            "kind: RolloutPolicy\n",
            "",
            "1:1: kind is missing: add kind: RolloutPolicy",
            id="a policy without a kind",
        ),
    ],
)
def test_an_error_in_a_policy_is_reported_once(web: str, lines: Lines, old: str, new: str, line: str) -> None:
    text = web.replace("{by: auto, maxBatch: 20%, converge: image}", "{policy: careful}")
    assert lines(web=text, policies=POLICY.replace(old, new)) == [f"policies.yaml:{line}"]
