"""The one change of a model: what it carries, and where there is no room for it."""

from typing import Any

import pytest

from reconciler.rollout.decision import Decision
from reconciler.rollout.patch import patch
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.step import PatchModel
from reconciler.rollout.tags import persisted_state
from reconciler.spec.duration import duration
from reconciler.spec.image import VhdImage
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


@pytest.mark.parametrize(
    ("length", "is_kept"),
    [pytest.param(975, True, id="it fills four tags"), pytest.param(976, False, id="it fills more")],
)
def test_an_address_that_is_too_long_is_forgotten_and_never_cut(length: int, *, is_kept: bool) -> None:
    """Cut off it could be that of another image, which would then be taken for the last good one."""
    address = f"https://a.blob.core.windows.net/vhds/{'x' * length}.vhd"
    persisted = PersistedState(last_good=VhdImage(address))
    step = patch(NEW, model(image=OLD), persisted)
    assert isinstance(step, PatchModel)
    assert step.tags is not None
    kept = persisted if is_kept else PersistedState()
    assert (step.persisted, persisted_state(step.tags)) == (kept, kept)
