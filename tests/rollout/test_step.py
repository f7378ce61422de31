"""Steps: which are the same."""

import pytest

from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.step import PatchModel
from tests.build import NEW, OLD


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
