"""The rules of a rollout that depend on the specs in force at a write, each in one place.

Freezes and suspensions block every write. Gates block an ordinary write. Writes that pass closed gates have rules of
their own: a rollback of the model (`every_image_is_declared_or_was_good`), a fix and remediation
(`outside_windows_an_image_is_proven_or_tried_once`). A rule does not judge what the record leaves uncertain, so every
violation is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from reconciler.rollout.claim import claim_in, claim_length
from reconciler.rollout.tags import persisted_state
from reconciler.simulator import InstanceSnapshot, ScaleSetSnapshot
from reconciler.spec.image import follows_latest, same
from reconciler.spec.scale_set import Approval, Converge, ScaleSet
from reconciler.spec.window import opening
from tests.declared import ACCEPTED, Story, Write, is_of, is_same, key_of
from tests.exchanges import (
    PATCH,
    changes_only_the_claim,
    description,
    id_list,
    model_image,
    named_instances,
    stands_of,
    with_standing,
)

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
# After this time a daemon has certainly noticed what it observes every minute.
NOTICED = timedelta(minutes=6)
MOMENT = timedelta(seconds=15)  # between two observations during a transition
HASTE = timedelta(minutes=10)  # the longest soak of an urgent image


def every_image_is_declared_or_was_good(story: Story) -> None:
    """A change of the model sets the image that a commit in force declares, a version of it if that follows latest, or
    the last good image: the tags name it, and an instance of this scale set was observed to run it."""
    for write in story.writes:
        if not write.is_patch or _is_declared(write.image, write.desired):
            continue
        assert write.is_to_last_good, f"{_what(write)}: no commit in force declares this image"
        scenes = (write.exchange, *write.before)
        ran = {each.image.casefold() for scene in scenes for each in stands_of(scene).values()}
        ran |= {model_image(scene).casefold() for scene in scenes}
        assert write.image.casefold() in ran, f"{_what(write)}: no instance was observed to run it here"


def no_write_is_made_during_a_freeze_or_suspension(story: Story) -> None:
    """Nothing is written to a suspended scale set, and nothing at all during a freeze."""
    for write in (*story.writes, *story.tag_writes):
        hold = write.desired.fleet.freeze or write.desired.suspend
        assert hold is None, f"{_what(write)}: {hold} was in force"


def a_failure_is_recorded_once_for_the_image_of_the_model(story: Story) -> None:
    """A write of the tags alone records that the image of the model failed, or removes that record. Nothing else of our
    tags changes. This happens once in a rollout, until the model is changed or a person retries an image. It is
    repeated if another writer removed the record, or if Azure refused it or never carried it out."""
    recorded: dict[tuple[object, ...], Write] = {}
    for write in story.tag_writes:
        before, after = write.persisted, persisted_state(write.exchange.body.get("tags") or {})
        if changes_only_the_claim(write.exchange):
            continue
        failed, model = after.failed or before.failed, model_image(write.exchange)
        assert failed, f"{_what(write)}: it records no failure"
        assert is_of(failed, model), f"{_what(write)}: the model is on {model}"
        assert (after.last_good, after.approved, after.fleet, after.others) == (
            before.last_good,
            before.approved,
            before.fleet,
            before.others,
        ), f"{_what(write)}: the tags said {before}"
        if write.exchange.status not in ACCEPTED or write.exchange.fault is not None:
            continue
        key = (write.exchange.client, write.key, len(write.before), after.failed)
        earlier = recorded.setdefault(key, write)
        is_lost = earlier is not write and before.failed != after.failed
        assert earlier is write or is_lost, f"{_what(write)}: it was recorded at {earlier.at:%H:%M:%S}"


def a_claim_keeps_all_others_from_writing(story: Story) -> None:
    """While a process has claimed a scale set, no other one writes to it."""
    holders: dict[str, int] = {}
    for write in sorted((*story.writes, *story.tag_writes), key=lambda each: each.number):
        claim = write.persisted.claim
        if claim and claim.is_live(write.at, claim_length(write.desired.health.timeout)):
            who = holders.get(claim.holder)
            assert who == write.exchange.client, (
                f"{_what(write)}: {claim.by} has claimed it until {claim.until:%H:%M:%S}"
            )
        if written := claim_in((write.exchange.body or {}).get("tags") or {}):
            holders.setdefault(written.holder, write.exchange.client)


def windows_hold(story: Story) -> None:
    """Ordinary writes, and the rollback of serving instances, need an open window unless the image is urgent."""
    for write in story.writes:
        if (write.is_ordinary or write.taken) and not write.is_urgent:
            assert _is_open(write), f"{_what(write)}: no window was open"


def outside_windows_an_image_is_proven_or_tried_once(story: Story) -> None:
    """Outside windows no serving instance is upgraded. Others are upgraded to the last good image or to one that runs
    here, or away from one that failed here. If more than `maxUnhealthy` are unhealthy, one batch of them tries another
    image.
    """
    for write in story.writes:
        if write.is_patch or write.is_to_last_good or write.is_urgent or _is_open(write):
            continue
        stands, failed = stands_of(write.exchange), write.persisted.failed
        if failed and all(
            is_of(failed, stands[id_].image) for id_ in named_instances(write.exchange) & set(stands)
        ):
            continue
        on_it = [each for each in stands.values() if is_same(each.image, write.image)]
        if any(each.status == "serving" for each in on_it):
            continue
        assert write.has_many_unhealthy, (
            f"{_what(write)}: the image is not proven here, and no window was open"
        )
        assert not on_it, f"{_what(write)}: it was tried already, and no window was open"


def approval_holds(story: Story) -> None:
    """An image that a person has to approve is begun nowhere before that, or taken beyond its canary; and to no
    instance outside windows, whatever its health."""
    for write in story.writes:
        if write.is_approved:
            continue
        is_first = write.desired.rollout.approval is Approval.CANARY and _is_canary(write)
        assert is_first, f"{_what(write)}: nobody has approved this image"
        may_go = write.is_patch or write.is_urgent or _is_open(write)
        assert may_go, f"{_what(write)}: nobody has approved this image, and no window was open"


def a_canary_goes_first(story: Story) -> None:
    """Until the instances of the canary are healthy on the image, no others are upgraded."""
    for write in story.writes:
        if write.taken and write.is_ordinary and write.desired.rollout.canary:
            assert _is_canary(write) or _canary_is_back(write), (
                f"{_what(write)}: {id_list(write.taken)} are beyond the canary, which is not healthy yet"
            )


def every_batch_soaks(story: Story) -> None:
    """Before a serving instance is upgraded, those upgraded before have been healthy for `soak`, and the first of them for
    the soak of the canary. For an urgent image ten minutes are enough."""
    for write in story.writes:
        if not write.taken:
            continue
        rollout, stands = write.desired.rollout, stands_of(write.exchange)
        longest = HASTE if write.is_urgent else timedelta.max
        serving = {
            id_
            for id_ in with_standing(write.exchange, "serving")
            if is_same(stands[id_].image, write.image)
            # Of Flexible scale sets, whose instances have no number, Azure does not tell which are behind.
            and not (stands[id_].is_behind and id_.isdigit() and rollout.converge is Converge.MODEL)
        }
        # Instances that were on the image all along have been healthy for longer than any of these.
        back = {
            id_: story.back_since(write.key, id_, write.at) or write.at - timedelta(days=365)
            for id_ in serving
        }
        soak = min(rollout.soak, longest)
        young = {id_ for id_ in write.upgraded if id_ in back and write.at - back[id_] < soak - SECOND}
        assert not young, f"{_what(write)}: {id_list(young)} had not been healthy for {soak}"
        if rollout.canary is None or write.is_to_last_good:
            continue
        which, soak = rollout.canary.instances, min(rollout.canary.soak, longest)
        first = (
            [*which]
            if isinstance(which, tuple)
            else sorted(back, key=lambda id_: back[id_])[: which.of(write.total)]
        )
        young = {
            id_
            for id_ in first
            if id_ in back and id_ in write.upgraded and write.at - back[id_] < soak - SECOND
        }
        assert not young, f"{_what(write)}: the canary {id_list(young)} had not been healthy for {soak}"


def max_batch_is_not_exceeded(story: Story) -> None:
    """No upgrade names more instances than `maxBatch` allows."""
    for write in story.writes:
        if write.is_patch:
            continue
        most, number = write.desired.rollout.max_batch.of(write.total), len(named_instances(write.exchange))
        assert number <= most, f"{_what(write)}: {number} of {write.total} at once, at most {most} may be"


def max_unhealthy_is_not_exceeded(story: Story) -> None:
    """No serving instance is upgraded while more than `maxUnhealthy` have been unhealthy for a minute."""
    for write in story.writes:
        if not write.taken:
            continue
        unhealthy = {
            id_
            for id_ in with_standing(write.exchange, "unavailable")
            if (absence := story.away_since(write.key, id_, write.at))
            and absence.cause == "unhealthy"
            and write.at - absence.since > MINUTE
        }
        most = write.desired.rollout.max_unhealthy.of(write.total)
        assert len(unhealthy) <= most, (
            f"{_what(write)}: {id_list(unhealthy)} were unhealthy: at most {most} of {write.total} may be"
        )


def dependencies_and_earlier_waves_are_ready(story: Story) -> None:
    """An ordinary write waits for the scale sets on which it depends, and for those of earlier waves with the same image.
    In one of the last two observations all their instances ran the image and served, except for
    `maxUnhealthyUpgraded` of them, and had been healthy for their `bakeTime`. Protected and deallocated instances do
    not count."""
    for write in story.writes:
        if not write.is_ordinary or not story.tells_of_others(write):
            continue
        for other in () if write.is_urgent else _those_before(write):
            key = key_of(other)
            observations = story.observations(write.exchange.client, key, write.number)[-2:]
            assert observations, f"{_what(write)}: {other.name} goes first, but was not observed"
            found = [why for at, scene in observations if (why := _undone(story, other, scene, at))]
            assert len(found) < len(observations), f"{_what(write)}: {other.name} goes first, but {found[-1]}"


def max_concurrent_rollouts_is_not_exceeded(story: Story) -> None:
    """While as many scale sets as `maxConcurrentRollouts` wait for their upgraded instances, no other one sets its model
    to a new image."""
    for write in story.writes:
        if not _is_a_beginning(story, write) or _is_under_way(write):
            continue
        moving = [
            each.name
            for each in _others(write)
            if _is_awaited(story, each, write) or _has_just_begun(story, each, write)
        ]
        most = write.desired.fleet.max_concurrent.of(len(write.declared))
        assert len(moving) < most, f"{_what(write)}: {', '.join(moving)} are rolling, at most {most} may be"


def a_pilot_goes_first(story: Story) -> None:
    """In each wave, or in all waves together for an urgent image, no more scale sets begin an image at once than have
    proven it, or one if none has. The last good image of any of them was proven before."""
    for write in story.writes:
        if not _is_a_beginning(story, write):
            continue
        peers = [each for each in _others(write) if write.is_urgent or each.wave == write.desired.wave]
        if any(_was_good(story, each, write) for each in peers):
            continue
        wave = [each for each in peers if _is_declared(write.image, each) and not follows_latest(each.image)]
        trying = [each.name for each in wave if _is_tried(story, each, write)]
        proven = [each.name for each in wave if _has_proven(story, each, write)]
        assert not trying or len(trying) < max(1, len(proven)), (
            f"{_what(write)}: {', '.join(trying)} had not proven the image yet, {len(proven)} had"
        )


def a_failed_image_is_begun_in_no_other_scale_set(story: Story) -> None:
    """An image that failed in more scale sets than `maxFailedRollouts` allows is begun nowhere, and is rolled to no serving
    instance."""
    for write in story.writes:
        if (
            write.is_to_last_good
            or not (write.is_patch or write.taken)
            or not (story.is_alone and story.scenes)
        ):
            continue
        declaring = [each for each in write.declared if _is_declared(write.image, each)]
        failed = [
            each.name for each in declaring if each != write.desired and _has_failed(story, each, write)
        ]
        most = write.desired.fleet.max_failed.within(len(declaring))
        assert len(failed) <= most, f"{_what(write)}: it had failed in {', '.join(failed)}: more than {most}"


MOST_REFUSALS = 20  # in an hour: after 15, 30, 60, 120, 240 seconds, and then every five minutes


def refused_writes_back_off(story: Story) -> None:
    """Refused writes are retried less and less often until the spec changes."""
    refused: dict[tuple[object, ...], list[datetime]] = {}
    for write in story.writes:
        each = write.exchange
        if each.status < 400 or each.status == 429:
            continue
        step = (
            each.client,
            write.key,
            write.image,
            tuple(sorted(named_instances(each))),
            write.desired.image,
        )
        times = refused.setdefault((*step, write.desired.rollout), [])
        times.append(each.at)
        lately = [at for at in times if each.at - at < 60 * MINUTE]
        assert len(lately) <= MOST_REFUSALS, f"{_what(write)}: refused {len(lately)} times within the hour"


RULES = (
    every_image_is_declared_or_was_good,
    no_write_is_made_during_a_freeze_or_suspension,
    a_failure_is_recorded_once_for_the_image_of_the_model,
    a_claim_keeps_all_others_from_writing,
    windows_hold,
    outside_windows_an_image_is_proven_or_tried_once,
    approval_holds,
    a_canary_goes_first,
    every_batch_soaks,
    max_batch_is_not_exceeded,
    max_unhealthy_is_not_exceeded,
    dependencies_and_earlier_waves_are_ready,
    max_concurrent_rollouts_is_not_exceeded,
    a_pilot_goes_first,
    a_failed_image_is_begun_in_no_other_scale_set,
    refused_writes_back_off,
)


def _what(write: Write) -> str:
    return f"{write.desired.name}: {description(write.exchange)}"


def _is_declared(image: str, desired: ScaleSet) -> bool:
    """Whether the spec names the image, or follows latest and this is a version of it."""
    name = str(desired.image)
    if not follows_latest(desired.image):
        return is_same(image, name)
    stem = name[: -len("latest")] if name.casefold().endswith("latest") else f"{name}/versions/"
    return image.casefold().startswith(stem.casefold()) and not is_same(image, name)


def _is_open(write: Write) -> bool:
    windows = (*write.desired.fleet.windows, *write.desired.rollout.windows)
    return not windows or any(opening(windows, at).is_open for at in (write.at, write.at - MINUTE))


def _is_canary(write: Write) -> bool:
    """Whether the write stays within the canary, or within the first batch if there is none."""
    canary = write.desired.rollout.canary
    if write.is_patch:
        return True
    back = {id_ for id_ in write.upgraded if id_ in with_standing(write.exchange, "serving")}
    if canary is None:
        return not back
    if isinstance(canary.instances, tuple):
        return write.taken <= set(canary.instances)
    return len(back) + len(write.taken) <= canary.instances.of(write.total)


def _canary_is_back(write: Write) -> bool:
    """Whether the canary is on the image: its number of instances, or the named ones that can be upgraded."""
    canary, stands = write.desired.rollout.canary, stands_of(write.exchange)
    on_it = {id_ for id_, each in stands.items() if is_same(each.image, write.image)}
    if canary is None:
        return True
    if isinstance(canary.instances, tuple):
        return not any(id_ in stands and _may_go(stands[id_]) for id_ in set(canary.instances) - on_it)
    return len(on_it) >= canary.instances.of(write.total)


def _may_go(stand: InstanceSnapshot) -> bool:
    return stand.status == "serving" and not stand.is_protected


def _others(write: Write) -> Iterator[ScaleSet]:
    return (each for each in write.declared if key_of(each) != write.key)


def _those_before(write: Write) -> list[ScaleSet]:
    return [
        each
        for each in _others(write)
        if each.name in write.desired.depends_on
        or (each.wave < write.desired.wave and same(each.image, write.desired.image))
    ]


def _undone(story: Story, desired: ScaleSet, scene: ScaleSetSnapshot, at: datetime) -> str:
    """Why the scale set was not Ready at that observation, or ""."""
    if desired.suspend:
        return "was suspended"
    if not _is_declared(scene.image, desired):
        return f"its model was on {scene.image}"
    stay = {
        id_: each
        for id_, each in scene.instances.items()
        if each.status in ("serving", "unavailable") and not each.is_protected
    }
    behind = {id_ for id_, each in stay.items() if not is_same(each.image, scene.image)}
    if behind:
        return f"{id_list(behind)} of it were outdated"
    away = {id_ for id_, each in stay.items() if each.status == "unavailable"}
    if len(away) > desired.rollout.max_unhealthy_upgraded.within(len(stay)):
        return f"{id_list(away)} of it were not serving"
    key, bake = key_of(desired), desired.rollout.bake_time
    came = [
        each for each in story.absences(key) if each.cause == "manualupgrade" and each.instance_id in stay
    ]
    young = {
        each.instance_id
        for each in came
        if each.until is not None and each.until <= at < each.until + bake - SECOND
    }
    return f"{id_list(young)} of it had not been healthy for {bake}" if young else ""


def _own(story: Story, desired: ScaleSet, write: Write) -> list[Write]:
    """The accepted writes of a scale set by the same daemon before this one."""
    key, client = key_of(desired), write.exchange.client
    return [
        each
        for each in story.steps
        if each.number < write.number
        and each.key == key
        and each.exchange.client == client
        and each.exchange.status in ACCEPTED
    ]


def _is_a_beginning(story: Story, write: Write) -> bool:
    """Whether it begins an ordinary rollout, and only one daemon assigns the slots."""
    return write.is_patch and write.is_ordinary and story.is_alone and story.tells_of_others(write)


def _is_under_way(write: Write) -> bool:
    """Whether its rollout may have a slot already, because instances are not on the model yet."""
    stands = stands_of(write.exchange)
    had = any(each.operation == PATCH for each in write.before)
    return had and any(each.is_behind or each.status == "unavailable" for each in stands.values())


def _was_good(story: Story, desired: ScaleSet, write: Write) -> bool:
    """Whether the tags of another scale set say that the image was good there."""
    scene = _scene(story, desired, write)
    return scene is not None and is_same(write.image, str(persisted_state(scene.tags).last_good or ""))


def _scene(story: Story, desired: ScaleSet, write: Write) -> ScaleSetSnapshot | None:
    return story.scenes.get(write.number, {}).get(key_of(desired))


def _is_awaited(story: Story, desired: ScaleSet, write: Write) -> bool:
    """Whether an instance of the last upgrade of this daemon is unavailable within its timeout."""
    own, scene = _own(story, desired, write), _scene(story, desired, write)
    if not own or not scene or desired.suspend or desired.fleet.freeze or own[-1].is_patch:
        return False
    last = own[-1]
    if is_same(last.image, str(last.persisted.last_good or "")):
        return False
    return any(
        (stand := scene.instances.get(id_)) is not None
        and stand.status == "unavailable"
        and not stand.is_protected
        and write.at - last.at < desired.health.timeout
        for id_ in last.taken
    )


def _has_just_begun(story: Story, desired: ScaleSet, write: Write) -> bool:
    """Whether its model was set a moment ago, and serving instances may follow it."""
    own, scene = _own(story, desired, write), _scene(story, desired, write)
    if not own or not scene or desired.suspend or not own[-1].is_patch or not own[-1].is_ordinary:
        return False
    stay = [each for each in scene.instances.values() if each.status in ("serving", "unavailable")]
    may_go = [each for each in stay if each.is_behind and _may_go(each)]
    is_well = all(each.status == "serving" for each in stay)
    return is_well and bool(may_go) and write.at - own[-1].at < MOMENT and is_same(scene.image, own[-1].image)


def _soak(desired: ScaleSet) -> timedelta:
    canary = desired.rollout.canary
    return max(desired.rollout.soak, canary.soak) if canary else desired.rollout.soak


def _is_tried(story: Story, desired: ScaleSet, write: Write) -> bool:
    """Whether its first batch on this image is unavailable, or soaks.

    Once the image has failed there, it is tried no longer, though automatic repairs make further instances.
    """
    own, scene = _own(story, desired, write), _scene(story, desired, write)
    if not own or not scene or desired.suspend or not is_same(own[-1].image, write.image):
        return False
    failed = persisted_state(scene.tags).failed
    if failed and is_same(failed.name, write.image.rpartition(":")[2]):
        return False
    if _has_just_begun(story, desired, write):
        return True
    first = next((each for each in own if not each.is_patch and is_same(each.image, write.image)), None)
    if (
        first is None
        or first is not own[-1]
        or not first.is_ordinary
        or not is_same(scene.image, write.image)
    ):
        return False
    if all(each.status == "serving" and not each.is_behind for each in scene.instances.values()):
        return False  # it is up to date, so nothing soaks
    if _is_awaited(story, desired, write):
        return True
    back = [story.back_since(key_of(desired), id_, write.at) for id_ in first.taken]
    return bool(back) and all(
        each is not None and first.at <= each and write.at - each < _soak(desired) - MINUTE for each in back
    )


def _has_proven(story: Story, desired: ScaleSet, write: Write) -> bool:
    """Whether an instance of it may have proven the image.

    A second batch shows that the first one did, even if that was evicted since.
    """
    scene, soak = _scene(story, desired, write), _soak(desired)
    if write.is_urgent:
        soak = min(soak, HASTE)
    if scene is None or not is_same(scene.image, write.image):
        return False
    serving = [
        id_
        for id_, each in scene.instances.items()
        if each.status == "serving" and is_same(each.image, write.image)
    ]
    back = [story.back_since(key_of(desired), id_, write.at) for id_ in serving]
    batches = [
        each for each in _own(story, desired, write) if not each.is_patch and is_same(each.image, write.image)
    ]
    if serving and len(batches) > 1:
        return True
    return any(since is None or write.at - since >= soak - SECOND for since in back)


def _has_failed(story: Story, desired: ScaleSet, write: Write) -> bool:
    """Whether there has been evidence against the image for long enough that the daemon has observed it: more upgraded
    instances than allowed have been unavailable for longer than `health.timeout`, and all others serve."""
    scene, key = _scene(story, desired, write), key_of(desired)
    own = [
        each for each in _own(story, desired, write) if not each.is_patch and is_same(each.image, write.image)
    ]
    observations = story.observations(write.exchange.client, key, write.number)
    if scene is None or desired.suspend or not own or not observations:
        return False
    retry = persisted_state(scene.tags).retry  # a person retries it, so only a new failure counts
    if retry and is_same(retry.image.name, write.image.rpartition(":")[2]) and own[-1].at < retry.at:
        return False
    taken = {id_ for each in own for id_ in each.taken}
    on_it = {id_ for id_, each in scene.instances.items() if is_same(each.image, write.image)}
    lost = {
        id_
        for id_ in on_it & taken
        if (absence := story.away_since(key, id_, write.at))
        and absence.cause == "manualupgrade"
        and observations[-1][0] - absence.since > desired.health.timeout + NOTICED
        and not scene.instances[id_].is_protected
    }
    rest = [each for id_, each in scene.instances.items() if id_ not in on_it]
    return len(lost) > desired.rollout.max_unhealthy_upgraded.within(len(on_it)) and all(
        each.status in ("serving", "deallocated") for each in rest
    )
