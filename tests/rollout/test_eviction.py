"""What Azure takes back soon after its upgrade: what goes next, and when."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.observed import Instance, Observed
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, PatchModel, Upgrade
from reconciler.spec.amount import Count, Percent
from reconciler.spec.scale_set import By, ScaleSet
from tests.build import NEW, NOW, OLD, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says

MINUTE = timedelta(minutes=1)
SPEC: dict[str, Any] = {"by": By.BATCH, "max_batch": Count(4)}


def evicted(number: int, **changes: Any) -> Instance:
    """One that was upgraded, and is deallocated."""
    return instance(number, **({"power": "deallocated", "health": "", "since": NOW - 5 * MINUTE} | changes))


def after(
    *special: Instance, batch: str = "0123", ago: timedelta = 8 * MINUTE, before: int = 0, **changes: Any
) -> Observed:
    """A Spot set of ten, so long after the upgrade of these; so many were evicted before."""
    step = Upgrade(tuple(batch), NEW, evicted=before)
    values: dict[str, Any] = {
        "model": model(is_spot=True),
        "attempt": Attempt(step, NOW - ago),
        "instances": fleet(*special),
    }
    return observed(**(values | changes))


def goes(desired: ScaleSet, seen: Observed) -> tuple[str, int, int]:
    """Which instances go, how many have been evicted, and how many minutes are left where none goes yet."""
    decision = decided(desired, seen)
    if decision.reason is Reason.EVICTED_AFTER_UPGRADE:
        assert decision.until
        return "", 0, (decision.until - NOW) // MINUTE
    assert isinstance(decision.step, Upgrade), decision.line
    return "".join(decision.step.instance_ids), decision.step.evicted, 0


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(after(*map(instance, range(4))), ("4567", 0, 0), id="all of the batch are back"),
        pytest.param(
            after(evicted(0), *map(instance, (1, 2, 3))), ("4567", 1, 0), id="one of four is evicted"
        ),
        pytest.param(
            after(evicted(0), evicted(1), *map(instance, (2, 3))), ("4567", 2, 0), id="two are borne"
        ),
        pytest.param(
            after(evicted(0), evicted(1), evicted(2), instance(3)),
            ("4", 3, 0),
            id="after three one goes alone, though one is back",
        ),
        pytest.param(
            after(evicted(0), evicted(1), evicted(2), instance(3), ago=MINUTE),
            ("", 0, 1),
            id="two minutes after the batch",
        ),
        pytest.param(
            after(*map(evicted, range(4)), ago=MINUTE),
            ("", 0, 3),
            id="four minutes after it, where all four are",
        ),
        pytest.param(
            after(instance(0), batch="0", before=3, ago=3 * MINUTE),
            ("1", 3, 0),
            id="the next instances follow one by one",
        ),
        pytest.param(
            after(instance(0), batch="0", before=5, ago=7 * MINUTE),
            ("", 0, 1),
            id="eight minutes apart after five evictions",
        ),
        pytest.param(
            after(instance(0), batch="0", before=40, ago=29 * MINUTE),
            ("", 0, 1),
            id="half an hour apart at most",
        ),
        pytest.param(
            after(*map(instance, range(4)), before=2),
            ("4567", 2, 0),
            id="what was borne is remembered, and borne",
        ),
        pytest.param(
            after(evicted(0), batch="0"),
            ("1", 1, 0),
            id="nothing of a batch of one is left: one goes as a probe",
        ),
        pytest.param(
            after(evicted(0), evicted(1), batch="01"), ("2", 2, 0), id="nothing of a batch of two is left"
        ),
        pytest.param(
            after(evicted(0), instance(9, created=NOW - MINUTE, since=NOW - MINUTE), batch="0"),
            ("1234", 1, 0),
            id="one that was made on the image since is back",
        ),
        pytest.param(
            after(evicted(0), instance(9, created=NOW - 9 * MINUTE, since=NOW - 9 * MINUTE), batch="0"),
            ("1", 1, 0),
            id="one that was made before the batch says nothing of it",
        ),
        pytest.param(
            after(evicted(0), instance(1), instance(2), instance(3), ago=30 * MINUTE),
            ("4567", 0, 0),
            id="an eviction long after the upgrade is none of it",
        ),
        pytest.param(
            after(evicted(0, since=NOW - 20 * MINUTE), *map(instance, (1, 2, 3)), ago=30 * MINUTE),
            ("4567", 1, 0),
            id="an eviction at the last moment of health.timeout counts",
        ),
        pytest.param(
            after(evicted(0), evicted(1), *map(instance, (2, 3)), ago=MINUTE / 2),
            ("4567", 2, 0),
            id="after as many evictions as are borne nothing waits",
        ),
        pytest.param(
            after(evicted(0), evicted(1), evicted(2), instance(3), ago=2 * MINUTE),
            ("4", 3, 0),
            id="the wait is over to the minute",
        ),
        pytest.param(
            after(evicted(0), instance(9, created=NOW - 8 * MINUTE, since=NOW - 8 * MINUTE), batch="0"),
            ("1234", 1, 0),
            id="one that was made at the moment of the batch is back",
        ),
    ],
)
def test_what_goes_next(seen: Observed, expected: tuple[str, int, int]) -> None:
    assert goes(spec(**SPEC), seen) == expected


def test_an_instance_that_no_longer_exists_was_evicted() -> None:
    """With the policy Delete, and a capacity that went down with it."""
    left = fleet(instance(3))[3:]
    seen = after(model=model(is_spot=True, capacity=7), instances=left)
    assert goes(spec(**SPEC), seen) == ("4", 3, 0)
    assert decided(spec(**SPEC), seen).line == says("Upgrading", "web_4", "Azure evicted 3")


def test_more_evictions_are_tolerated_if_more_instances_may_fail() -> None:
    seen = after(evicted(0), evicted(1), evicted(2), instance(3))
    assert goes(spec(**SPEC, max_unhealthy_upgraded=Percent(75)), seen) == ("4567", 3, 0)


def test_a_share_of_evictions_is_borne_of_the_upgraded_alone() -> None:
    """Of four upgraded a half is two, of the six others it would be three."""
    seen = after(evicted(0), evicted(1), evicted(2), instance(3))
    assert goes(spec(**SPEC, max_unhealthy_upgraded=Percent(50)), seen) == ("4", 3, 0)


def test_instances_that_are_not_spot_are_never_counted_as_evicted() -> None:
    seen = after(*map(evicted, range(4)), model=model())
    assert goes(spec(**SPEC), seen) == ("4", 0, 0)
    line = says("Upgrading", "web_4", "the instances of the last batch no longer exist")
    assert decided(spec(**SPEC), seen).line == line


@pytest.mark.parametrize(
    ("special", "expected"),
    [
        pytest.param((evicted(0), instance(1)), "2345", id="one is back"),
        pytest.param((evicted(0), evicted(1)), "2", id="none is"),
        pytest.param((), "0123", id="nothing was upgraded"),
        pytest.param(
            (outdated(9, power="deallocated", health=""),),
            "0123",
            id="one that was not upgraded is deallocated",
        ),
    ],
)
def test_a_new_process_goes_by_what_stands_there(special: Any, expected: str) -> None:
    seen = replace(after(*special), progress=observed().progress)
    assert goes(spec(**SPEC), seen)[0] == expected


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(PatchModel(NEW, '"1"'), id="the model was set"),
        pytest.param(Upgrade(("0", "1", "2"), OLD, evicted=7), id="it was the batch of another image"),
    ],
)
def test_what_was_before_the_rollout_counts_for_nothing(step: Any) -> None:
    seen = after(instance(3), attempt=Attempt(step, NOW - MINUTE))
    assert goes(spec(**SPEC), seen) == ("0124", 0, 0)


def test_the_line_of_the_backoff() -> None:
    seen = after(*map(evicted, range(4)), ago=MINUTE)
    assert decided(spec(**SPEC), seen).line == says("EvictedAfterUpgrade", "09:03:00", "4 of 10")


def test_while_it_waits_the_instances_are_counted() -> None:
    decision = decided(spec(**SPEC), after(*map(evicted, range(4)), ago=MINUTE))
    assert (decision.step, decision.until) == (None, NOW + 3 * MINUTE)
    assert decision.counts is not None
    assert (decision.counts.up_to_date, decision.counts.total) == (4, 10)
