"""How fast a rollout goes: canaries first, and soaking between batches, by Azure's own times."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.step import Upgrade
from reconciler.spec.amount import Count, Percent
from reconciler.spec.scale_set import By, Canary, Converge
from tests.build import NEW, NOW, decided, fleet, instance, observed, outdated, spec
from tests.messages import says

MINUTE = timedelta(minutes=1)
ONE = Canary(Count(1), timedelta())
SLOW = Canary(Count(1), 30 * MINUTE)
NAMED = Canary(("3", "7"), timedelta())


def back(number: int, minutes: float, **changes: Any) -> Any:
    """An upgraded instance that has been back for so many minutes."""
    return instance(number, since=NOW - minutes * MINUTE, **changes)


@pytest.mark.parametrize(
    ("rollout", "instances", "ids"),
    [
        pytest.param({"canary": ONE}, fleet(), ["0"], id="a canary of one goes first, alone"),
        pytest.param(
            {"canary": ONE},
            fleet(instance(9, created=NOW - 2 * MINUTE)),
            ["0"],
            id="one that the autoscaler made proves nothing",
        ),
        pytest.param(
            {"canary": ONE},
            fleet(instance(9, since=NOW - 5 * MINUTE, created=NOW - 10 * MINUTE)),
            ["0", "5"],
            id="one that changed five minutes after it was made was upgraded",
        ),
        pytest.param(
            {"canary": ONE},
            fleet(instance(9, power="deallocated", health="")),
            ["0"],
            id="an upgraded instance that is stopped does not count as a healthy canary",
        ),
        pytest.param(
            {"canary": ONE}, fleet(back(0, 1)), ["5"], id="once it is healthy the others of its domain follow"
        ),
        pytest.param(
            {"canary": Canary(Percent(30), timedelta())}, fleet(), ["0", "5"], id="at most one domain"
        ),
        pytest.param(
            {"canary": Canary(Percent(30), timedelta())},
            fleet(back(0, 1), back(5, 1)),
            ["1"],
            id="at most what is missing of the canary",
        ),
        pytest.param(
            {"canary": Canary(Count(5), timedelta()), "max_batch": Count(1)},
            fleet(),
            ["0"],
            id="at most one batch",
        ),
        pytest.param({"canary": NAMED}, fleet(), ["7"], id="named canaries go first, domain by domain"),
        pytest.param({"canary": NAMED}, fleet(back(7, 1)), ["3"], id="the other one follows"),
        pytest.param({"canary": NAMED}, fleet(back(7, 1), back(3, 1)), ["0", "5"], id="then everybody"),
        pytest.param(
            {"canary": NAMED},
            fleet(outdated(7, protected=True), back(3, 1)),
            ["0", "5"],
            id="one of them that cannot go holds nothing up once another is back",
        ),
        pytest.param(
            {"canary": SLOW},
            fleet(outdated(4, health="unhealthy")),
            ["4"],
            id="unhealthy instances are remediated first",
        ),
        pytest.param(
            {"soak": 5 * MINUTE},
            fleet(back(0, 5), back(5, 6)),
            ["1", "6"],
            id="after the soak the next batch goes",
        ),
        pytest.param(
            {"soak": 5 * MINUTE},
            fleet(back(0, 6), back(5, 6), back(2, 1, created=NOW - 2 * MINUTE)),
            ["1", "6"],
            id="one that scaled out meanwhile is not waited for",
        ),
        pytest.param(
            {"soak": 5 * MINUTE},
            fleet(back(0, 1), outdated(4, health="unhealthy")),
            ["4"],
            id="a soak does not block remediation",
        ),
        pytest.param(
            {"max_unavailable": Count(1)}, fleet(), ["0"], id="never more than may be unavailable at once"
        ),
        pytest.param(
            {"max_unavailable": Percent(30), "max_batch": Percent(50)},
            fleet(outdated(9, protected=True, health="unhealthy")),
            ["0", "5"],
            id="with those that another writer took down",
        ),
        pytest.param(
            {"max_unavailable": Count(2), "max_batch": Percent(50)},
            fleet(outdated(9, protected=True, health="unhealthy")),
            ["0"],
            id="which leave room for fewer",
        ),
        pytest.param(
            {"max_unavailable": Count(1)},
            fleet(outdated(9, power="deallocated")),
            ["0"],
            id="what was given back does not count",
        ),
        pytest.param(
            {"max_unavailable": Count(1)},
            fleet(*(outdated(n, health="unhealthy") for n in (3, 8))),
            ["3", "8"],
            id="remediation takes nothing out of service",
        ),
        pytest.param(
            {},
            fleet(outdated(3, provisioning="failed")),
            ["3"],
            id="what failed though it serves goes before what is well",
        ),
        pytest.param(
            {"canary": NAMED},
            fleet(outdated(3, provisioning="failed"), outdated(0, provisioning="failed")),
            ["3"],
            id="a failed canary that serves goes first among the canaries",
        ),
        pytest.param(
            {},
            fleet(outdated(0, power="", health="")),
            ["5"],
            id="an instance that reports neither power nor health goes after those that do",
        ),
        pytest.param(
            {"max_unavailable": Count(1)},
            fleet(outdated(3, provisioning="failed")),
            ["3"],
            id="a failed instance that serves does not block itself",
        ),
        pytest.param(
            {"max_unavailable": Count(2), "max_batch": Percent(50)},
            fleet(
                *(outdated(n, provisioning="failed") for n in (3, 8)),
                outdated(9, protected=True, health="unhealthy"),
            ),
            ["3"],
            id="failed instances that serve count against maxUnavailable with those that do not serve",
        ),
        pytest.param(
            {"canary": SLOW, "soak": 5 * MINUTE},
            fleet(back(0, 40), back(5, 6)),
            ["1", "6"],
            id="behind the canary the soak of batches holds",
        ),
    ],
)
def test_which_instances_go_next(rollout: dict[str, Any], instances: Any, ids: list[str]) -> None:
    assert decided(spec(**rollout), observed(instances=instances)).step == Upgrade(tuple(ids), NEW)


@pytest.mark.parametrize(
    ("rollout", "instances", "line"),
    [
        pytest.param(
            {"soak": 5 * MINUTE},
            fleet(back(0, 4), back(5, 6)),
            says("Soaking", "web_0", "08:56:00", "09:01:00", "5m", "2 of 10"),
            id="the last one of a batch counts",
        ),
        pytest.param(
            {"soak": 5 * MINUTE},
            fleet(back(0, 4), back(5, 5)),
            says("Soaking", "web_0", "08:56:00", "09:01:00", "5m", "2 of 10"),
            id="one that has been back for all of it is not named",
        ),
        pytest.param(
            {"canary": SLOW, "soak": 5 * MINUTE},
            fleet(back(0, 6)),
            says("Soaking", "web_0", "08:54:00", "09:24:00", "30m", "1 of 10"),
            id="a canary has a soak of its own",
        ),
        pytest.param(
            {"canary": Canary(Count(1), MINUTE), "soak": 5 * MINUTE},
            fleet(back(0, 4)),
            says("Soaking", "web_0", "08:56:00", "09:01:00", "5m", "1 of 10"),
            id="which is never shorter than that of batches",
        ),
        pytest.param(
            {"canary": Canary(("3", "7"), 30 * MINUTE)},
            fleet(back(3, 10), back(7, 20)),
            says("Soaking", "web_3", "web_7", "08:50:00", "09:20:00", "30m", "2 of 10"),
            id="named canaries soak too",
        ),
        pytest.param(
            {"max_unavailable": Count(1)},
            fleet(outdated(9, protected=True, health="unhealthy")),
            says("TooManyUnavailable", "web_9 (unhealthy)", "1 of 10", "maxUnavailable", "0 of 10"),
            id="no batch where too many are unavailable already",
        ),
        pytest.param(
            {"max_unavailable": Percent(20)},
            fleet(*(outdated(n, protected=True, health="unhealthy") for n in (8, 9))),
            says(
                "TooManyUnavailable",
                "web_8 and web_9 (both unhealthy)",
                "2 of 10",
                "maxUnavailable",
                "20%",
                "0 of 10",
            ),
            id="a share is said as what it comes to",
        ),
        pytest.param(
            {"max_unavailable": Count(1)},
            fleet(outdated(3, provisioning="failed"), outdated(9, protected=True, health="unhealthy")),
            says("TooManyUnavailable", "web_9 (unhealthy)", "1 of 10", "maxUnavailable", "0 of 10"),
            id="no batch while failed instances that serve exceed maxUnavailable",
        ),
        pytest.param(
            {"canary": Canary(("77",), timedelta())},
            fleet(),
            says("CanaryMissing", "rollout.canary", "77"),
            id="canaries that do not exist prove nothing",
        ),
        pytest.param(
            {"canary": NAMED},
            fleet(outdated(3, power="deallocated"), outdated(7, protected=True)),
            says("CanaryMissing", "rollout.canary", "3", "7"),
            id="canaries that cannot be upgraded prove nothing",
        ),
    ],
)
def test_the_line_of_a_wait(rollout: dict[str, Any], instances: Any, line: str) -> None:
    decision = decided(spec(**rollout), observed(instances=instances))
    assert (decision.line, decision.step) == (line, None)


def test_a_soak_says_when_it_is_over() -> None:
    decision = decided(spec(soak=5 * MINUTE), observed(instances=fleet(back(0, 4))))
    assert decision.until == NOW + MINUTE


def test_without_a_soak_nothing_waits() -> None:
    instances = fleet(back(0, 0), back(5, 0))
    assert decided(spec(by=By.AUTO), observed(instances=instances)).step == Upgrade(("1", "6"), NEW)


NAMED_SLOW = Canary(("3",), 30 * MINUTE)


@pytest.mark.parametrize(
    ("canary", "instances"),
    [
        pytest.param(
            NAMED_SLOW,
            fleet(back(3, 1), instance(9, since=NOW - 4 * MINUTE, created=NOW - 6 * MINUTE)),
            id="one that the autoscaler made",
        ),
        pytest.param(NAMED_SLOW, fleet(back(3, 1), back(0, 50)), id="one that was remediated before"),
        pytest.param(SLOW, fleet(back(3, 1), back(0, 2)), id="two that were remediated a moment ago"),
    ],
)
def test_whatever_else_is_on_the_image_the_canary_soaks(canary: Canary, instances: Any) -> None:
    decision = decided(spec(canary=canary), observed(instances=instances))
    assert decision.line == says("Soaking")


@pytest.mark.parametrize(
    ("instances", "step"),
    [
        pytest.param(fleet(), Upgrade(("0", "5"), NEW), id="none of those that serve"),
        pytest.param(
            fleet(*(outdated(n, health="unhealthy") for n in (3, 8))),
            Upgrade(("3", "8"), NEW, frozenset({"3", "8"})),
            id="those that are unhealthy",
        ),
        pytest.param(
            fleet(outdated(3, provisioning="failed")),
            Upgrade(("3",), NEW),
            id="one that Azure calls failed, though it serves: it is our loss, and waited for",
        ),
        pytest.param(
            fleet(outdated(0, provisioning="updating", health="", since=NOW - timedelta(hours=1))),
            Upgrade(("0",), NEW),
            id="Azure was changing one for too long: it may serve by now",
        ),
    ],
)
def test_a_batch_names_those_that_did_not_serve_when_it_started(instances: Any, step: Upgrade) -> None:
    found = decided(spec(), observed(instances=instances)).step
    assert isinstance(found, Upgrade)
    assert (found, found.not_serving) == (step, step.not_serving)


@pytest.mark.parametrize(
    ("soak", "watch"),
    [
        pytest.param(5 * MINUTE, None, id="in five minutes there are looks enough"),
        pytest.param(4 * MINUTE, timedelta(seconds=48), id="a shorter one is looked at five times"),
        pytest.param(2 * MINUTE, timedelta(seconds=25), id="never more often than every 25 seconds"),
    ],
)
def test_how_often_a_soak_is_looked_at(soak: timedelta, watch: timedelta | None) -> None:
    decision = decided(spec(soak=soak), observed(instances=fleet(back(0, 1))))
    assert (decision.reason, decision.watch) == ("Soaking", watch)


def test_a_batch_names_those_that_lack_no_more_than_another_change_of_the_model() -> None:
    instances = fleet(instance(0, latest_model=False), outdated(5))
    step = decided(spec(converge=Converge.MODEL), observed(instances=instances)).step
    assert isinstance(step, Upgrade)
    assert (step.instance_ids, step.behind) == (("0", "5"), frozenset({"0"}))


def test_a_batch_knows_its_domain_and_its_instances_by_the_names_of_its_line() -> None:
    step = decided(spec(), observed()).step
    assert isinstance(step, Upgrade)
    assert (step.domain, step.names) == ("update domain 0", ("web_0", "web_5"))
