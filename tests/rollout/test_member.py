"""How a rollout sees an instance: what it waits for, what it may move, and what costs nothing to take down."""

from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.contest import Contest
from reconciler.rollout.member import Member, has_begun, members, obstacle
from reconciler.rollout.observed import HealthSource, Instance
from reconciler.rollout.progress import Progress
from reconciler.rollout.step import Attempt, PatchModel, Upgrade
from reconciler.spec.image import Image
from reconciler.spec.scale_set import Converge, CustomizedInstances
from tests.build import NEW, NOW, OLD, instance, model, observed, outdated, spec

LONG_AGO = NOW - timedelta(minutes=11)  # longer than health.timeout


def qualities(member: Member) -> set[str]:
    """What a member is, in words."""
    every = {
        "outdated": member.is_outdated,
        "awaited": member.is_awaited,
        "movable": member.is_movable,
        "lost": member.is_not_serving,
        "stuck": member.is_stuck,
    }
    return {name for name, holds in every.items() if holds}


@pytest.mark.parametrize(
    ("one", "seen"),
    [
        pytest.param(instance(0), set(), id="it is on the image and back"),
        pytest.param(outdated(0), {"outdated", "movable"}, id="it is on another image"),
        pytest.param(
            instance(0, latest_model=False), set(), id="it lacks only another writer's change of the model"
        ),
        pytest.param(outdated(0, image=None), {"outdated"}, id="Azure does not tell its image"),
        pytest.param(outdated(0, protected=True), {"outdated"}, id="it is protected"),
        pytest.param(outdated(0, power="deallocated"), {"outdated"}, id="it was deallocated"),
        pytest.param(instance(0, health="initializing"), {"awaited"}, id="it was upgraded and is coming"),
        pytest.param(
            instance(0, health="unhealthy"), {"awaited", "lost"}, id="it was upgraded and does not come back"
        ),
        pytest.param(
            instance(0, health="unhealthy", since=LONG_AGO),
            {"awaited", "lost"},
            id="the image made it unhealthy for long: still no other may go",
        ),
        pytest.param(
            outdated(0, health="unhealthy"), {"outdated", "movable", "lost"}, id="it was unhealthy before"
        ),
        pytest.param(
            outdated(0, provisioning="failed", health=""),
            {"outdated", "movable", "lost"},
            id="it failed, and nothing says that it serves",
        ),
        pytest.param(
            outdated(0, power="unknown", health=""),
            {"outdated", "movable"},
            id="nobody knows whether it serves",
        ),
        pytest.param(
            outdated(0, provisioning="failed"),
            {"outdated", "movable"},
            id="its provisioning failed, and it serves",
        ),
        pytest.param(
            instance(0, latest_model=False, provisioning="failed", health="unknown"),
            {"outdated", "movable", "lost"},
            id="it shows the image, and failed on its way to one that has been reverted since",
        ),
        pytest.param(
            outdated(0, provisioning="updating"), {"outdated", "awaited"}, id="Azure is changing it"
        ),
        pytest.param(
            outdated(0, provisioning="updating", since=LONG_AGO),
            {"outdated", "movable", "lost", "stuck"},
            id="Azure has been changing it for too long",
        ),
        pytest.param(
            outdated(0, provisioning="updating", since=LONG_AGO, latest_model=True),
            {"outdated", "movable", "lost", "stuck"},
            id="Azure has been changing it for too long, though it is listed with the latest model",
        ),
        pytest.param(
            outdated(0, provisioning="updating", since=LONG_AGO, protected=True),
            {"outdated", "awaited"},
            id="Azure has been changing it for too long, and it is protected",
        ),
        pytest.param(
            instance(0, provisioning="updating", since=LONG_AGO),
            {"awaited"},
            id="Azure has been changing it for too long, but not to another image",
        ),
        pytest.param(
            instance(0, provisioning="updating", since=LONG_AGO, latest_model=False),
            {"outdated", "movable", "lost", "stuck"},
            id="it shows the image still, and has been taken elsewhere for too long",
        ),
        pytest.param(
            instance(0, health="initializing", since=LONG_AGO, latest_model=False),
            {"awaited"},
            id="it is on the image and at rest, and has been coming for long",
        ),
    ],
)
def test_an_instance_is_seen_as_what_a_rollout_may_do_with_it(one: Instance, seen: set[str]) -> None:
    [member] = members(spec(), model(), observed(), [one])
    assert qualities(member) == seen


