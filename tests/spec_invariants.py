"""The rules of a rollout that go by what was declared when a write was made, each in one place.

Brakes hold for every write. The gates hold for an ordinary one; what passes them is judged by rules of its own:
the model going back (`every_image_is_declared_or_was_good`), a fix and remediation
(`what_passes_a_window_is_proven_or_tried_once`). Each rule leaves alone what the record cannot tell for sure, so that
what it finds is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from reconciler.rollout.tags import persisted_state
from reconciler.simulator import InstanceSnapshot, ScaleSetSnapshot
from reconciler.spec.image import follows_latest, same
from reconciler.spec.scale_set import Approval, Converge, ScaleSet
from reconciler.spec.window import opening
from tests.declared import ACCEPTED, Story, Write, is_of, is_same, key_of
from tests.exchanges import (
    PATCH,
    description,
    id_list,
    model_image,
    named_instances,
    stands_of,
    with_standing,
)

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
# After which a daemon has surely noticed what it looks at every minute.
NOTICED = timedelta(minutes=6)
MOMENT = timedelta(seconds=15)  # from one look to the next while something moves
HASTE = timedelta(minutes=10)  # the longest soak of an urgent image


def every_image_is_declared_or_was_good(story: Story) -> None:
    """A change of the model sets the image that a commit in force declares, a version of it where that follows
    latest, or the last good one: which the tags name, and an instance of this scale set was seen to run."""
    for write in story.writes:
        if not write.is_patch or _is_declared(write.image, write.desired):
            continue
        assert write.is_to_last_good, f"{_what(write)}: no commit in force declares this image"
        scenes = (write.exchange, *write.before)
        ran = {each.image.casefold() for scene in scenes for each in stands_of(scene).values()}
        ran |= {model_image(scene).casefold() for scene in scenes}
        assert write.image.casefold() in ran, f"{_what(write)}: it was never seen to run here"


def no_write_is_made_under_a_brake(story: Story) -> None:
    """Nothing is written of what is suspended, and nothing at all under a freeze."""
    for write in (*story.writes, *story.tag_writes):
        brake = write.desired.fleet.freeze or write.desired.suspend
        assert brake is None, f"{_what(write)}: {brake} was in force"


def tags_alone_tell_of_the_image_that_failed_and_once(story: Story) -> None:
    """What a daemon writes on the tags alone says of the image of the model that it failed, or that it is well; and
    nothing else of ours changes there. It is done once in a rollout: not again before the model is changed or a
    person has an image tried again, but where somebody else took it off the tags, or Azure refused it or never
    carried it out."""
    told: dict[tuple[object, ...], Write] = {}
    for write in story.tag_writes:
        before, after = write.persisted, persisted_state(write.exchange.body.get("tags") or {})
        failed, model = after.failed or before.failed, model_image(write.exchange)
        assert failed, f"{_what(write)}: it tells of no failure"
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
        earlier = told.setdefault(key, write)
        is_not_serving = earlier is not write and before.failed != after.failed
        assert earlier is write or is_not_serving, f"{_what(write)}: it told that at {earlier.at:%H:%M:%S}"


def windows_hold(story: Story) -> None:
    """What is ordinary, and the return of what serves, is for open windows alone, but for what is urgent."""
    for write in story.writes:
        if (write.is_ordinary or write.taken) and not write.is_urgent:
            assert _is_open(write), f"{_what(write)}: no window was open"


def what_passes_a_window_is_proven_or_tried_once(story: Story) -> None:
    """Outside windows no serving instance goes. Others go to the last good image, or one that runs here; from one
    that failed here; or, where more than `maxUnhealthy` are unhealthy, a batch of them tries another image.
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
    """An image that a person has to approve is begun nowhere before that, or taken beyond its canary."""
    for write in story.writes:
        asked, approved = write.desired.rollout.approval, write.persisted.approved
        if asked is None or write.is_to_last_good or is_same(write.image, str(approved or "")):
            continue
        is_begun = not write.is_patch or write.is_ordinary or write.may_be_a_fix
        is_first = asked is Approval.CANARY and is_begun and _is_canary(write)
        assert is_first, f"{_what(write)}: nobody has approved this image"


def a_canary_goes_first(story: Story) -> None:
    """Until as many instances as the canary has are back on the image, no more than those are taken."""
    for write in story.writes:
        if write.taken and write.is_ordinary and write.desired.rollout.canary:
            assert _is_canary(write) or _canary_is_back(write), (
                f"{_what(write)}: {id_list(write.taken)} are beyond the canary, which is not back"
            )


