"""What must hold of every step that Azure takes from the daemon, and of what a look says, by the world as it is.

Each rule gives a sentence where it is broken. `is_fresh`: what the daemon was shown is what is so; it cannot be
blamed for what it was not shown, but for most of the rules that is no excuse.
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
    """What the world knows and no daemon does: on which images all that served has run, as bits, which one was
    given up since another was declared, and against which one there was evidence, until it served here."""

    proven: int = 1
    gave_up: int | None = None
    blamed: int | None = None


class Neighbour(NamedTuple):
    """Another scale set of the same fleet."""

    spec: Spec
    azure: Azure
    memory: Memory
    ghost: Ghost

    def is_stuck(self, patience: timedelta) -> bool:
        """Whether nothing came of it for as long as a batch may be waited for, as far as was seen."""
        standing, tried = self.memory.standing, self.memory.tried
        is_old = tried is not None and UNIT * tried.age > patience
        return is_old or (standing is not None and standing.last_reason is Reason.PROGRESS_DEADLINE_EXCEEDED)


class Sent(NamedTuple):
    """A step that Azure takes, or none, and all that it can be judged by."""

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
        """The image that it brings: that of a change of the model, or what an upgrade then finds in the model."""
        if self.patch:
            return number_of(self.patch.image)
        return self.azure.image if self.upgrade else None

    @property
    def taken(self) -> list[Machine]:
        """The working instances that it takes down."""
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
        """Those that it does not name, and that are in the hands of the rollout."""
        step = self.upgrade
        named = step.instance_ids if step else ()
        return [each for each in self.azure.machines if each.id not in named and not each.is_left_out]


def _names(machines: list[Machine]) -> str:
    return ", ".join(f"web_{each.id}" for each in machines)


def never_two_domains_away(sent: Sent) -> Iterator[str]:
    away = [each for each in sent.azure.machines if each.taken == "away" and not each.is_left_out]
    away = [each for each in away if not _is_given_up(sent, each, len(away))]
    if sent.taken and len({each.domain for each in (*sent.taken, *away)}) > 1:
        yield f"{_names(sent.taken)} would go while {_names(away)} of another domain is away"


def nothing_goes_before_the_last_batch_is_back(sent: Sent) -> Iterator[str]:
    left = [each for each in sent.others if each.taken == "away"]
    left = [each for each in left if not _is_given_up(sent, each, len(left))]
    if sent.taken and left:
        yield f"{_names(sent.taken)} would go while {_names(left)} of an earlier upgrade is not back"


def _is_given_up(sent: Sent, machine: Machine, lost: int) -> bool:
    """By `maxUnhealthyUpgraded`, of those upgraded so far; what one upgrade has lost comes back to it first."""
    rollout, timeout = sent.desired.rollout, sent.desired.health.timeout.total_seconds() / 300
    upgraded = sum(each.image == sent.spec.image for each in sent.azure.machines)
    return machine.age > timeout and lost <= rollout.max_unhealthy_upgraded.within(upgraded)


def nothing_goes_while_an_upgraded_one_is_sick(sent: Sent) -> Iterator[str]:
    if not sent.is_fresh or sent.upgrade is None or sent.desired.rollout.max_unhealthy_upgraded.within(9):
        return
    image = number_of(sent.upgrade.image)
    sick = [each for each in sent.others if each.taken == "back" and each.image == image and not each.serves]
    if sent.taken and sick:
        yield f"{_names(sent.taken)} would go while {_names(sick)}, which was upgraded, does not serve"


def nothing_goes_while_azure_is_at_work(sent: Sent) -> Iterator[str]:
    timeout = sent.desired.health.timeout.total_seconds() / 300
    moving = [each for each in sent.others if each.is_at_work and each.age <= timeout]
    if sent.is_fresh and sent.taken and moving:
        yield f"{_names(sent.taken)} would go while Azure is at work on {_names(moving)}"


def no_more_are_away_than_may_be(sent: Sent) -> Iterator[str]:
    if not (sent.is_fresh and sent.taken):
        return
    away = [each for each in sent.azure.machines if not each.serves and each.power != "deallocated"]
    rest = [each for each in away if each.id not in (sent.upgrade.instance_ids if sent.upgrade else ())]
    total, most = len(sent.azure.machines), sent.desired.rollout.max_unavailable
    if len(rest) + len(sent.taken) > most.of(total):
        yield f"{_names(sent.taken)} would go while {_names(rest)} is away: more than {most} of {total}"


def nothing_goes_while_too_many_are_sick(sent: Sent) -> Iterator[str]:
    sick = [
        each
        for each in sent.azure.machines
        if not each.is_at_work and not each.serves and each.power != "deallocated"
    ]
    total, most = len(sent.azure.machines), sent.desired.rollout.max_unhealthy
    if sent.is_fresh and sent.taken and len(sick) > most.of(total):
        yield f"{_names(sent.taken)} would go while {_names(sick)} is sick: more than {most} of {total}"


def every_upgrade_names_instances(sent: Sent) -> Iterator[str]:
    if sent.upgrade is None:
        return
    ids = sent.upgrade.instance_ids
    if not ids or "*" in ids or not {*ids} <= {each.id for each in sent.shown.machines}:
        yield f"an upgrade names {ids!r}"


def a_batch_is_of_one_domain(sent: Sent) -> Iterator[str]:
    if len({each.domain for each in sent.taken}) > 1 or len(sent.taken) > sent.desired.rollout.max_batch.of(
        len(sent.azure.machines)
    ):
        yield f"{_names(sent.taken)} would go together"


def nothing_is_written_under_a_brake(sent: Sent) -> Iterator[str]:
    if sent.spec.is_braked and sent.decision.step:
        yield f"under a brake: {sent.decision.line}"


def only_a_known_image_is_written(sent: Sent) -> Iterator[str]:
    """The declared one, or the last good one, which has to be proven by the world as it was."""
    if sent.decision.step is None or (sent.upgrade and not sent.is_fresh):
        return
    image = number_of(sent.decision.step.image)
    if image == sent.spec.image:
        return
    if image != sent.shown.persisted.good:
        yield f"{WORDS[image]} is neither declared nor the last good image"
    elif not sent.ghost.proven >> image & 1:
        yield f"{WORDS[image]} is called the last good image, and never was"


def what_is_noted_as_good_was_good(sent: Sent) -> Iterator[str]:
    if sent.patch is None or sent.patch.persisted is None:
        return
    good = persisted(sent.patch.persisted).good
    if good is not None and not sent.ghost.proven >> good & 1:
        yield f"{WORDS[good]} is noted as the last good image, and never was"


def an_upgrade_is_to_what_the_model_says(sent: Sent) -> Iterator[str]:
    if sent.is_fresh and sent.upgrade and number_of(sent.upgrade.image) != sent.azure.image:
        yield f"an upgrade to {WORDS[number_of(sent.upgrade.image)]}, with the model on {WORDS[sent.azure.image]}"


def what_was_given_up_is_not_tried_again(sent: Sent) -> Iterator[str]:
    if sent.ghost.gave_up is not None and sent.image == sent.ghost.gave_up:
        yield f"{WORDS[sent.ghost.gave_up]} was given up, and is tried again"


def what_is_marked_as_failed_is_not_tried(sent: Sent) -> Iterator[str]:
    kept, step = sent.azure.persisted, sent.decision.step
    if step is None or not sent.is_fresh or sent.desired.rollout.on_failure is OnFailure.HOLD:
        return
    if kept.good is not None and kept.failed == number_of(step.image) != kept.good:
        yield f"{WORDS[number_of(step.image)]} is marked as failed, and is tried"


def a_patch_carries_the_etag_that_was_seen(sent: Sent) -> Iterator[str]:
    if sent.patch and sent.patch.etag != sent.shown.etag:
        yield f"a patch carries {sent.patch.etag}, where {sent.shown.etag} was seen"


def no_step_is_repeated_at_once(sent: Sent) -> Iterator[str]:
    step, tried = sent.decision.step, sent.memory.tried
    if step is None or tried is None:
        return
    ids = step.instance_ids if isinstance(step, Upgrade) else ()
    is_same = (ids, number_of(step.image)) == (tried.ids, tried.image)
    if is_same and tried.age < min(2 ** (tried.tries - 1), 8):
        yield f"asked for again {tried.age * 5} minutes later"


def an_image_is_given_up_for_what_it_did(sent: Sent) -> Iterator[str]:
    if sent.decision.reason is not Reason.GIVING_UP or not sent.is_fresh or sent.patch is None:
        return
    failed = sent.patch.persisted and persisted(sent.patch.persisted).failed
    if sent.azure.persisted.failed == failed:
        return  # the model goes back once more
    if not any(failed in {each.image, each.target} and not each.serves for each in sent.azure.machines):
        yield f"{WORDS[failed or 0]} is given up, though all that run it serve"


def ready_is_as_declared(sent: Sent) -> Iterator[str]:
    if not sent.is_fresh or sent.decision.reason not in {Reason.UP_TO_DATE, Reason.INSTANCES_LEFT_OUT}:
        return
    for each in sent.azure.machines:
        if not each.is_left_out and (each.image != sent.spec.image or not each.serves):
            yield f"Ready, and {each}"
    if sent.azure.image != sent.spec.image:
        yield f"Ready, and the model is on {WORDS[sent.azure.image]}"


def one_scale_set_goes_first(sent: Sent) -> Iterator[str]:
    """As pilot, as the only one that may roll, or as what others depend on: in a fleet of two it comes to the same.
    One that is suspended, or of which nothing comes for as long as a batch may be waited for, holds up nobody."""
    if sent.patch is None or sent.ghost.proven >> number_of(sent.patch.image) & 1:
        return
    for each in sent.neighbours:
        away = [one for one in each.azure.machines if one.taken == "away" and not one.is_left_out]
        is_same = each.spec.image == number_of(sent.patch.image) and not each.spec.is_braked
        if is_same and away and not each.is_stuck(sent.desired.rollout.progress_deadline):
            yield f"it would begin while {_names(away)} of the other scale set is away"


def what_failed_elsewhere_is_not_begun(sent: Sent) -> Iterator[str]:
    step = sent.decision.step
    if step is None or (sent.upgrade and not sent.taken):
        return
    image = number_of(step.image)
    is_old = sent.azure.persisted.good == image
    for each in sent.neighbours:
        if each.ghost.blamed == image == each.spec.image and not each.spec.is_braked and not is_old:
            yield f"{WORDS[image]} has failed in the other scale set, and is begun here"


RULES: tuple[Callable[[Sent], Iterator[str]], ...] = (
    never_two_domains_away,
    nothing_goes_before_the_last_batch_is_back,
    nothing_goes_while_an_upgraded_one_is_sick,
    nothing_goes_while_azure_is_at_work,
    no_more_are_away_than_may_be,
    nothing_goes_while_too_many_are_sick,
    every_upgrade_names_instances,
    a_batch_is_of_one_domain,
    nothing_is_written_under_a_brake,
    only_a_known_image_is_written,
    what_is_noted_as_good_was_good,
    an_upgrade_is_to_what_the_model_says,
    what_was_given_up_is_not_tried_again,
    what_is_marked_as_failed_is_not_tried,
    a_patch_carries_the_etag_that_was_seen,
    no_step_is_repeated_at_once,
    an_image_is_given_up_for_what_it_did,
    ready_is_as_declared,
    one_scale_set_goes_first,
    what_failed_elsewhere_is_not_begun,
)


# Those of a step that Azure refuses.
REFUSED = (nothing_is_written_under_a_brake, a_patch_carries_the_etag_that_was_seen)


def broken(sent: Sent, rules: Sequence[Callable[[Sent], Iterator[str]]] = RULES) -> Iterator[tuple[str, str]]:
    """The rules that it breaks, each with a sentence."""
    for rule in rules:
        for sentence in rule(sent):
            yield rule.__name__.replace("_", " "), sentence
