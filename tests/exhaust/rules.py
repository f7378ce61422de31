"""The rules for every step that Azure accepts from the daemon, and for its decisions, by the actual state of the world.

Each rule yields a sentence if it is broken. `is_fresh` says that the daemon was shown the actual state. Some rules
make an exception for stale reads, but most do not.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from reconciler.rollout.decision import Decision
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import PatchModel, Upgrade
from reconciler.spec.scale_set import OnFailure, ScaleSet
from tests.exhaust.azure import WORDS, Azure, Machine, number_of, persisted
from tests.exhaust.clock import UNIT
from tests.exhaust.daemon import Memory, Spec


class Ghost(NamedTuple):
    """What the world knows and no daemon does.

    `proven` has the images on which everything that served has run, as bits. `failed` is the image whose rollout was
    aborted since the last commit. `blamed` is the image with evidence against it, until an instance serves on it here.
    """

    proven: int = 1
    failed: int | None = None
    blamed: int | None = None


class Neighbour(NamedTuple):
    """Another scale set of the same fleet."""

    spec: Spec
    azure: Azure
    memory: Memory
    ghost: Ghost

    def is_stuck(self, patience: timedelta) -> bool:
        """Whether it made no progress until its deadline, as far as the daemon has observed."""
        status, tried = self.memory.status, self.memory.tried
        is_old = tried is not None and UNIT * tried.age > patience
        return is_old or (status is not None and status.last_reason is Reason.PROGRESS_DEADLINE_EXCEEDED)


class Sent(NamedTuple):
    """A decision, with its step if there is one, and everything by which the rules judge it."""

    desired: ScaleSet
    spec: Spec
    azure: Azure
    shown: Azure
    memory: Memory
    decision: Decision
    ghost: Ghost
    is_fresh: bool
    neighbours: tuple[Neighbour, ...] = ()

    @property
    def upgrade(self) -> Upgrade | None:
        return self.decision.step if isinstance(self.decision.step, Upgrade) else None

    @property
    def patch(self) -> PatchModel | None:
        return self.decision.step if isinstance(self.decision.step, PatchModel) else None

    @property
    def image(self) -> int | None:
        """The image of the step: that of a change of the model, or for an upgrade the image of the model."""
        if self.patch:
            return number_of(self.patch.image)
        return self.azure.image if self.upgrade else None

    @property
    def serving(self) -> list[Machine]:
        """The serving instances that it takes out of service."""
        step = self.upgrade
        if step is None:
            return []
        return [
            each
            for each in self.azure.machines
            if each.id in step.instance_ids and each.serves and not each.is_protected
        ]

    @property
    def others(self) -> list[Machine]:
        """The instances that it does not name, without those that are left out of the rollout."""
        step = self.upgrade
        named = step.instance_ids if step else ()
        return [each for each in self.azure.machines if each.id not in named and not each.is_left_out]


def _names(machines: list[Machine]) -> str:
    return ", ".join(f"web_{each.id}" for each in machines)


def at_most_one_domain_is_unavailable(sent: Sent) -> Iterator[str]:
    upgraded = [
        each for each in sent.azure.machines if each.upgraded == "unavailable" and not each.is_left_out
    ]
    awaited = [each for each in upgraded if not _is_tolerated(sent, each, len(upgraded))]
    if sent.serving and len({each.domain for each in (*sent.serving, *awaited)}) > 1:
        yield f"{_names(sent.serving)} would be upgraded while {_names(awaited)} of another domain is unavailable"


def no_batch_starts_before_the_last_one_is_healthy(sent: Sent) -> Iterator[str]:
    upgraded = [each for each in sent.others if each.upgraded == "unavailable"]
    awaited = [each for each in upgraded if not _is_tolerated(sent, each, len(upgraded))]
    if sent.serving and awaited:
        yield f"{_names(sent.serving)} would be upgraded while {_names(awaited)} of an earlier upgrade is unavailable"


def _is_tolerated(sent: Sent, machine: Machine, unavailable: int) -> bool:
    """Whether `maxUnhealthyUpgraded` tolerates that it is unavailable."""
    rollout, timeout = sent.desired.rollout, sent.desired.health.timeout.total_seconds() / 300
    upgraded = sum(each.image == sent.spec.image for each in sent.azure.machines)
    return machine.age > timeout and unavailable <= rollout.max_unhealthy_upgraded.within(upgraded)


def no_batch_starts_while_an_upgraded_instance_is_unhealthy(sent: Sent) -> Iterator[str]:
    if not sent.is_fresh or sent.upgrade is None or sent.desired.rollout.max_unhealthy_upgraded.within(9):
        return
    image = number_of(sent.upgrade.image)
    unhealthy = [
        each for each in sent.others if each.upgraded == "healthy" and each.image == image and not each.serves
    ]
    if sent.serving and unhealthy:
        yield f"{_names(sent.serving)} would be upgraded while {_names(unhealthy)}, which was upgraded, does not serve"


def no_batch_starts_while_azure_is_updating_an_instance(sent: Sent) -> Iterator[str]:
    timeout = sent.desired.health.timeout.total_seconds() / 300
    moving = [each for each in sent.others if each.is_at_work and each.age <= timeout]
    if sent.is_fresh and sent.serving and moving:
        yield f"{_names(sent.serving)} would be upgraded while Azure is updating {_names(moving)}"


def max_unavailable_is_not_exceeded(sent: Sent) -> Iterator[str]:
    if not (sent.is_fresh and sent.serving):
        return
    unavailable = [each for each in sent.azure.machines if not each.serves and each.power != "deallocated"]
    others = [
        each for each in unavailable if each.id not in (sent.upgrade.instance_ids if sent.upgrade else ())
    ]
    total, most = len(sent.azure.machines), sent.desired.rollout.max_unavailable
    if len(others) + len(sent.serving) > most.of(total):
        yield f"{_names(sent.serving)} would be upgraded while {_names(others)} is unavailable: more than {most} of {total}"


def no_batch_starts_beyond_max_unhealthy(sent: Sent) -> Iterator[str]:
    unhealthy = [
        each
        for each in sent.azure.machines
        if not each.is_at_work and not each.serves and each.power != "deallocated"
    ]
    total, most = len(sent.azure.machines), sent.desired.rollout.max_unhealthy
    if sent.is_fresh and sent.serving and len(unhealthy) > most.of(total):
        yield f"{_names(sent.serving)} would be upgraded while {_names(unhealthy)} is unhealthy: more than {most} of {total}"


def every_upgrade_names_its_instances(sent: Sent) -> Iterator[str]:
    if sent.upgrade is None:
        return
    ids = sent.upgrade.instance_ids
    if not ids or "*" in ids or not {*ids} <= {each.id for each in sent.shown.machines}:
        yield f"an upgrade names {ids!r}"


def a_batch_has_one_domain_and_at_most_max_batch_instances(sent: Sent) -> Iterator[str]:
    most = sent.desired.rollout.max_batch.of(len(sent.azure.machines))
    if len({each.domain for each in sent.serving}) > 1 or len(sent.serving) > most:
        yield f"{_names(sent.serving)} would be upgraded at once"


def nothing_is_written_during_a_suspension(sent: Sent) -> Iterator[str]:
    if sent.spec.is_suspended and sent.decision.step:
        yield f"during a suspension: {sent.decision.line}"


def an_image_is_declared_or_the_last_good_one(sent: Sent) -> Iterator[str]:
    """An image that is written as the last good one must have been good in this world."""
    if sent.decision.step is None or (sent.upgrade and not sent.is_fresh):
        return
    image = number_of(sent.decision.step.image)
    if image == sent.spec.image:
        return
    if image != sent.shown.persisted.good:
        yield f"{WORDS[image]} is neither declared nor the last good image"
    elif not sent.ghost.proven >> image & 1:
        yield f"{WORDS[image]} is recorded as the last good image, but never was good"


def an_image_recorded_as_good_was_good(sent: Sent) -> Iterator[str]:
    if sent.patch is None or sent.patch.persisted is None:
        return
    good = persisted(sent.patch.persisted).good
    if good is not None and not sent.ghost.proven >> good & 1:
        yield f"{WORDS[good]} would be recorded as the last good image, but never was good"


def an_upgrade_is_to_the_image_of_the_model(sent: Sent) -> Iterator[str]:
    if sent.is_fresh and sent.upgrade and number_of(sent.upgrade.image) != sent.azure.image:
        yield f"an upgrade to {WORDS[number_of(sent.upgrade.image)]}, with the model on {WORDS[sent.azure.image]}"


def a_failed_image_is_not_retried(sent: Sent) -> Iterator[str]:
    if sent.ghost.failed is not None and sent.image == sent.ghost.failed:
        yield f"{WORDS[sent.ghost.failed]} has failed, and would be retried"


def an_image_recorded_as_failed_is_not_tried(sent: Sent) -> Iterator[str]:
    kept, step = sent.azure.persisted, sent.decision.step
    if step is None or not sent.is_fresh or sent.desired.rollout.on_failure is OnFailure.HOLD:
        return
    if kept.good is not None and kept.failed == number_of(step.image) != kept.good:
        yield f"{WORDS[number_of(step.image)]} is recorded as failed, and would be tried"


def a_patch_carries_the_etag_that_was_read(sent: Sent) -> Iterator[str]:
    if sent.patch and sent.patch.etag != sent.shown.etag:
        yield f"a patch carries {sent.patch.etag}, but {sent.shown.etag} was read"


def no_step_is_repeated_at_once(sent: Sent) -> Iterator[str]:
    step, tried = sent.decision.step, sent.memory.tried
    if step is None or tried is None:
        return
    ids = step.instance_ids if isinstance(step, Upgrade) else ()
    is_same = (ids, number_of(step.image)) == (tried.ids, tried.image)
    if is_same and tried.age < min(2 ** (tried.tries - 1), 8):
        yield f"the step would be repeated {tried.age * 5} minutes later"


def an_image_fails_only_if_an_instance_on_it_does_not_serve(sent: Sent) -> Iterator[str]:
    if sent.decision.reason is not Reason.GIVING_UP or not sent.is_fresh or sent.patch is None:
        return
    failed = sent.patch.persisted and persisted(sent.patch.persisted).failed
    if sent.azure.persisted.failed == failed:
        return  # the model is set back once more
    if not any(failed in {each.image, each.target} and not each.serves for each in sent.azure.machines):
        yield f"{WORDS[failed or 0]} would count as failed, though all instances on it serve"


def ready_means_as_declared(sent: Sent) -> Iterator[str]:
    if not sent.is_fresh or sent.decision.reason not in {Reason.UP_TO_DATE, Reason.INSTANCES_LEFT_OUT}:
        return
    for each in sent.azure.machines:
        if not each.is_left_out and (each.image != sent.spec.image or not each.serves):
            yield f"Ready, although {each}"
    if sent.azure.image != sent.spec.image:
        yield f"Ready, although the model is on {WORDS[sent.azure.image]}"


def one_scale_set_begins_an_image_first(sent: Sent) -> Iterator[str]:
    """As pilot, in the only slot, or as a dependency: in a fleet of two these are the same. A scale set that is
    suspended or makes no progress until its deadline blocks nobody."""
    if sent.patch is None or sent.ghost.proven >> number_of(sent.patch.image) & 1:
        return
    for each in sent.neighbours:
        awaited = [
            one for one in each.azure.machines if one.upgraded == "unavailable" and not one.is_left_out
        ]
        is_same = each.spec.image == number_of(sent.patch.image) and not each.spec.is_suspended
        if is_same and awaited and not each.is_stuck(sent.desired.rollout.progress_deadline):
            yield f"the image would be begun while {_names(awaited)} of the other scale set is unavailable"


def an_image_that_failed_elsewhere_is_not_begun(sent: Sent) -> Iterator[str]:
    step = sent.decision.step
    if step is None or (sent.upgrade and not sent.serving):
        return
    image = number_of(step.image)
    is_old = sent.azure.persisted.good == image
    for each in sent.neighbours:
        if each.ghost.blamed == image == each.spec.image and not each.spec.is_suspended and not is_old:
            yield f"{WORDS[image]} has failed in the other scale set, and would be begun here"


RULES: tuple[Callable[[Sent], Iterator[str]], ...] = (
    at_most_one_domain_is_unavailable,
    no_batch_starts_before_the_last_one_is_healthy,
    no_batch_starts_while_an_upgraded_instance_is_unhealthy,
    no_batch_starts_while_azure_is_updating_an_instance,
    max_unavailable_is_not_exceeded,
    no_batch_starts_beyond_max_unhealthy,
    every_upgrade_names_its_instances,
    a_batch_has_one_domain_and_at_most_max_batch_instances,
    nothing_is_written_during_a_suspension,
    an_image_is_declared_or_the_last_good_one,
    an_image_recorded_as_good_was_good,
    an_upgrade_is_to_the_image_of_the_model,
    a_failed_image_is_not_retried,
    an_image_recorded_as_failed_is_not_tried,
    a_patch_carries_the_etag_that_was_read,
    no_step_is_repeated_at_once,
    an_image_fails_only_if_an_instance_on_it_does_not_serve,
    ready_means_as_declared,
    one_scale_set_begins_an_image_first,
    an_image_that_failed_elsewhere_is_not_begun,
)


# The rules for a step that Azure refuses.
REFUSED = (nothing_is_written_during_a_suspension, a_patch_carries_the_etag_that_was_read)


def broken(sent: Sent, rules: Sequence[Callable[[Sent], Iterator[str]]] = RULES) -> Iterator[tuple[str, str]]:
    """The rules that a step breaks, each with a sentence."""
    for rule in rules:
        for sentence in rule(sent):
            yield rule.__name__.replace("_", " "), sentence
