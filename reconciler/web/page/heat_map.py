"""The instances of a scale set by domain: a table for each placement group.

A row is an update domain, and a column is a fault domain. In a zonal scale set, a column is a zone. A scale
set that reports only one kind of domain has one column.

    placement group a0…      fault domain 0   fault domain 1
    update domain 0          ■a ■a            ■a
    update domain 1          ▲b ■b            ■b
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.daemon.seen_instance import SeenInstance
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.health import State
from reconciler.rollout.step import Upgrade
from reconciler.spec.image import same, short

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Legend:
    """An image, and the letter that stands for it. "a" stands for the declared image."""

    letter: str
    image: str
    full: str
    is_declared: bool
    instances: int


_UNREPORTED = Legend("?", "not reported", "", is_declared=False, instances=0)


@dataclass(frozen=True, slots=True)
class Spot:
    """An instance on the map. `health` is a word of `State`, and determines the shape of the spot."""

    id: str
    letter: str
    image: str
    is_declared: bool
    health: str
    provisioning: str
    power: str
    reported: str
    error: str
    is_protected: bool
    is_in_batch: bool
    since: datetime | None

    @property
    def label(self) -> str:
        """Everything about the instance in words, for screen readers and as a tooltip."""
        which = f"{self.image}{' (declared)' if self.is_declared else ''}"
        words = [
            f"instance {self.id}",
            f"image {which}",
            {"returning": "in transition"}.get(self.health, self.health),
        ]
        if self.provisioning != "succeeded":
            words.append(f"provisioning {self.provisioning or 'unknown'}")
        if self.power != "running":
            words.append(f"power {self.power or 'not reported'}")
        if self.reported not in {"", "healthy"}:
            words.append(f"health {self.reported}")
        if self.error:
            words.append(self.error)
        if self.is_protected:
            words.append("protected from scale set actions")
        if self.is_in_batch:
            words.append("in the batch under way")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Row:
    """One domain: its name, the counts of its instances, and its spots by column."""

    name: str
    up_to_date: int
    away: int
    total: int
    cells: tuple[tuple[Spot, ...], ...]

    @property
    def summary(self) -> str:
        """
        >>> Row("update domain 3", 18, 2, 20, ()).summary
        '18 of 20 up to date, 2 unavailable'
        """
        away = f", {self.away} unavailable" if self.away else ""
        return f"{self.up_to_date} of {self.total} up to date{away}"


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A table. `group` is the placement group, or "" if there is only one."""

    group: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def heat_maps(state: ScaleSetState) -> tuple[tuple[HeatMap, ...], tuple[Legend, ...]]:
    seen = state.seen.instances
    legend = _legend(state, seen)
    spots = _spots(state, seen, legend)
    groups = sorted({each.placement_group for each in seen})
    row_of, column_of = _axes(seen)
    maps = (
        _map(
            group if len(groups) > 1 else "",
            [each for each in seen if each.placement_group == group],
            spots,
            row_of,
            column_of,
        )
        for group in groups
    )
    return tuple(maps), tuple(dict.fromkeys(legend.values()))


def place_of(name: str, group: str) -> str:
    """A row or a column of the map of `group`, as `--domain` names it, or "" if it is not a domain.

    >>> place_of("update domain 3", "5f0c8d21-77aa")
    'update domain 3, placement group 5f0c8d21'
    """
    if not name.startswith(("update domain ", "fault domain ", "zone ")):
        return ""
    return f"{name}, placement group {group[:8]}" if group else name


_Key = tuple[int, str]
_Axis = Callable[[SeenInstance], _Key]


def _axes(seen: Sequence[SeenInstance]) -> tuple[_Axis, _Axis]:
    """The functions that place an instance in a row and in a column."""
    has_update_domains = any(each.update_domain is not None for each in seen)
    has_fault_domains = len({each.fault_domain for each in seen}) > 1
    is_zonal = any(each.zone for each in seen)
    if is_zonal:
        return (_update_domain if has_update_domains else _whole), _zone
    if has_update_domains:
        return _update_domain, (_fault_domain if has_fault_domains else _whole)
    return (_fault_domain if has_fault_domains else _whole), _whole


def _update_domain(each: SeenInstance) -> _Key:
    return _numbered("update domain", each.update_domain)


