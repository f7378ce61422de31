"""What must not cross the border of a shard.

A daemon knows only the scale sets of its shard. A scale set that has to wait for another one must therefore
be in the same shard. A count in the Fleet would be used up by each shard separately.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.spec.amount import Count
from reconciler.spec.field import Field, dotted_path
from reconciler.spec.fleet import Fleet
from reconciler.spec.image import key
from reconciler.spec.problem import Problem
from reconciler.spec.references import DEPENDENCIES, SpecDocument
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.shard import Shard

_WAVE: Field = ("spec", "wave")


def crossings(
    declared: Mapping[SpecDocument, ScaleSet], fleet: SpecDocument | None, shard: Shard
) -> Iterator[tuple[SpecDocument, Problem]]:
    """The documents whose declarations cross the border of the shard, each with its problem."""
    border = _Border(shard, frozenset(each.name for each in declared.values() if shard.selects(each)))
    if len(border.inside) == len(declared):
        return
    if fleet is not None:
        for problem in _counts(fleet, next(iter(declared.values())).fleet, shard):
            yield fleet, problem
    names = {each.name for each in declared.values()}
    first = _first_of_each_image(declared.values(), border)
    for entry, each in declared.items():
        is_inside = each.name in border.inside
        for index, other in enumerate(each.depends_on):
            if other in names and (other in border.inside) is not is_inside:
                yield entry, border.crossing(entry, (*DEPENDENCIES, index), each.name, other)
        beyond = first.get((key(each.image), not is_inside))
        if beyond and beyond.wave < each.wave:
            yield entry, border.crossing(entry, _WAVE, each.name, beyond.name)


@dataclass(frozen=True, slots=True)
class _Border:
    """A shard, and the names of the scale sets inside it."""

    shard: Shard
    inside: frozenset[str]

    def crossing(self, entry: SpecDocument, field: Field, name: str, other: str) -> Problem:
        """The problem of a scale set that has to wait for a scale set on the other side of the border."""
        within, beyond = (name, other) if name in self.inside else (other, name)
        is_wave = field == _WAVE
        why = " in an earlier wave of the same image" if is_wave else ""
        fix = "give both the same wave" if is_wave else "remove this name"
        message = (
            f"makes {name} wait for {other}{why}, but no daemon knows both, because shard {self.shard.name} "
            f"selects {within}, and not {beyond}: put both into one shard, or {fix}"
        )
        return Problem(entry.document.values[field], dotted_path(field), message)


def _first_of_each_image(
    scale_sets: Iterable[ScaleSet], border: _Border
) -> Mapping[tuple[tuple[str, str], bool], ScaleSet]:
    """For each image and each side of the border, the first scale set by wave and name."""
    groups: defaultdict[tuple[tuple[str, str], bool], list[ScaleSet]] = defaultdict(list)
    for each in scale_sets:
        groups[key(each.image), each.name in border.inside].append(each)
    return {group: min(found, key=lambda each: (each.wave, each.name)) for group, found in groups.items()}


def _counts(entry: SpecDocument, fleet: Fleet, shard: Shard) -> Iterator[Problem]:
    """The problems of counts in the Fleet that limit all scale sets together."""
    caps = {"maxConcurrentRollouts": fleet.max_concurrent, "maxChange": fleet.max_change}
    for name, amount in caps.items():
        if isinstance(amount, Count):
            field = ("spec", name)
            message = (
                f"is a count, which each shard would use up for itself, and shard {shard.name} selects only "
                'a part of the fleet: write a percentage, such as "10%"'
            )
            yield Problem(entry.document.values[field], dotted_path(field), message)
