"""Picks: which instances a person may pick, what becomes of each, and when a pick is over.

A pick is kept only in memory. After a restart, a person who still needs it has to run the command again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from reconciler.daemon.outcome import Outcome
from reconciler.daemon.pick_request import UP_TO_DATE, PickRequest
from reconciler.daemon.seen_instance import SeenInstance
from reconciler.daemon.state import PickEnd, PickState, ScaleSetState
from reconciler.rollout.barred import bar_note
from reconciler.rollout.health import State
from reconciler.rollout.member import CUSTOMIZED, is_up_to_date
from reconciler.rollout.observed import id_order
from reconciler.rollout.pick import Pick
from reconciler.rollout.place import instances_at, places, whole_name
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.wording import list_names
from reconciler.spec.duration import format_duration
from reconciler.spec.image import same, short
from reconciler.spec.scale_set import CustomizedInstances
from reconciler.spec.wording import printable

_MOST_PLACES = 12  # in an error


@dataclass(frozen=True, slots=True)
class PickedInstance:
    """A picked instance. `obstacle` says why no upgrade would reach it, or is "" if one would."""

    seen: SeenInstance
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class PickOffer:
    """The result of a request. `state` is the current state, including the pick if one was made."""

    request: PickRequest
    state: ScaleSetState
    instances: tuple[PickedInstance, ...]

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the instances that will be upgraded."""
        return frozenset(each.seen.id for each in self.instances if not each.obstacle)


class PickRefused(Exception):
    """Why a request is refused, and what to do."""


def offer_of(state: ScaleSetState, request: PickRequest) -> PickOffer:
    """The instances that the request asks for, each with any obstacle. Raises PickRefused."""
    if barred := bar_note(state.desired.fleet, "upgrade"):
        raise PickRefused(barred)
    seen = state.seen.instances
    if not seen:
        why = f" ({state.outcome.line})" if state.outcome else ""
        raise PickRefused(f"no instance of {request.name} has been listed yet{why}; try again in a moment")
    if not request.ids:
        request = replace(request, place=whole_name(request.place, seen))
    found = _by_ids(seen, request.ids) if request.ids else _at(request.place, seen)
    return PickOffer(request, state, tuple(PickedInstance(each, _obstacle(state, each)) for each in found))


def _by_ids(seen: Sequence[SeenInstance], ids: Sequence[str]) -> list[SeenInstance]:
    known = {each.id: each for each in seen}
    if unknown := [id_ for id_ in ids if id_ not in known]:
        verb = "is not an instance" if len(unknown) == 1 else "are not instances"
        raise PickRefused(
            f"{list_names(map(printable, unknown))} {verb} of the scale set; "
            f"its instances are {list_names(list(known)[:_MOST_PLACES], len(known))}"
        )
    return [known[id_] for id_ in dict.fromkeys(ids)]


def _at(place: str, seen: Sequence[SeenInstance]) -> list[SeenInstance]:
    found = instances_at(place, seen)
    if not found:
        known = places(seen)
        some = ", ".join(known[:_MOST_PLACES]) + (", …" if len(known) > _MOST_PLACES else "")
        raise PickRefused(
            f"no instance is in {printable(place)}; "
            + (f"use one of: {some}" if known else "Azure reports no domains, so use --instances")
        )
    return found


def _obstacle(state: ScaleSetState, seen: SeenInstance) -> str:
    """Why no upgrade will reach the instance, or "" if one will."""
    if seen.is_attached:
        return "attached by hand"
    if seen.state is State.LEAVING:
        return "being deleted"
    if _is_upgraded(state, seen):
        return UP_TO_DATE
    if seen.protected:
        return "protected from scale set actions"
    if seen.has_own_model and state.desired.rollout.customized_instances is CustomizedInstances.SKIP:
        return CUSTOMIZED
    if seen.state is State.DEALLOCATED:
        return "deallocated"
    return "" if seen.image else "Azure reports no image"


def _is_upgraded(state: ScaleSetState, seen: SeenInstance) -> bool:
    return is_up_to_date(seen, replace(state.desired, image=state.exact))


def pick_in_force(state: ScaleSetState, at: datetime) -> Pick | None:
    """The pick that orders the next batch, or None."""
    known = state.pick
    return known.pick if known and known.end is None and expiry(state, at) is None else None


def expiry(state: ScaleSetState, at: datetime) -> PickEnd | None:
    """The end of the pick if it has become void or too old, otherwise None.

    A pick ages only while the rollout stands still. Waiting for a batch or a soak does not count, because a
    picked domain may take several batches.
    """
    known = state.pick
    if known is None or known.end:
        return None
    if not same(known.image, state.desired.image):
        return PickEnd(at, f"{short(state.desired.image)} is declared now")
    timeout = state.desired.health.timeout
    if at - known.moved_at < timeout:
        return None
    why = f": {state.outcome.reason}" if state.outcome else ""
    return PickEnd(at, f"the rollout has made no progress for {format_duration(timeout)}{why}")


def completion_of_pick(state: ScaleSetState, outcome: Outcome) -> PickEnd | None:
    """The end of the pick if this outcome leaves it nothing to do, otherwise None."""
    known = state.pick
    if known is None or known.end or outcome.is_error or outcome.reason is Reason.PARTIAL_READ:
        return None
    seen = [each for each in state.seen.instances if each.id in known.pick.instances]
    left = [each for each in seen if not _obstacle(state, each) or _is_awaited(state, each)]
    if left and outcome.status is not Status.READY:
        return None
    upgraded = [each for each in seen if _is_upgraded(state, each)]
    verb = "runs" if len(upgraded) == 1 else "run"
    message = f"{len(upgraded)} of {len(known.pick.instances)} {verb} {short(state.exact)}"
    return PickEnd(outcome.at, message, is_served=len(upgraded) == len(known.pick.instances) and not left)


def _is_awaited(state: ScaleSetState, seen: SeenInstance) -> bool:
    """Whether the rollout is waiting for this upgraded instance to become healthy."""
    return _is_upgraded(state, seen) and seen.state not in {State.HEALTHY, State.DEALLOCATED}


def describe_pick(known: PickState, timeout_at: datetime | None) -> str:
    """A description of the pick that says how it ended, or when it will end."""
    who = describe_picked(known.pick)
    if known.end:
        return f"{who}; ended at {known.end.at:%H:%M:%S} UTC: {known.end.message}"
    until = f"; ends at {timeout_at:%H:%M:%S} UTC unless the rollout makes progress" if timeout_at else ""
    return f"{who}{until}"


def describe_picked(pick: Pick) -> str:
    """
    >>> from datetime import UTC
    >>> describe_picked(Pick(frozenset({"8", "3"}), "ada", datetime(2026, 1, 31, 9, tzinfo=UTC), "zone 1"))
    'instances 3 and 8 (zone 1), picked by ada at 09:00:00 UTC'
    """
    ids = sorted(pick.instances, key=id_order)
    noun = "instance" if len(ids) == 1 else "instances"
    place = f" ({pick.place})" if pick.place else ""
    by = f" by {pick.by}" if pick.by else ""
    return f"{noun} {list_names(ids)}{place}, picked{by} at {pick.at:%H:%M:%S} UTC"
