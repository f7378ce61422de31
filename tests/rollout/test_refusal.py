"""Who is left alone, and what is said of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.rollout.claim import Claim
from reconciler.rollout.decide import decide
from reconciler.rollout.decision import Decision
from reconciler.rollout.pause import NOT_PAUSED, FleetPause, Pause
from reconciler.rollout.persisted import PersistedState
from reconciler.rollout.reason import Reason
from reconciler.rollout.refusal import (
    active_hold,
    describe_fleet_pause,
    describe_pause,
    is_on_hold,
    refusal,
)
from reconciler.spec.image import GalleryImage, Image, VhdImage
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.suspension import Suspension
from tests.build import FLEET, NEW, NOW, model, observed, spec
from tests.messages import says

GALLERY = GalleryImage("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/G/images/web")
VHD = VhdImage("https://a.blob.core.windows.net/vhds/b.vhd")


@pytest.mark.usefixtures("tokyo")
def test_times_are_in_utc_wherever_the_daemon_runs() -> None:
    decision = active_hold(
        spec(suspend=Suspension("load test", "", NOW + timedelta(hours=1))), NOT_PAUSED, None, NOW
    )
    assert decision is not None
    assert decision.line == says("Suspended", "2026-01-05 10:00 UTC")


def test_of_a_resource_that_is_named_no_more_is_claimed_than_that() -> None:
    refused = refusal(spec(), model(owner="/subscriptions/s/providers/contoso.fleet/pools/p"), None)
    assert refused is not None
    assert refused.line == says("ManagedByAnother", "/subscriptions/s/providers/contoso.fleet/pools/p")


@pytest.mark.parametrize(
    ("ours", "owner", "said"),
    [
        pytest.param("shop", "", None, id="nobody has claimed it"),
        pytest.param("", "", None, id="nobody has claimed it, and these specs name no fleet"),
        pytest.param("shop", "shop", None, id="it is ours"),
        pytest.param("shop", "prod", "shop", id="another fleet has claimed it"),
        pytest.param("", "prod", "", id="a fleet has, and these specs name none"),
    ],
)
def test_a_scale_set_that_another_fleet_has_claimed_is_left_to_it(
    ours: str, owner: str, said: str | None
) -> None:
    desired = spec("front", fleet=replace(FLEET, name=ours))
    refused = refusal(desired, model(persisted=PersistedState(fleet=owner), mode="Manual"), None)
    line = says("OwnedByAnotherFleet", owner, said, "`reconciler adopt --take-over front`")
    assert (refused and refused.line) == (line if said is not None else None)


@pytest.mark.parametrize(
    ("holder", "left", "is_refused"),
    [
        pytest.param("", timedelta(seconds=1), True, id="a daemon waits for the claim"),
        pytest.param("2", timedelta(seconds=1), True, id="another command waits for it too"),
        pytest.param("1", timedelta(seconds=1), False, id="whoever holds it does not wait"),
        pytest.param("", timedelta(), False, id="at its end it holds no longer"),
        pytest.param("", timedelta(hours=-1), False, id="an hour after its end"),
        pytest.param("", timedelta(minutes=71), True, id="an hour longer than a claim lasts"),
        pytest.param("", timedelta(minutes=71, seconds=1), False, id="forged, as it ends later than that"),
    ],
)
def test_a_claim_holds_for_others_until_its_end(holder: str, left: timedelta, is_refused: bool) -> None:
    claimed = model(persisted=PersistedState(claim=Claim("1", "ada", NOW + left)))
    found = decide(spec(), observed(model=claimed, holder=holder))
    assert (isinstance(found, Decision) and found.reason is Reason.CLAIMED) == is_refused, found
    assert not is_refused or getattr(found, "until", None) == NOW + left


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        pytest.param(timedelta(days=1), "Suspended", id="for a day"),
        pytest.param(timedelta(0), "SuspensionExpired", id="until this very moment"),
        pytest.param(timedelta(days=-1), "SuspensionExpired", id="until yesterday"),
    ],
)
def test_a_suspension_is_over_at_its_time_and_ever_after(left: timedelta, reason: str) -> None:
    held = active_hold(spec(suspend=Suspension("load test", "", NOW + left)), NOT_PAUSED, None, NOW)
    assert held is not None
    assert held.reason == reason


def test_without_a_hold_there_is_no_decision() -> None:
    assert active_hold(spec(), NOT_PAUSED, model(), NOW) is None


PAUSE = Pause("checkout is down", "ada", NOW - timedelta(hours=1), NOW + timedelta(hours=1))
SUSPENDED = spec(suspend=Suspension("load test"))
FROZEN = spec(fleet=replace(FLEET, freeze=Suspension("year end")))


@pytest.mark.parametrize(
    ("desired", "pause", "own", "line"),
    [
        pytest.param(
            spec(),
            FleetPause(PAUSE),
            None,
            says(
                "Paused",
                "the fleet",
                "ada",
                "2026-01-05 08:00 UTC",
                "checkout is down",
                "`reconciler resume --all`",
            ),
            id="the fleet is paused",
        ),
        pytest.param(
            spec(),
            NOT_PAUSED,
            PAUSE,
            says("Paused", "ada", "`reconciler resume web`"),
            id="the scale set is paused",
        ),
        pytest.param(
            spec(),
            NOT_PAUSED,
            Pause(),
            says("Paused", "`reconciler resume web`"),
            id="by whom and why is unknown",
        ),
        pytest.param(
            spec(),
            FleetPause(replace(PAUSE, until=NOW)),
            None,
            says("PauseExpired", "2026-01-05 09:00 UTC", "ada", "`reconciler resume --all`"),
            id="its planned end is now",
        ),
        pytest.param(
            spec(),
            NOT_PAUSED,
            Pause(until=NOW),
            says("PauseExpired", "2026-01-05 09:00 UTC", "`reconciler resume web`"),
            id="its planned end is now, and by whom and why is unknown",
        ),
        pytest.param(
            spec(),
            FleetPause(unknown="the pause tag could not be read"),
            None,
            says("PauseUnknown"),
            id="the tag was never read",
        ),
        pytest.param(FROZEN, FleetPause(PAUSE), PAUSE, says("Frozen"), id="a freeze comes before a pause"),
        pytest.param(
            SUSPENDED, FleetPause(PAUSE), None, says("Paused"), id="a pause of the fleet before a suspension"
        ),
        pytest.param(
            SUSPENDED, NOT_PAUSED, PAUSE, says("Suspended"), id="a suspension before a pause of the scale set"
        ),
    ],
)
def test_a_pause_holds_until_a_person_lifts_it(
    desired: ScaleSet, pause: FleetPause, own: Pause | None, line: str
) -> None:
    held = active_hold(desired, pause, model(persisted=PersistedState(pause=own)), NOW)
    assert held is not None
    assert held.line == line


@pytest.mark.parametrize(
    ("pause", "said"),
    [
        pytest.param(NOT_PAUSED, "", id="not at all"),
        pytest.param(FleetPause(PAUSE), describe_pause(PAUSE, "the fleet"), id="by a person"),
        pytest.param(FleetPause(Pause()), describe_pause(Pause(), "the fleet"), id="by nobody known"),
    ],
)
def test_how_the_fleet_is_paused(pause: FleetPause, said: str) -> None:
    assert describe_fleet_pause(pause) == said


def test_why_the_fleet_counts_as_paused() -> None:
    assert "the tag could not be read" in describe_fleet_pause(
        FleetPause(unknown="the tag could not be read")
    )


YESTERDAY = NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("desired", "pause", "own", "is_held"),
    [
        pytest.param(spec(), NOT_PAUSED, None, False, id="no hold"),
        pytest.param(FROZEN, NOT_PAUSED, None, True, id="a freeze"),
        pytest.param(SUSPENDED, NOT_PAUSED, None, True, id="a suspension"),
        pytest.param(spec(), FleetPause(PAUSE), None, True, id="a pause of the fleet"),
        pytest.param(spec(), FleetPause(unknown="it could not be read"), None, True, id="a tag never read"),
        pytest.param(spec(), NOT_PAUSED, PAUSE, True, id="a pause of the scale set"),
        pytest.param(
            spec(suspend=Suspension("load test", until=YESTERDAY)),
            NOT_PAUSED,
            None,
            True,
            id="a suspension that has expired",
        ),
        pytest.param(
            spec(), NOT_PAUSED, replace(PAUSE, until=YESTERDAY), True, id="a pause that has expired"
        ),
    ],
)
def test_a_hold_lasts_beyond_its_planned_end(
    desired: ScaleSet, pause: FleetPause, own: Pause | None, is_held: bool
) -> None:
    assert is_on_hold(desired, pause, model(persisted=PersistedState(pause=own))) is is_held


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        pytest.param(NEW, GALLERY, id="platform to gallery"),
        pytest.param(GALLERY, NEW, id="gallery to platform"),
        pytest.param(VHD, GALLERY, id="vhd to gallery"),
    ],
)
def test_a_change_of_kind_is_refused_either_way(runs: Image, names: Image) -> None:
    refused = refusal(spec(image=names), model(image=runs), None)
    assert refused is not None
    assert refused.reason == "ImageTypeImmutable"


def test_a_state_that_a_later_version_wrote_is_left_to_that_version() -> None:
    refused = refusal(spec(), model(persisted=PersistedState(is_readable=False)), None)
    assert refused is not None
    assert refused.line == says("StateUnreadable", "vmss-reconciler-state")