def every_batch_soaks(story: Story) -> None:
    """Before an instance that serves is taken, those upgraded before have been back for `soak`, the first of them
    for the soak of the canary; for ten minutes at most where the image is urgent."""
    for write in story.writes:
        if not write.taken:
            continue
        rollout, stands = write.desired.rollout, stands_of(write.exchange)
        longest = HASTE if write.is_urgent else timedelta.max
        serving = {
            id_
            for id_ in with_standing(write.exchange, "serving")
            if is_same(stands[id_].image, write.image)
            and not (stands[id_].is_behind and rollout.converge is Converge.MODEL)
        }
        # What was on the image all along has been back for longer than any of those.
        back = {
            id_: story.back_since(write.key, id_, write.at) or write.at - timedelta(days=365)
            for id_ in serving
        }
        soak = min(rollout.soak, longest)
        young = {id_ for id_ in write.upgraded if id_ in back and write.at - back[id_] < soak - SECOND}
        assert not young, f"{_what(write)}: {id_list(young)} had not been back for {soak}"
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
        assert not young, f"{_what(write)}: the canary {id_list(young)} had not been back for {soak}"


def no_batch_is_too_large(story: Story) -> None:
    """`maxBatch` holds for every upgrade."""
    for write in story.writes:
        if write.is_patch:
            continue
        most, number = write.desired.rollout.max_batch.of(write.total), len(named_instances(write.exchange))
        assert number <= most, (
            f"{_what(write)}: {number} of {write.total} at once, and no more than {most} may be"
        )


def none_goes_while_many_are_unhealthy(story: Story) -> None:
    """No serving instance is taken while more than `maxUnhealthy` have been unhealthy for a minute."""
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
            f"{_what(write)}: {id_list(unhealthy)} were unhealthy, and of {write.total} no more than {most} may be"
        )


def those_before_are_done(story: Story) -> None:
    """What is ordinary waits for the scale sets that it depends on, and for those of lower waves with the same
    image: as the daemon last saw them, or the time before, all of their instances ran the image and served, but for
    `maxUnhealthyUpgraded` of them, and had been back for their `bakeTime`. Instances that are protected or
    deallocated are left out."""
    for write in story.writes:
        if not write.is_ordinary or not story.tells_of_others(write):
            continue
        for other in () if write.is_urgent else _those_before(write):
            key = key_of(other)
            looks = story.looks(write.exchange.client, key, write.number)[-2:]
            assert looks, f"{_what(write)}: {other.name} goes first, and was not looked at"
            found = [why for at, scene in looks if (why := _undone(story, other, scene, at))]
            assert len(found) < len(looks), f"{_what(write)}: {other.name} goes first, and {found[-1]}"


def no_more_roll_at_once_than_may(story: Story) -> None:
    """While as many scale sets as `maxConcurrentRollouts` wait for the instances that were taken of them, no other
    sets its model to a new image."""
    for write in story.writes:
        if not _is_a_beginning(story, write) or _is_under_way(write):
            continue
        moving = [
            each.name
            for each in _others(write)
            if _is_awaited(story, each, write) or _has_just_begun(story, each, write)
        ]
        most = write.desired.fleet.max_concurrent.of(len(write.declared))
        assert len(moving) < most, (
            f"{_what(write)}: {', '.join(moving)} are under way, and no more than {most} may be"
        )


def a_pilot_goes_first(story: Story) -> None:
    """In each wave, or in all together where it is urgent, no more scale sets begin an image at once than have
    proven it, and one where none has. The last good image of any of them was proven before."""
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
            f"{_what(write)}: {', '.join(trying)} had not proven it, and {len(proven)} had"
        )


def the_breaker_holds(story: Story) -> None:
    """An image that failed in more scale sets than `maxFailedRollouts` bears is begun nowhere, and takes nothing
    that serves."""
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
        assert len(failed) <= most, (
            f"{_what(write)}: it had failed in {', '.join(failed)}, and in no more than {most} may it"
        )


MOST_REFUSALS = 20  # in an hour: after 15, 30, 60, 120, 240 seconds, and then every five minutes


def refused_writes_back_off(story: Story) -> None:
    """What Azure refuses is asked for ever less often, until what is declared changes."""
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
    no_write_is_made_under_a_brake,
    tags_alone_tell_of_the_image_that_failed_and_once,
    windows_hold,
    what_passes_a_window_is_proven_or_tried_once,
    approval_holds,
    a_canary_goes_first,
    every_batch_soaks,
    no_batch_is_too_large,
    none_goes_while_many_are_unhealthy,
    those_before_are_done,
    no_more_roll_at_once_than_may,
    a_pilot_goes_first,
    the_breaker_holds,
    refused_writes_back_off,
)


