"""Shards: one daemon for each part of a large fleet."""

from dataclasses import dataclass

from reconciler.spec.label import Requirement
from reconciler.spec.scale_set import ScaleSet


@dataclass(frozen=True, slots=True)
class Shard:
    """The scale sets that a daemon acts for, out of all that the specs declare.

    These are the scale sets whose labels fit all of `selector`, in one of `subscriptions`. If one of the two
    is empty, it selects all. `subscriptions` are in lower case.
    """

    name: str
    selector: tuple[Requirement, ...] = ()
    subscriptions: tuple[str, ...] = ()

    def selects(self, desired: ScaleSet) -> bool:
        """Whether the scale set is in this shard."""
        is_here = not self.subscriptions or desired.target.subscription.casefold() in self.subscriptions
        return is_here and all(each.fits(desired.labels) for each in self.selector)

    def __str__(self) -> str:
        """
        >>> str(Shard("emea", (Requirement.of("region=emea"), Requirement.of("tier")), ("1111", "2222")))
        'shard emea (region=emea,tier; subscriptions 1111, 2222)'
        """
        several = "s" * (len(self.subscriptions) > 1)
        parts = (
            ",".join(map(str, self.selector)),
            f"subscription{several} {', '.join(self.subscriptions)}" if self.subscriptions else "",
        )
        return f"shard {self.name} ({'; '.join(filter(None, parts))})"
