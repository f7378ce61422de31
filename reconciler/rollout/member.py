"""An instance as the rollout of its scale set sees it: up to date, healthy, movable, or not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from reconciler.rollout.contest import contested_until
from reconciler.rollout.health import State, describe_problem, is_in_transition, is_unknown, serves, state_of
from reconciler.rollout.observed import Instance, Model, Observed
from reconciler.rollout.step import Upgrade
from reconciler.spec.image import Image, same
from reconciler.spec.scale_set import Converge, CustomizedInstances, ScaleSet

# An instance whose state last changed this soon after its creation was created on its image, not upgraded.
# New instances that an autoscaler keeps creating must not delay a rollout.
_NEWBORN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Member:
    """One instance that is not being deleted.

    `is_stuck` means that Azure has been upgrading the instance for too long, to an image other than the
    desired one. A stuck instance is remediated, not waited for. `is_contested` means that another writer
    changes the instance each time it has been brought to the model, so the instance is not upgraded for a
    while (see `contest`). `is_newborn` means that the instance was created on its image, not upgraded to it.
    `is_behind` means that the instance is outdated, but runs the image and only lacks another model change.
    `is_customized` means that the instance was changed individually, and that the spec keeps these changes.
    """

    instance: Instance
    state: State
    is_outdated: bool
    is_stuck: bool = False
    is_contested: bool = False
    is_newborn: bool = False
    is_behind: bool = False
    is_customized: bool = False

    @property
    def is_tried(self) -> bool:
        """Whether the health of the instance is evidence for or against the image.

        The health of an instance that only lacks another model change is evidence too, as long as the
        instance is contested or protected and so cannot be upgraded. Otherwise, a bad image would reach more
        instances as soon as another writer changes the model.
        """
        return not self.is_outdated or (self.is_behind and not self.is_movable)

    @property
    def is_awaited(self) -> bool:
        """Whether a rollout must wait for the instance: it is upgraded but not healthy, or in transition."""
        if self.is_stuck:
            return False
        return self.state is State.IN_TRANSITION or (self.state is State.UNHEALTHY and self.is_tried)

    @property
    def is_movable(self) -> bool:
        """Whether the instance needs an upgrade, and an upgrade would bring it to the image."""
        if self.instance.protected or self.instance.image is None or not self.is_outdated:
            return False
        if self.is_contested or self.is_customized:
            return False
        return self.is_stuck or self.state in {State.HEALTHY, State.UNHEALTHY}

    @property
    def is_left_out(self) -> bool:
        """Whether the instance stays outdated: it cannot be upgraded, and no rollout waits for it."""
        return self.is_outdated and not self.is_movable and not self.is_awaited

    @property
    def is_unhealthy(self) -> bool:
        """Whether the instance should serve but does not.

        Deallocated instances, and instances that are left out, need not serve.
        """
        return self.state not in {State.HEALTHY, State.DEALLOCATED} and not self.is_left_out

    @property
    def is_serving(self) -> bool:
        """Whether an upgrade would take the instance out of service, whatever its provisioning state is."""
        return self.state is State.HEALTHY or serves(self.instance)

    @property
    def is_not_serving(self) -> bool:
        """Whether the instance is known not to serve. If nothing is known, `is_serving` is false too.

        unhealthy and running: true; provisioning failed, but running and healthy: false; no power state:
        false
        """
        if self.is_stuck:
            return True
        return self.state is State.UNHEALTHY and not serves(self.instance) and not is_unknown(self.instance)

    @property
    def may_serve(self) -> bool:
        """Whether Azure reports too little to tell whether the instance serves."""
        return self.state is State.UNHEALTHY and is_unknown(self.instance)


def members(
    desired: ScaleSet, model: Model, observed: Observed, instances: Sequence[Instance]
) -> tuple[Member, ...]:
    """All instances, in Azure's order, except those that are being deleted or that a person attached."""
    found = []
    skips_customized = desired.rollout.customized_instances is CustomizedInstances.SKIP
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
        lacks_change = is_outdated and is_behind(instance, desired)
        found.append(
            Member(
                instance,
                stands,
                is_outdated,
                is_stuck,
                is_contested=lacks_change and _is_backing_off(instance, observed),
                is_newborn=_is_newborn(instance, observed),
                is_behind=lacks_change,
                is_customized=instance.has_own_model and skips_customized,
            )
        )
    return tuple(found)