def _what(write: Write) -> str:
    return f"{write.desired.name}: {description(write.exchange)}"


def _is_declared(image: str, desired: ScaleSet) -> bool:
    """Whether the spec names it, or follows the latest of what it is a version of."""
    name = str(desired.image)
    if not follows_latest(desired.image):
        return is_same(image, name)
    stem = name[: -len("latest")] if name.casefold().endswith("latest") else f"{name}/versions/"
    return image.casefold().startswith(stem.casefold()) and not is_same(image, name)


def _is_open(write: Write) -> bool:
    windows = (*write.desired.fleet.windows, *write.desired.rollout.windows)
    return not windows or any(opening(windows, at).is_open for at in (write.at, write.at - MINUTE))


def _is_canary(write: Write) -> bool:
    """Whether it goes no further than the canary; without one, than the first batch."""
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
    """Whether as many as it has serve on the image, or those it names, as far as they can."""
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
    """Why it was not done at that look, or ""."""
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
        return f"{id_list(behind)} of it were behind"
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
    return f"{id_list(young)} of it had not been back for {bake}" if young else ""


def _own(story: Story, desired: ScaleSet, write: Write) -> list[Write]:
    """The accepted writes of a scale set by the same daemon before this one."""
    key, door = key_of(desired), write.exchange.client
    return [
        each
        for each in story.writes
        if each.number < write.number
        and each.key == key
        and each.exchange.client == door
        and each.exchange.status in ACCEPTED
    ]


def _is_a_beginning(story: Story, write: Write) -> bool:
    """Whether it begins an ordinary rollout, where one daemon alone sees to it whose turn it is."""
    return write.is_patch and write.is_ordinary and story.is_alone and story.tells_of_others(write)


def _is_under_way(write: Write) -> bool:
    """Whether its rollout may have its place already: instances of it have not followed the model yet."""
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
    """Whether an instance that this daemon took last is not back, and is given its time."""
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
    """Whether its model was set a moment ago, for instances that serve and may follow it."""
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
    """Whether its first batch on this image is away, or soaks."""
    own, scene = _own(story, desired, write), _scene(story, desired, write)
    if not own or not scene or desired.suspend or not is_same(own[-1].image, write.image):
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
        return False  # it is done, and so nothing soaks
    if _is_awaited(story, desired, write):
        return True
    back = [story.back_since(key_of(desired), id_, write.at) for id_ in first.taken]
    return bool(back) and all(
        each is not None and first.at <= each and write.at - each < _soak(desired) - MINUTE for each in back
    )


def _has_proven(story: Story, desired: ScaleSet, write: Write) -> bool:
    """Whether an instance of it may have proven the image."""
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
    return any(since is None or write.at - since >= soak - SECOND for since in back)


def _has_failed(story: Story, desired: ScaleSet, write: Write) -> bool:
    """Whether there was evidence against the image for so long that the daemon has seen it: more of those it took
    have been away for longer than `health.timeout` than may be, and all others serve."""
    scene, key = _scene(story, desired, write), key_of(desired)
    own = [
        each for each in _own(story, desired, write) if not each.is_patch and is_same(each.image, write.image)
    ]
    looks = story.looks(write.exchange.client, key, write.number)
    if scene is None or desired.suspend or not own or not looks:
        return False
    retry = persisted_state(scene.tags).retry  # a person has it tried again: it counts once it fails anew
    if retry and is_same(retry.image.name, write.image.rpartition(":")[2]) and own[-1].at < retry.at:
        return False
    taken = {id_ for each in own for id_ in each.taken}
    on_it = {id_ for id_, each in scene.instances.items() if is_same(each.image, write.image)}
    lost = {
        id_
        for id_ in on_it & taken
        if (absence := story.away_since(key, id_, write.at))
        and absence.cause == "manualupgrade"
        and looks[-1][0] - absence.since > desired.health.timeout + NOTICED
        and not scene.instances[id_].is_protected
    }
    rest = [each for id_, each in scene.instances.items() if id_ not in on_it]
    return len(lost) > desired.rollout.max_unhealthy_upgraded.within(len(on_it)) and all(
        each.status in ("serving", "deallocated") for each in rest
    )
