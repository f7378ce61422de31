"""Orphans: scale sets that no spec declares any more, and whose rollouts have not ended.

Nothing completes these rollouts. A scale set is an orphan if all of these are true:

- It is not declared, not even for another shard, and it is ours. Either its tag names this fleet, or this
  process has declared it before and its tag names no fleet or the fleet of that declaration.
- Its rollout has begun. The tag records the start, and the model is on the image of that rollout, or back on
  the last good image after a failure. If another writer has set the model since, the rollout belongs
  to that writer.
- Its rollout has not ended: an instance that an upgrade would reach runs an image other than that of the
  model.

A scale set is no longer an orphan once a spec declares it again, the instances are upgraded by hand, or a
person dismisses it, which removes the start of the rollout from the tag.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.rollout.health import State, state_of
from reconciler.rollout.observed import Instance, Model
from reconciler.rollout.persisted import Mark
from reconciler.rollout.wording import moment
from reconciler.spec.image import same
from reconciler.spec.naming import names
from reconciler.spec.scale_set import Target
from reconciler.spec.wording import count


@dataclass(frozen=True, slots=True)
class Orphan:
    """A scale set that was left in the middle of a rollout.

    `image` is the short name of the image of that rollout, and `began` is when the rollout began.
    `up_to_date` is the number of instances on the image of the model, which is the last good image after a
    failure. The instances were counted at `at`.
    """

    name: str
    target: str
    image: str
    began: datetime
    up_to_date: int
    total: int
    at: datetime

    @property
    def message(self) -> str:
        """What happened to the rollout, and what to do about it."""
        return (
            f"no spec declares the scale set, so nothing continues its rollout to {self.image}, begun at "
            f"{moment(self.began)}; {self.up_to_date} of {count(self.total, 'instance')} run the model's "
            f"image; declare the scale set again, complete the rollout by hand, or run `reconciler dismiss "
            f"{self.name}`"
        )


def open_rollout(model: Model) -> Mark | None:
    """The start of the rollout that the tag records, if the model is still where that rollout left it.

    began to B, model on B: open; began to B, which failed, model on the last good A: open
    began to B, model on C, which another writer has set: not open
    """
    persisted, began = model.persisted, model.persisted.began
    if began is None or model.image is None or model.owner:
        return None
    is_return = persisted.failed == began.image and persisted.is_last_good(model.image)
    return began if began.image.is_of(model.image) or is_return else None


def orphan(name: str, model: Model, instances: Sequence[Instance], at: datetime) -> Orphan | None:
    """An undeclared scale set as an Orphan, or None if it has no open rollout or that rollout has ended.

    Instances that a person attached do not count. Instances that are deallocated or protected, or for which
    Azure reports no image, do not keep a rollout open.
    """
    began, image = open_rollout(model), model.image
    if began is None or image is None:
        return None
    states = {each.id: state_of(each, model.health_source, at) for each in instances}
    staying = [each for each in instances if not each.is_attached and states[each.id] is not State.LEAVING]
    left = [
        each
        for each in staying
        if each.image is not None
        and not same(each.image, image)
        and not each.protected
        and states[each.id] is not State.DEALLOCATED
    ]
    if not left:
        return None
    up_to_date = sum(each.runs(image) for each in staying)
    target = target_of(model).id
    return Orphan(name, target, began.image.name, began.at, up_to_date, len(staying), at)


def candidates(undeclared: Iterable[Model], fleet: str, former: Mapping[str, str]) -> tuple[Model, ...]:
    """The undeclared scale sets that are ours and have an open rollout, the most recent rollout first.

    `former` has the fleets of the scale sets that this process has declared before, by target.
    """
    ours = (each for each in undeclared if open_rollout(each) and _is_ours(each, fleet, former))
    return tuple(sorted(ours, key=_begun_last))


def orphan_names(found: Iterable[Model], taken: Iterable[str]) -> dict[str, str]:
    """Names for these scale sets, by target, as `reconciler adopt` would choose them.

    No name is in `taken`.
    """
    targets = {target_of(each): each.id for each in found}
    return {targets[target]: name for target, name in names(targets, frozenset(taken)).items()}


def target_of(model: Model) -> Target:
    """The target of a spec that would declare this scale set, in lower case."""
    parts = model.id.split("/")
    return Target(parts[2], parts[4], parts[8])


def _is_ours(model: Model, fleet: str, former: Mapping[str, str]) -> bool:
    owner = model.persisted.fleet
    if owner and owner == fleet:
        return True
    return model.id in former and owner in {"", former[model.id]}


def _begun_last(model: Model) -> tuple[float, str]:
    began = model.persisted.began
    return -began.at.timestamp() if began else 0.0, model.id
