"""The input to the steps of a decision, assembled once and passed to each step as a whole."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.rollout.counts import InstanceCounts
from reconciler.rollout.domains import Grouping
from reconciler.rollout.member import Member
from reconciler.rollout.observed import Model, Observed
from reconciler.spec.image import Image, short
from reconciler.spec.scale_set import Rollout, ScaleSet
from reconciler.spec.wording import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A scale set and the exact image that it should run, as known before its instances are listed."""

    desired: ScaleSet  # its image is the exact one: a version in place of latest, or the last good image
    model: Model
    observed: Observed
    is_return: bool = False  # a rollback to the last good image

    @property
    def image(self) -> Image:
        return self.desired.image

    @property
    def rollout(self) -> Rollout:
        return self.desired.rollout

    @property
    def at(self) -> datetime:
        return self.observed.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(Aim):
    """An Aim with the instances of its scale set, once all of them have been read."""

    members: tuple[Member, ...]  # all instances except those being deleted, in Azure's order
    domain_of: Grouping
    counts: InstanceCounts  # of `members`, by domain

    @property
    def summary(self) -> str:
        """The progress of the rollout or rollback: "3 of 10 instances up to date"."""
        if self.is_return:
            verb = "is" if self.counts.up_to_date == 1 else "are"
            total = count(self.counts.total, "instance")
            return f"{self.counts.up_to_date} of {total} {verb} back on {short(self.image)}"
        return self.counts.summary

    @property
    def movable(self) -> list[Member]:
        """The members that an upgrade would bring to the image."""
        return [each for each in self.members if each.is_movable]
