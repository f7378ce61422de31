"""The one change of a model: what it carries, and where there is no room for it."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.rollout.decision import Decision
from reconciler.rollout.patch import is_claimed, patch
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.rollout.step import PatchModel
from reconciler.rollout.tags import STATE, persisted_state, with_state
from reconciler.spec.duration import parse_duration
from reconciler.spec.image import VhdImage
from reconciler.spec.scale_set import OnFailure
from tests.build import FIX, FLEET, NEW, NOW, OLD, decided, fleet, model, observed, outdated, spec
from tests.messages import says

FULL = {f"owner-{number}": "x" for number in range(50)}
FORGETS = (
    "the rollout's start",
    "a failure",
)
WELL = fleet(*(outdated(number, latest_model=True) for number in range(10)))
NO_ROOM = says("TooManyTags", "50", "rollout.onFailure", "1")


def drifted(tags: dict[str, str], **said: Any) -> Decision:
    return decided(spec(**said), observed(model=model(image=OLD, tags=tags), instances=WELL))


@pytest.mark.parametrize("on_failure", [OnFailure.REPIN, OnFailure.ROLLBACK])
def test_without_room_a_rollout_that_could_not_be_undone_does_not_begin(on_failure: OnFailure) -> None:
    found = drifted(FULL, on_failure=on_failure)
    assert (found.line, found.step) == (NO_ROOM, None)


@pytest.mark.parametrize(
    ("said", "unsaid"),
    [
        pytest.param({}, FORGETS, id="hold alone"),
        pytest.param({"deadline": parse_duration("6h")}, FORGETS, id="hold and a deadline"),
    ],
)
def test_without_room_a_rollout_with_hold_begins_anyway(
    said: dict[str, Any], unsaid: tuple[str, ...]
) -> None:
    found = drifted(FULL, **said)
    assert found.line == says("ModelDrift", OLD.version, NEW.version, *unsaid)
    assert found.step == PatchModel(NEW, '"7"')
    assert isinstance(found.step, PatchModel)
    assert (found.step.persisted, found.step.tags) == (None, None)


def tags_of(number: int, **more: str) -> dict[str, str]:
    return {f"owner-{each}": "x" for each in range(number)} | more


OURS = replace(FLEET, name="shop")
NAMELESS = ("the fleet's name",)
OF_NEW = Fingerprint.of(NEW).digest
BEGAN = f"began=2026-01-05T09:00:00+00:00,{OF_NEW},{NEW.version}"
GOOD = f"good={OLD}"
LONG = VhdImage(f"https://a.blob.core.windows.net/vhds/{'x' * 70}.vhd")


@pytest.mark.parametrize(
    ("tags", "said", "fleet_name", "state", "unsaid"),
    [
        pytest.param(
            {}, {}, "shop", f"v1;fleet=shop;{BEGAN};{GOOD}", (), id="hold writes it beside the state"
        ),
        pytest.param({}, {}, "", f"v1;{BEGAN};{GOOD}", (), id="a fleet without a name claims nothing"),
        pytest.param(
            {STATE: f"v1;pilot=yes;{GOOD}"},
            {},
            "shop",
            f"v1;fleet=shop;{BEGAN};pilot=yes;{GOOD}",
            (),
            id="hold keeps what else is there",
        ),
        pytest.param(
            {},
            {"on_failure": OnFailure.ROLLBACK},
            "shop",
            f"v1;fleet=shop;{BEGAN};{GOOD}",
            (),
            id="rollback writes it beside the state",
        ),
        pytest.param(
            {STATE: "v1;fleet=shop"},
            {"on_failure": OnFailure.REPIN},
            "shop",
            f"v1;fleet=shop;{BEGAN};{GOOD}",
            (),
            id="a new state keeps the name",
        ),
        pytest.param(
            tags_of(49), {}, "shop", f"v1;fleet=shop;{BEGAN};{GOOD}", (), id="the fiftieth tag takes both"
        ),
        pytest.param(
            tags_of(50), {}, "shop", None, (*FORGETS, *NAMELESS), id="without room hold begins and says so"
        ),
        pytest.param(tags_of(50), {}, "", None, FORGETS, id="without room and without a name"),
        pytest.param(
            tags_of(49),
            {"on_failure": OnFailure.ROLLBACK},
            "s" * 63,
            f"v1;fleet={'s' * 63};{BEGAN};{GOOD}",
            (),
            id="the longest name and a state fill one tag",
        ),
    ],
)
def test_the_name_of_the_fleet_goes_with_the_image(
    tags: dict[str, str], said: dict[str, Any], fleet_name: str, state: str | None, unsaid: tuple[str, ...]
) -> None:
    of_all = replace(FLEET, name=fleet_name)
    before = model(image=OLD, tags=tags, persisted=persisted_state(tags))
    found = decided(spec(fleet=of_all, **said), observed(model=before, instances=WELL))
    assert isinstance(found.step, PatchModel)
    assert found.line == says("ModelDrift", OLD.version, NEW.version, *unsaid)
    assert (found.step.tags or {}).get(STATE) == state


def test_the_name_gives_way_to_the_state() -> None:
    """The state fills one tag, with the name it would fill two, and there is room for one."""
    name = "s" * 63
    persisted = PersistedState(LONG, Fingerprint.of(NEW), Mark.of(NOW, NEW))
    tags = with_state({}, persisted)
    assert (len(tags), len(with_state({}, replace(persisted, fleet=name)))) == (1, 2)
    step = patch(NEW, model(image=OLD, tags=tags_of(49)), persisted, name)
    assert isinstance(step, PatchModel)
    assert (step.persisted, step.tags) == (persisted, tags_of(49) | tags)
    assert not is_claimed(step, model(image=OLD), name)


def test_a_name_makes_no_address_too_long() -> None:
    address = VhdImage(f"https://a.blob.core.windows.net/vhds/{'x' * 975}.vhd")
    step = patch(NEW, model(image=OLD), PersistedState(last_good=address), "shop")
    assert isinstance(step, PatchModel)
    assert step.persisted == PersistedState(last_good=address)


def test_a_rollback_keeps_the_name_of_the_fleet() -> None:
    persisted = PersistedState(OLD, Fingerprint.of(NEW), fleet="shop")
    seen = observed(model=model(image=FIX, persisted=persisted), instances=WELL)
    found = decided(spec(fleet=OURS, on_failure=OnFailure.REPIN), seen)
    assert found.reason == "GivingUp"
    assert isinstance(found.step, PatchModel)
    assert found.step.persisted == persisted


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
    step = patch(NEW, model(image=OLD), persisted, "")
    assert isinstance(step, PatchModel)
    assert step.tags is not None
    kept = persisted if is_kept else PersistedState()
    assert (step.persisted, persisted_state(step.tags)) == (kept, kept)


def test_the_name_that_was_there_makes_way_too() -> None:
    name = "s" * 63
    persisted = PersistedState(LONG, Fingerprint.of(NEW), Mark.of(NOW, NEW))
    named = replace(persisted, fleet=name)
    step = patch(NEW, model(image=OLD, persisted=named, tags=tags_of(49)), named, name)
    assert isinstance(step, PatchModel)
    assert (step.image, step.persisted) == (NEW, persisted)


@pytest.mark.parametrize(
    ("before", "tags", "persisted"),
    [
        pytest.param(
            PersistedState(OLD),
            {},
            PersistedState(OLD, fleet="shop"),
            id="nobody has claimed it: it is claimed",
        ),
        pytest.param(PersistedState(OLD, fleet="shop"), {}, None, id="it is claimed already"),
        pytest.param(PersistedState(OLD), tags_of(50), None, id="there is no room for a name"),
    ],
)
def test_a_change_with_nothing_to_remember_claims_the_scale_set_where_it_can(
    before: PersistedState, tags: dict[str, str], persisted: PersistedState | None
) -> None:
    step = patch(NEW, model(image=OLD, persisted=before, tags=tags), None, "shop")
    assert isinstance(step, PatchModel)
    assert (step.image, step.etag, step.persisted) == (NEW, '"4"', persisted)
    assert step.tags == (with_state(tags, persisted) if persisted else None)