def _fault_domain(each: SeenInstance) -> _Key:
    return _numbered("fault domain", each.fault_domain)


def _numbered(noun: str, number: int | None) -> _Key:
    return (-1, f"no {noun} yet") if number is None else (number, f"{noun} {number}")


def _zone(each: SeenInstance) -> _Key:
    number = int(each.zone) if each.zone.isascii() and each.zone.isdigit() else -1
    return number, f"zone {each.zone}" if each.zone else "no zone"


def _whole(_: SeenInstance) -> _Key:
    return 0, "instances"


def _map(
    group: str, seen: Iterable[SeenInstance], spots: Mapping[str, Spot], row_of: _Axis, column_of: _Axis
) -> HeatMap:
    rows: dict[_Key, dict[_Key, list[Spot]]] = {}
    columns: set[_Key] = set()
    for each in seen:
        column = column_of(each)
        columns.add(column)
        rows.setdefault(row_of(each), {}).setdefault(column, []).append(spots[each.id])
    ordered = sorted(columns)
    return HeatMap(
        group,
        tuple(name for _, name in ordered),
        tuple(
            _row(name, tuple(tuple(sorted(cells.get(column, ()), key=_order)) for column in ordered))
            for (_, name), cells in sorted(rows.items())
        ),
    )


def _row(name: str, cells: tuple[tuple[Spot, ...], ...]) -> Row:
    inside = [spot for cell in cells for spot in cell]
    return Row(
        name,
        sum(each.is_declared for each in inside),
        sum(each.health != State.HEALTHY for each in inside),
        len(inside),
        cells,
    )


def _order(spot: Spot) -> tuple[int, int, str]:
    """The sort key of a spot: its number or, in Flexible orchestration, its name."""
    is_number = spot.id.isascii() and spot.id.isdigit()
    return (0, int(spot.id), "") if is_number else (1, 0, spot.id)


def _legend(state: ScaleSetState, seen: Sequence[SeenInstance]) -> dict[str, Legend]:
    """The legend by image: the declared image first, then the others, the most common first."""
    images = {id(each.image): each.image for each in seen}  # equal ones are one object
    counted = Counter(id(each.image) for each in seen)
    declared, others = 0, Counter[str]()
    for key, image in images.items():
        if image is None:
            continue
        if same(image, state.exact):
            declared += counted[key]
        else:
            others[str(image)] += counted[key]
    exact = str(state.exact)
    found = {exact: Legend("a", short(state.exact), exact, is_declared=True, instances=declared)}
    shorts = {str(image): short(image) for image in images.values() if image is not None}
    for number, (full, instances) in enumerate(others.most_common(), 1):
        letter = _LETTERS[min(number, len(_LETTERS) - 1)]
        found[full] = Legend(letter, shorts[full], full, is_declared=False, instances=instances)
    for full, image in ((str(image), image) for image in images.values() if image is not None):
        if same(image, state.exact):
            found.setdefault(full, found[exact])  # another spelling of it
    return found


def _spots(
    state: ScaleSetState, seen: Sequence[SeenInstance], legend: Mapping[str, Legend]
) -> dict[str, Spot]:
    looks = {id(each.image): legend.get(str(each.image), _UNREPORTED) for each in seen}
    batch = batch_under_way(state)
    return {each.id: _spot(each, looks[id(each.image)], is_in_batch=each.id in batch) for each in seen}


def _spot(each: SeenInstance, look: Legend, *, is_in_batch: bool) -> Spot:
    return Spot(
        id=each.id,
        letter=look.letter,
        image=look.image,
        is_declared=look.is_declared,
        health=str(each.state),
        provisioning=each.provisioning,
        power=each.power,
        reported=each.health,
        error=each.error,
        is_protected=each.protected,
        is_in_batch=is_in_batch,
        since=each.since,
    )


def batch_under_way(state: ScaleSetState) -> frozenset[str]:
    """The ids of the instances that are being upgraded now."""
    attempt, current = state.progress.attempt, state.published.history.current
    is_under_way = current is not None and current.batch_since is not None
    if attempt is None or not isinstance(attempt.step, Upgrade) or not is_under_way:
        return frozenset()  # the last attempt is known for longer than its batch takes
    return frozenset(attempt.step.instance_ids)
