"""Shards: one daemon for each part of a large fleet."""

from dataclasses import dataclass

from reconciler.spec.label import Requirement
from reconciler.spec.scale_set import ScaleSet


@dataclass(frozen=True, slots=True)
class Shard:
    """The part of the declared scale sets that one daemon acts for.

    A shard selects a scale set if its labels fit every requirement in `selector` and it is in one of
    `subscriptions`. An empty `selector` or `subscriptions` selects all. `subscriptions` are in lower case.
    """

    name: str
    selector: tuple[Requirement, ...] = ()
    subscriptions: tuple[str, ...] = ()

    def selects(self, desired: ScaleSet) -> bool:
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