def _is_newborn(instance: Instance, observed: Observed) -> bool:
    """Whether the instance was created on its image.

    created 09:09, upgraded by us at 09:10, healthy since 09:11: upgraded, even though it was so young
    """
    since, created = instance.since, instance.created
    is_young = since is not None and created is not None and since - created < _NEWBORN
    return is_young and instance.id not in observed.progress.taken


CUSTOMIZED = "changed individually"
"""Why an instance is left out whose own changes the spec keeps (`rollout.customizedInstances`)."""


def obstacle(member: Member) -> str:
    """A phrase that says why an outdated member is left out."""
    if member.instance.protected:
        return "protected from scale set actions"
    if member.is_customized:
        return CUSTOMIZED
    return describe_problem(member.instance) if member.instance.image else "Azure reports no image"


class Upgradable(Protocol):
    """The part of an instance that shows whether the instance is up to date."""

    @property
    def latest_model(self) -> bool | None: ...
    @property
    def provisioning(self) -> str: ...
    def runs(self, image: Image) -> bool: ...


def is_up_to_date(instance: Upgradable, desired: ScaleSet) -> bool:
    """Whether the instance runs the image and, with `converge: model`, lacks no other model change.

    With `converge: image`, `latestModelApplied` is not required, because it is also false after changes by
    other writers. An unknown value, as in a Flexible scale set, does not count against the instance.
    """
    if not instance.runs(desired.image):
        return False
    if instance.latest_model is not False:
        return True
    # An instance whose upgrade to another image failed, and was reverted since, still shows this image.
    return desired.rollout.converge is Converge.IMAGE and instance.provisioning != "failed"


def is_behind(instance: Instance, desired: ScaleSet) -> bool:
    """Whether the provisioning succeeded and the instance runs the image, but lacks another model change."""
    is_at_rest = instance.provisioning == "succeeded"
    return is_at_rest and instance.runs(desired.image) and instance.latest_model is False


def has_begun(desired: ScaleSet, model: Model, instances: Iterable[Instance]) -> bool:
    """Whether the model is on the desired image, and at least one instance is up to date."""
    if model.image is None or not same(model.image, desired.image):
        return False
    return any(is_up_to_date(each, desired) for each in instances if not each.is_attached)


def is_overdue(instance: Instance, desired: ScaleSet, at: datetime) -> bool:
    """Whether the instance has been in its current state for longer than `health.timeout`.

    health.timeout 10m, updating since 09:00: overdue after 09:10
    """
    if instance.since is None:
        return False
    since = max(instance.since, instance.state_since or instance.since)
    return at - since > desired.health.timeout


def _is_backing_off(instance: Instance, observed: Observed) -> bool:
    """Whether another writer has changed the instance so often that upgrades of it are paused for now."""
    until = contested_until(observed.progress.contests.get(instance.id))
    return until is not None and observed.at < until


def _is_stuck(instance: Instance, desired: ScaleSet, observed: Observed) -> bool:
    """Whether the instance has been in transition for too long, but not to the desired image.

    The instance is on its way to the desired image if our upgrade names it, or if it is up to date and not
    being upgraded.
    """
    attempt = observed.attempt.step if observed.attempt else None
    on_its_way = (
        isinstance(attempt, Upgrade)
        and instance.id in attempt.instance_ids
        and same(attempt.image, desired.image)
    )
    # latest_model is None in a Flexible scale set: then nothing shows that the instance gets another image.
    stays = is_up_to_date(instance, desired) and (
        instance.latest_model is not False or not is_in_transition(instance.provisioning)
    )
    return is_overdue(instance, desired, observed.at) and not on_its_way and not stays
