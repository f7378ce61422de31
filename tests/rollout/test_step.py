"""Steps: which are the same, and what is known of the one that was taken last."""

from datetime import timedelta

import pytest

from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.step import Attempt, PatchModel, Step, TagWrite, Upgrade
from tests.build import FIX, NEW, NOW, OLD


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


def test_an_attempt_of_which_nothing_counts_any_more_is_the_first() -> None:
    url = "https://management.azure.com/operations/1"
    before = Attempt(
        UPGRADE, NOW, url, 3, has_succeeded=True, error="QuotaExceeded", earlier_error="Conflict"
    )
    assert before.without_tries() == Attempt(UPGRADE, NOW, url, has_succeeded=True)


OF_NEW = Fingerprint.of(NEW)


@pytest.mark.parametrize(
    ("before", "failed", "tries"),
    [
        pytest.param(None, OF_NEW, 1, id="nothing was written before"),
        pytest.param(TagWrite(OF_NEW, NOW, 2, "a lock"), OF_NEW, 3, id="the same was, twice"),
        pytest.param(TagWrite(Fingerprint.of(FIX), NOW, 2), OF_NEW, 1, id="the failure of another image was"),
        pytest.param(TagWrite(OF_NEW, NOW, 2), None, 1, id="its failure was, and now its end is"),
        pytest.param(TagWrite(None, NOW), None, 2, id="its end was"),
    ],
)
def test_the_write_of_a_tag_after_one(
    before: TagWrite | None, failed: Fingerprint | None, tries: int
) -> None:
    assert TagWrite.after(before, failed, LATER) == TagWrite(failed, LATER, tries, "")
    assert TagWrite.after(before, failed, LATER, "no") == TagWrite(failed, LATER, tries, "no")
