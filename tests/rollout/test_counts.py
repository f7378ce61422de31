"""Counts by domain."""

import pytest

from reconciler.rollout.counts import DomainCounts, count_instances
from reconciler.rollout.domains import Domain, grouping
from reconciler.rollout.member import members
from reconciler.rollout.observed import Instance
from reconciler.spec.scale_set import By
from tests.build import fleet, instance, model, observed, outdated, spec

GROUPING = grouping(By.AUTO, (), fleet())


def test_a_survey_counts_each_domain_in_rollout_order() -> None:
    instances = fleet(
        *(instance(0), instance(5, health="unhealthy"), outdated(1, power="deallocated")),
        *(instance(2), instance(7)),
    )
    counts = count_instances(members(spec(), model(), observed(), instances), GROUPING)
    assert counts.domains[:3] == (
        DomainCounts(
            Domain("", "", 0, "update domain"),
            total=2,
            up_to_date=2,
            back=1,
            unavailable=1,
            unhealthy=1,
            not_serving=1,
        ),
        DomainCounts(
            Domain("", "", 1, "update domain"),
            total=2,
            up_to_date=0,
            back=0,
            unavailable=1,
            left_out=1,
            deallocated=1,
        ),
        DomainCounts(Domain("", "", 2, "update domain"), total=2, up_to_date=2, back=2, unavailable=0),
    )
    assert (counts.total, counts.up_to_date, counts.back, counts.unavailable) == (10, 4, 3, 2)
    assert (counts.left_out, counts.unhealthy) == (1, 1)
    assert (counts.deallocated, counts.not_serving) == (1, 1)
    assert counts.summary == "4 of 10 instances up to date"


def test_a_healthy_instance_that_is_protected_on_another_image_is_left_out() -> None:
    protected = outdated(0, protected=True)
    (first, *_) = count_instances(members(spec(), model(), observed(), fleet(protected)), GROUPING).domains
    assert (first.total, first.up_to_date, first.left_out) == (2, 0, 1)
    assert (first.unavailable, first.unhealthy) == (0, 0)


@pytest.mark.parametrize(
    ("one", "left_out", "unhealthy"),
    [
        pytest.param(instance(0, health="unhealthy"), 0, 1, id="unhealthy on the image"),
        pytest.param(outdated(0, health="unhealthy"), 0, 1, id="unhealthy, and still to be upgraded"),
        pytest.param(
            outdated(0, health="unhealthy", protected=True), 1, 0, id="unhealthy, and left out by protection"
        ),
        pytest.param(instance(0, power="deallocated"), 0, 0, id="deallocated on the image"),
        pytest.param(outdated(0, power="deallocated"), 1, 0, id="deallocated on another image"),
    ],
)
def test_an_unavailable_instance_counts_as_unhealthy_only_if_it_should_serve(
    one: Instance, left_out: int, unhealthy: int
) -> None:
    (first, *_) = count_instances(members(spec(), model(), observed(), fleet(one)), GROUPING).domains
    assert (first.unavailable, first.left_out, first.unhealthy) == (1, left_out, unhealthy)


def test_domains_come_in_rollout_order_whatever_the_order_of_the_instances() -> None:
    counts = count_instances(members(spec(), model(), observed(), fleet()[::-1]), GROUPING)
    assert [each.domain.number for each in counts.domains] == [0, 1, 2, 3, 4]


def test_a_started_batch_counts_as_unavailable_in_its_domain_only() -> None:
    counts = count_instances(members(spec(), model(), observed(), fleet()), GROUPING)
    taking = counts.with_batch(Domain("", "", 3, "update domain"), 2)
    assert [each.unavailable for each in taking.domains] == [0, 0, 0, 2, 0]
    more = taking.with_batch(Domain("", "", 3, "update domain"), 1)
    assert [each.unavailable for each in more.domains] == [0, 0, 0, 3, 0], (
        "beside those that were away before"
    )
