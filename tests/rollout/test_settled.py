"""Nothing is left to do: what is said of a scale set of any size."""

from datetime import timedelta

import pytest

from reconciler.rollout.contest import Contest
from reconciler.rollout.observed import Instance
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.progress import Progress
from reconciler.spec.scale_set import Converge
from tests.build import FIX, NEW, NOW, decided, fleet, instance, model, observed, outdated, spec
from tests.messages import says


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(0, id="no instance"),
        pytest.param(1, id="one"),
        pytest.param(2, id="two"),
        pytest.param(3, id="three"),
    ],
)
def test_all_that_run_the_image_are_counted_in_words(number: int) -> None:
    instances = tuple(instance(each) for each in range(number))
    decision = decided(spec(), observed(model=model(capacity=number), instances=instances))
    assert (decision.line, decision.step) == (says("UpToDate", "24.04.202601140"), None)


PETS = tuple(outdated(number, name=f"pet_{number}", is_attached=True) for number in (8, 9))
LACKING = tuple(instance(number, latest_model=False) for number in (0, 5))
SINCE_FAILURE = PersistedState(last_good=NEW, failed=Fingerprint.of(FIX))


@pytest.mark.parametrize(
    ("persisted", "instances", "line"),
    [
        pytest.param(
            PersistedState(),
            (*fleet(rest="upgraded", of=9), PETS[1]),
            says("UpToDate", "pet_9"),
            id="an instance was attached by hand",
        ),
        pytest.param(
            PersistedState(),
            (*fleet(rest="upgraded", of=8), *PETS),
            says("UpToDate", "pet_8 and pet_9"),
            id="two instances were attached by hand",
        ),
        pytest.param(
            PersistedState(),
            fleet(LACKING[0], rest="upgraded"),
            says("UpToDate", "1", "latestModelApplied"),
            id="one lacks another change of the model",
        ),
        pytest.param(
            PersistedState(),
            fleet(*LACKING, rest="upgraded"),
            says("UpToDate", "2", "latestModelApplied"),
            id="two lack another change of the model",
        ),
        pytest.param(
            SINCE_FAILURE,
            fleet(LACKING[0], rest="upgraded"),
            says("UpToDate", "1", FIX.version),
            id="one lacks the model that went to a failed image and back",
        ),
        pytest.param(
            SINCE_FAILURE,
            fleet(*LACKING, rest="upgraded"),
            says("UpToDate", "2", FIX.version),
            id="two lack the model that went to a failed image and back",
        ),
    ],
)
def test_what_an_upgrade_by_image_leaves_is_said(
    persisted: PersistedState, instances: tuple[Instance, ...], line: str
) -> None:
    assert decided(spec(), observed(model=model(persisted=persisted), instances=instances)).line == line


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(0, id="none"),
        pytest.param(1, id="one"),
        pytest.param(2, id="two"),
    ],
)
def test_all_that_run_the_image_are_counted_beside_those_left_out(number: int) -> None:
    instances = (*(instance(each) for each in range(number)), outdated(number, protected=True))
    decision = decided(spec(), observed(model=model(capacity=number + 1), instances=instances))
    assert decision.line == says("InstancesLeftOut", f"{number} of {number + 1}", f"web_{number}")


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("contests", "minutes", "facts"),
    [
        pytest.param(
            {"3": Contest(3, NOW - 5 * MINUTE)},
            15,
            ("web_3", "3 times", "08:55:00"),
            id="one instance",
        ),
        pytest.param(
            {"3": Contest(4, NOW - 5 * MINUTE), "7": Contest(3, NOW - 10 * MINUTE)},
            10,
            ("web_3 and web_7", "as many as 4 times", "08:55:00"),
            id="two instances: the first to be tried again tells",
        ),
    ],
)
def test_who_contests_what_and_until_when_is_told(
    contests: dict[str, Contest], minutes: int, facts: tuple[str, ...]
) -> None:
    lacking = (instance(int(id_), latest_model=False) for id_ in contests)
    seen = observed(instances=fleet(*lacking, rest="upgraded"), progress=Progress(contests=contests))
    decision = decided(spec(converge=Converge.MODEL), seen)
    assert (decision.step, decision.until) == (None, NOW + minutes * MINUTE)
    assert decision.line == (says("Contested", *facts, f"{NOW + minutes * MINUTE:%H:%M:%S}"))
    assert decision.counts is not None
    assert decision.counts.total == 10


def test_a_contest_over_another_instance_that_is_over_is_not_told() -> None:
    contests = {"3": Contest(3, NOW - 5 * MINUTE), "7": Contest(5, NOW - 10 * MINUTE)}
    lacking = instance(3, latest_model=False)
    seen = observed(instances=fleet(lacking, rest="upgraded"), progress=Progress(contests=contests))
    decision = decided(spec(converge=Converge.MODEL), seen)
    assert decision.until == NOW + 15 * MINUTE
    assert "web_7" not in decision.message
