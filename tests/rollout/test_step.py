"""Steps: which are the same, and what is known of the one that was taken last."""

from datetime import timedelta

import pytest

from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.step import Attempt, PatchModel, Step, Upgrade
from tests.build import NEW, NOW, OLD


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        pytest.param(PatchModel(NEW, '"5"'), True, id="another etag: the patch itself moves it"),
        pytest.param(PatchModel(NEW, '"4"', PersistedState(last_good=OLD)), True, id="other marks"),
        pytest.param(PatchModel(NEW, '"4"', None, {"team": "shop"}), True, id="other tags"),
        pytest.param(PatchModel(OLD, '"4"'), False, id="another image"),
    ],
)
def test_patches_to_one_image_are_one_step(other: PatchModel, is_same: bool) -> None:
    assert (PatchModel(NEW, '"4"') == other) is is_same


UPGRADE = Upgrade(("0", "5"), NEW)
SET = PatchModel(NEW, '"4"')
LATER = NOW + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("step", "tries"),
    [
        pytest.param(UPGRADE, 4, id="the same step: it is tried once more"),
        pytest.param(Upgrade(("0",), NEW), 1, id="fewer instances are another step"),
        pytest.param(SET, 1, id="a change of the model is another step"),
    ],
)
def test_the_attempt_after_one(step: Step, tries: int) -> None:
    before = Attempt(UPGRADE, NOW, "https://management.azure.com/operations/1", 3)
    url = "https://management.azure.com/operations/2"
    assert before.then(step, LATER, url) == Attempt(step, LATER, url, tries)


def test_an_attempt_names_the_instances_that_it_upgrades_and_a_change_of_the_model_names_none() -> None:
    assert Attempt(UPGRADE, NOW).instance_ids == ("0", "5")
    assert Attempt(SET, NOW).instance_ids == ()
