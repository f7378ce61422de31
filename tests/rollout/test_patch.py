"""The one change of a model: what it carries, and where there is no room for it."""

from typing import Any

import pytest

from reconciler.rollout.decision import Decision
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.step import PatchModel
from reconciler.spec.duration import duration
from reconciler.spec.scale_set import OnFailure
from tests.build import NEW, OLD, decided, fleet, model, observed, outdated, spec

FULL = {f"owner-{number}": "x" for number in range(50)}
WELL = fleet(*(outdated(number, latest_model=True) for number in range(10)))
NO_ROOM = (
    "TooManyTags: the scale set has 50 tags and Azure allows 50: no room for what a restart has to know "
    "(rollout.onFailure); remove 1 of them, or set rollout.onFailure to hold"
)


def drifted(tags: dict[str, str], **said: Any) -> Decision:
    return decided(spec(**said), observed(model=model(image=OLD, tags=tags), instances=WELL))


@pytest.mark.parametrize("on_failure", [OnFailure.REPIN, OnFailure.ROLLBACK])
def test_without_room_a_rollout_that_could_not_be_undone_does_not_begin(on_failure: OnFailure) -> None:
    found = drifted(FULL, on_failure=on_failure)
    assert (found.line, found.step) == (NO_ROOM, None)


@pytest.mark.parametrize(
    ("said", "unsaid"),
    [
        pytest.param({}, "", id="hold needs no tag"),
        pytest.param(
            {"deadline": duration("6h")},
            "; there is no room for a tag, so a restart will not know when this rollout began",
            id="a deadline would like one",
        ),
    ],
)
def test_without_room_a_rollout_that_is_held_where_it_fails_begins_all_the_same(
    said: dict[str, Any], unsaid: str
) -> None:
    found = drifted(FULL, **said)
    assert found.message == f"the model is on {OLD.version}; setting its image to {NEW.version}{unsaid}"
    assert found.step == PatchModel(NEW, '"7"')
    assert isinstance(found.step, PatchModel)
    assert (found.step.persisted, found.step.tags) == (None, None)


def test_a_scale_set_whose_state_a_later_version_wrote_is_left_alone() -> None:
    newer = PersistedState(is_readable=False)
    for image in (OLD, NEW):
        found = decided(spec(), observed(model=model(image=image, persisted=newer)))
        assert (found.reason, found.step) == ("StateUnreadable", None)
