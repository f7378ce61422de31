"""What batches take: measured between the request and the observation that finds all of them healthy."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.forecast.batch_duration import ASSUMED, BatchDuration, MeasuredBatch, measure, usual_duration
from reconciler.rollout.observed import HealthSource, Observed
from reconciler.rollout.step import Attempt, PatchModel, Upgrade
from tests.build import NEW, NOW, OLD, fleet, instance, model, observed, outdated

SECOND = timedelta(seconds=1)
ASKED = Attempt(Upgrade(("0", "5"), NEW), NOW - 100 * SECOND)


def look(*instances: Any, **changes: Any) -> Observed:
    """One at which 0 and 5 are back for 20 and 25 seconds, unless the case says otherwise."""
    back = instances or (instance(0, since=NOW - 20 * SECOND), instance(5, since=NOW - 25 * SECOND))
    return observed(**{"attempt": ASKED, "instances": fleet(*back)} | changes)


LAP = MeasuredBatch(ASKED.at, BatchDuration(80 * SECOND, 20 * SECOND))


@pytest.mark.parametrize(
    ("before", "seen", "after"),
    [
        pytest.param((), look(), (LAP,), id="all of a batch are back"),
        pytest.param((LAP,), look(), (LAP,), id="a batch counts once"),
        pytest.param((LAP,), look(at=NOW + 60 * SECOND), (LAP,), id="however often it is read"),
        pytest.param(
            (), look(instance(0), instance(5, health="initializing")), (), id="one of them is not healthy yet"
        ),
        pytest.param((), look(instance(0), outdated(5)), (), id="one of them shows nothing yet"),
        pytest.param((), look(instance(0, image=None), instance(5)), (), id="one of them shows no image"),
        pytest.param(
            (), look(instance(0), instance(5)), (MeasuredBatch(ASKED.at, BatchDuration(40 * SECOND, 60 * SECOND)),), id="by the last"
        ),
        pytest.param(
            (),
            look(*(instance(each, since=NOW - 3600 * SECOND) for each in (0, 5))),
            (),
            id="they have been so since before it was asked",
        ),
        pytest.param((), look(instances=fleet(of=5)), (), id="they are gone"),
        pytest.param((), look(instances=None), (), id="nobody read them"),
        pytest.param((), look(attempt=None), (), id="nothing was asked"),
        pytest.param((), look(attempt=replace(ASKED, step=PatchModel(NEW, '"1"'))), (), id="a model was set"),
        pytest.param((), look(attempt=replace(ASKED, step=Upgrade(("0", "5"), OLD))), (), id="to another image"),
        pytest.param((), look(model=None), (), id="no model was seen"),
        pytest.param(
            (),
            look(*(instance(each, health="", since=NOW - 30 * SECOND) for each in (0, 5)), model=model(health_source=HealthSource.PROBE)),
            (),
            id="a probe may not have found out yet",
        ),
        pytest.param(
            tuple(replace(LAP, requested_at=NOW - number * 3600 * SECOND) for number in range(9, 4, -1)),
            look(),
            (*(replace(LAP, requested_at=NOW - number * 3600 * SECOND) for number in range(8, 4, -1)), LAP),
            id="of many the last five are kept",
        ),
    ],
)  # fmt: skip
def test_a_lap(before: tuple[MeasuredBatch, ...], seen: Observed, after: tuple[MeasuredBatch, ...]) -> None:
    assert measure(before, seen) == after


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        pytest.param([], ASSUMED, id="nothing is known, so something is assumed"),
        pytest.param([(80, 20)], (80, 20), id="one"),
        pytest.param([(80, 20), (600, 300), (90, 10)], (90, 20), id="one that was slow does not count"),
        pytest.param([(80, 20), (90, 10)], (80, 10), id="two"),
    ],
)
def test_what_a_batch_usually_takes(measured: list[tuple[int, int]], expected: Any) -> None:
    wanted = (
        expected
        if isinstance(expected, BatchDuration)
        else BatchDuration(*(each * SECOND for each in expected))
    )
    assert (
        usual_duration(
            [
                MeasuredBatch(NOW, BatchDuration(upgrade * SECOND, health * SECOND))
                for upgrade, health in measured
            ],
            timedelta(minutes=10),
        )
        == wanted
    )


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        pytest.param(180, ASSUMED, id="three minutes are time enough for what is assumed"),
        pytest.param(60, BatchDuration(50 * SECOND, 10 * SECOND, is_assumed=True), id="one minute is not"),
    ],
)
def test_no_batch_is_assumed_to_take_longer_than_it_may(most: int, expected: BatchDuration) -> None:
    assert usual_duration((), most * SECOND) == expected