@pytest.mark.parametrize(
    ("attempt", "is_stuck"),
    [
        pytest.param(Upgrade(("0",), NEW), False, id="we sent it to the image"),
        pytest.param(Upgrade(("0",), OLD), True, id="we sent it to another image"),
        pytest.param(Upgrade(("1",), NEW), True, id="we sent another instance"),
        pytest.param(PatchModel(NEW, '"3"'), True, id="we sent none"),
    ],
)
def test_what_we_sent_to_the_image_is_not_stuck_but_late(
    attempt: Upgrade | PatchModel, is_stuck: bool
) -> None:
    one = outdated(0, provisioning="updating", since=LONG_AGO)
    [member] = members(spec(), model(), observed(attempt=Attempt(attempt, LONG_AGO)), [one])
    assert member.is_stuck is is_stuck


@pytest.mark.parametrize("latest_model", [True, None])
def test_one_that_is_up_to_date_is_not_upgraded_again_because_azure_takes_long(
    latest_model: bool | None,
) -> None:
    one = instance(0, provisioning="updating", since=LONG_AGO, latest_model=latest_model)
    [member] = members(spec(), model(), observed(), [one])
    assert qualities(member) == {"awaited"}


def test_a_machine_that_a_person_attached_has_begun_no_rollout() -> None:
    assert has_begun(spec(), model(), [instance(0)])
    assert not has_begun(spec(), model(), [instance(0, is_attached=True)])


@pytest.mark.parametrize("image", [OLD, None])
def test_an_instance_has_not_begun_while_the_model_is_not_on_its_image(image: Image | None) -> None:
    assert not has_begun(spec(), model(image=image), [instance(0)])


def test_with_converge_model_whatever_lacks_the_model_is_outdated() -> None:
    [member] = members(spec(converge=Converge.MODEL), model(), observed(), [instance(0, latest_model=False)])
    assert qualities(member) == {"outdated", "movable"}


def test_its_state_is_that_at_the_moment_of_the_look() -> None:
    probed = instance(0, health="", since=NOW - timedelta(seconds=59))
    [member] = members(spec(), model(health_source=HealthSource.PROBE), observed(), [probed])
    assert qualities(member) == {"awaited"}


def test_what_is_being_deleted_is_no_member_and_the_rest_keeps_its_order() -> None:
    found = members(
        spec(), model(), observed(), [instance(2), instance(1, provisioning="deleting"), outdated(0)]
    )
    assert [each.instance.id for each in found] == ["2", "0"]


def test_what_a_person_attached_is_no_member_and_the_rest_keeps_its_order() -> None:
    found = members(spec(), model(), observed(), [instance(2), instance(1, is_attached=True), outdated(0)])
    assert [each.instance.id for each in found] == ["2", "0"]


BEHIND = instance(0, latest_model=False)


@pytest.mark.parametrize(
    ("one", "contest", "rests"),
    [
        pytest.param(BEHIND, None, False, id="nothing has contested it"),
        pytest.param(BEHIND, Contest(2, NOW), False, id="it was brought to the model twice"),
        pytest.param(
            BEHIND, Contest(3, NOW - timedelta(minutes=19)), True, id="the third time was 19 minutes ago"
        ),
        pytest.param(
            BEHIND, Contest(3, NOW - timedelta(minutes=20)), False, id="the third time was 20 minutes ago"
        ),
        pytest.param(outdated(0), Contest(3, NOW), False, id="it runs another image"),
        pytest.param(
            instance(0, latest_model=False, provisioning="failed"),
            Contest(3, NOW),
            False,
            id="it failed on its way to the model",
        ),
    ],
)
def test_what_something_else_changes_again_and_again_rests(
    one: Instance, contest: Contest | None, *, rests: bool
) -> None:
    progress = Progress(contests={"0": contest} if contest else {})
    [member] = members(spec(converge=Converge.MODEL), model(), observed(progress=progress), [one])
    assert (member.is_contested, member.is_movable, member.is_left_out) == (rests, not rests, rests)


