"""An instance as the rollout of its scale set sees it: up to date or not, back or not, movable or not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.rollout.contest import contested_until
from reconciler.rollout.health import State, is_in_transition, is_unknown, serves, state_of
from reconciler.rollout.observed import Instance, Model, Observed
from reconciler.rollout.step import Upgrade
from reconciler.spec.image import same
from reconciler.spec.scale_set import Converge, ScaleSet


@dataclass(frozen=True, slots=True)
class Member:
    """One instance that stays; one that is being deleted is none.

    `is_stuck`: Azure has been taking it for too long to another image than the desired one, so that it is to
    be cured and not to be waited for. `is_contested`: something else changes it whenever it was brought to
    the model, so that it rests for a while (see `contest`).
    """

    instance: Instance
    state: State
    is_outdated: bool
    is_stuck: bool = False
    is_contested: bool = False

    @property
    def is_awaited(self) -> bool:
        """Whether a rollout must wait for it: it was upgraded and is not back, or Azure is at work on it."""
        if self.is_stuck:
            return False
        return self.state is State.IN_TRANSITION or (self.state is State.UNHEALTHY and not self.is_outdated)

    @property
    def is_movable(self) -> bool:
        """Whether an upgrade would reach it."""
        if self.instance.protected or self.instance.image is None or not self.is_outdated:
            return False
        if self.is_contested:
            return False
        return self.is_stuck or self.state in {State.HEALTHY, State.UNHEALTHY}

    @property
    def is_left_out(self) -> bool:
        """Whether it stays on another image: no upgrade would reach it, and nothing waits for it."""
        return self.is_outdated and not self.is_movable and not self.is_awaited

    @property
    def is_unhealthy(self) -> bool:
        """Whether it should serve, and does not: nobody expects that of what is left out or deallocated."""
        return self.state not in {State.HEALTHY, State.DEALLOCATED} and not self.is_left_out

    @property
    def is_serving(self) -> bool:
        """Whether taking it down costs its users something, whatever Azure calls its provisioning."""
        return self.state is State.HEALTHY or serves(self.instance)

    @property
    def is_not_serving(self) -> bool:
        """Whether it is known to do no work, so that taking it down costs nothing."""
        if self.is_stuck:
            return True
        return self.state is State.UNHEALTHY and not serves(self.instance) and not is_unknown(self.instance)


def members(
    desired: ScaleSet, model: Model, observed: Observed, instances: Sequence[Instance]
) -> tuple[Member, ...]:
    """The instances that stay, in Azure's order. What a person has attached is none of the rollout's."""
    found = []
    for instance in instances:
        if instance.is_attached:
            continue
        stands = state_of(instance, model.health_source, observed.at)
        if stands is State.LEAVING:
            continue
        is_stuck = (
            stands is State.IN_TRANSITION
            and not instance.protected
            and _is_stuck(instance, desired, observed)
        )
        is_outdated = is_stuck or not is_up_to_date(instance, desired)
        rests = is_outdated and is_behind(instance, desired) and _is_backing_off(instance, observed)
        found.append(Member(instance, stands, is_outdated, is_stuck, rests))
    return tuple(found)


def is_up_to_date(instance: Instance, desired: ScaleSet) -> bool:
    """Judged by the image it runs. `latestModelApplied` also turns false for other people's changes, and of a
    Flexible scale set it may not be told."""
    if not instance.runs(desired.image):
        return False
    if instance.latest_model is not False:
        return True
    # One that failed on its way to an image that has been reverted since shows the old one still.
    return desired.rollout.converge is Converge.IMAGE and instance.provisioning != "failed"


def is_behind(instance: Instance, desired: ScaleSet) -> bool:
    """Whether it runs the image and lacks another change of the model, and nothing is wrong with it."""
    is_at_rest = instance.provisioning == "succeeded"
    return is_at_rest and instance.runs(desired.image) and instance.latest_model is False


def has_begun(desired: ScaleSet, model: Model, instances: Iterable[Instance]) -> bool:
    """Whether the model and some instance are on the image already."""
    if model.image is None or not same(model.image, desired.image):
        return False
    return any(is_up_to_date(each, desired) for each in instances if not each.is_attached)


def is_overdue(instance: Instance, desired: ScaleSet, at: datetime) -> bool:
    """Whether it has been as it is for longer than `health.timeout`."""
    if instance.since is None:
        return False
    since = max(instance.since, instance.state_since or instance.since)
    return at - since > desired.health.timeout


def _is_backing_off(instance: Instance, observed: Observed) -> bool:
    """Whether something else changed it again so often that it is not brought to the model just now."""
    until = contested_until(observed.progress.contests.get(instance.id))
    return until is not None and observed.at < until


def _is_stuck(instance: Instance, desired: ScaleSet, observed: Observed) -> bool:
    """Whether it has been returning for too long, and not to the image that is desired now.

    It returns to that one if we sent it there, or if it is up to date and nothing takes it elsewhere.
    """
    attempt = observed.attempt.step if observed.attempt else None
    on_its_way = (
        isinstance(attempt, Upgrade)
        and instance.id in attempt.instance_ids
        and same(attempt.image, desired.image)
    )
    # Of a Flexible set latest_model is None: then nothing says that it is taken elsewhere.
    stays = is_up_to_date(instance, desired) and (
        instance.latest_model is not False or not is_in_transition(instance.provisioning)
    )
    return is_overdue(instance, desired, observed.at) and not on_its_way and not stays