@pytest.mark.parametrize(
    ("health", "is_awaited"),
    [pytest.param("healthy", False, id="healthy"), pytest.param("unhealthy", True, id="unhealthy")],
)
@pytest.mark.parametrize(
    ("contests", "changes"),
    [
        pytest.param({"0": Contest(3, NOW)}, {}, id="contested"),
        pytest.param({}, {"protected": True}, id="protected"),
    ],
)
def test_an_instance_left_alone_on_the_image_is_waited_for_if_it_is_unhealthy(
    contests: dict[str, Contest], changes: dict[str, Any], health: str, *, is_awaited: bool
) -> None:
    """It is evidence against the image, whatever else in the model another writer changes."""
    one = instance(0, latest_model=False, health=health, **changes)
    seen = observed(progress=Progress(contests=contests))
    [member] = members(spec(converge=Converge.MODEL), model(), seen, [one])
    assert not member.is_movable
    assert (member.is_awaited, member.is_left_out) == (is_awaited, not is_awaited)


def test_an_unhealthy_instance_that_only_lacks_another_change_is_upgraded_and_not_waited_for() -> None:
    """The other change may be what it needs."""
    one = instance(0, latest_model=False, health="unhealthy")
    [member] = members(spec(converge=Converge.MODEL), model(), observed(), [one])
    assert (member.is_movable, member.is_awaited) == (True, False)


@pytest.mark.parametrize(
    ("one", "customized", "is_left_out"),
    [
        pytest.param(outdated(0, has_own_model=True), CustomizedInstances.SKIP, True, id="skipped"),
        pytest.param(
            outdated(0, has_own_model=True, health="unhealthy"),
            CustomizedInstances.SKIP,
            True,
            id="skipped though it is unhealthy",
        ),
        pytest.param(outdated(0, has_own_model=True), CustomizedInstances.OVERWRITE, False, id="overwritten"),
        pytest.param(outdated(0), CustomizedInstances.SKIP, False, id="nobody changed it"),
        pytest.param(instance(0, has_own_model=True), CustomizedInstances.SKIP, False, id="on the image"),
    ],
)
def test_an_instance_that_was_changed_individually_is_left_out(
    one: Instance, customized: CustomizedInstances, *, is_left_out: bool
) -> None:
    [member] = members(spec(customized_instances=customized), model(), observed(), [one])
    assert member.is_left_out == is_left_out
    assert not is_left_out or obstacle(member) == "changed individually"


def test_what_is_on_the_model_is_contested_by_nobody() -> None:
    progress = Progress(contests={"0": Contest(3, NOW)})
    [member] = members(spec(converge=Converge.MODEL), model(), observed(progress=progress), [instance(0)])
    assert not member.is_contested


@pytest.mark.parametrize(
    ("since", "taken", "is_newborn"),
    [
        pytest.param(1, frozenset(), True, id="it was created on the image"),
        pytest.param(1, frozenset({"1"}), True, id="another one was upgraded"),
        pytest.param(1, frozenset({"0"}), False, id="we upgraded it a minute after its creation"),
        pytest.param(6, frozenset(), False, id="it came back too late to have been created so"),
    ],
)
def test_an_instance_that_we_upgraded_is_no_newborn_however_young_it_is(
    since: int, taken: frozenset[str], is_newborn: bool
) -> None:
    """Otherwise a canary of such an instance would not count, and a second one would go without approval."""
    created = NOW - timedelta(minutes=10)
    one = instance(0, created=created, since=created + timedelta(minutes=since))
    seen = observed(instances=(one,), progress=Progress(taken=taken))
    (member,) = members(spec(), model(), seen, (one,))
    assert member.is_newborn is is_newborn
