"""Writes and removes pause tags, on any number of resources."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from reconciler.acts.tagging import TagUnchanged
from reconciler.azure.failure import AzureFailure
from reconciler.azure.patience import patiently
from reconciler.azure.session import Session
from reconciler.azure.tags import delete_tags, merge_tags, read_tags
from reconciler.rollout.pause import PAUSE, Pause, pause_in, pause_text
from reconciler.rollout.refusal import describe_pause
from reconciler.spec.duration import format_duration
from reconciler.spec.fleet import PauseTag
from reconciler.spec.scale_set import ScaleSet

_AT_ONCE, _A_SECOND = 200, 10  # writes of tags that Azure allows

Scope = PauseTag | tuple[ScaleSet, ...]
"""The resource group whose tag pauses the fleet, or the scale sets whose own tags do."""


@dataclass(frozen=True, slots=True)
class TagChange:
    """The result of changing one tag.

    `what` names the resource that has the tag. `message` is the result, or why the change failed.
    """

    what: str
    message: str
    is_done: bool


def write_pause(session: Session, pause: Pause, resource: str) -> str:
    """Write the tag. Returns the result as a message. Raises AzureFailure."""
    merge_tags(session, resource, {PAUSE: pause_text(pause)})
    return f"paused by {pause.by or 'someone'}"


def remove_pause(session: Session, resource: str, shown: Collection[Pause] | None = None) -> str:
    """Remove the tag. Returns the result as a message. Raises AzureFailure.

    If `shown` is given, a pause that is not in `shown` stays, and TagUnchanged is raised.
    """
    tags = read_tags(session, resource)
    if not (known := pause_in(tags)):
        return "not paused"
    if shown is not None and known not in shown:
        raise TagUnchanged(unseen_pause_note(known, "it"))
    # With its value: a pause that somebody has ordered since then stays.
    delete_tags(session, resource, {name: tags[name] for name in tags if name.casefold() == PAUSE})
    return f"resumed; {describe_pause(known, 'it', 'was')}"


def unseen_pause_note(pause: Pause, who: str) -> str:
    """The message for a pause that stays because the person was not shown it."""
    return f"{describe_pause(pause, who)}, which the form did not show; open the form again in a minute"


def change_tags(
    scope: Scope, change: Callable[[str], str], wait: Callable[[str, float], None], longest_wait: timedelta
) -> Iterator[TagChange]:
    """Call `change` with the id of each resource, and yield the results.

    While Azure throttles, `wait` is called with the name of a resource and the seconds to wait. The waits for
    one tag never exceed `longest_wait` in total.
    """
    for what, resource in _resources(scope):
        try:
            message = patiently(partial(change, resource), longest_wait, partial(wait, what))
        except (AzureFailure, TagUnchanged) as why:
            yield TagChange(what, str(why), is_done=False)
        else:
            yield TagChange(what, message, is_done=True)


def duration_note(scale_sets: Sequence[ScaleSet]) -> str:
    """A note on how long Azure takes to write the tags of these scale sets, or "" if the time is negligible.

    Each subscription has its own limit.
    """
    most = max(Counter(each.target.subscription.casefold() for each in scale_sets).values(), default=0)
    if most <= _AT_ONCE:
        return ""
    lasts = timedelta(seconds=-(-(most - _AT_ONCE) // _A_SECOND))
    return (
        f"{len(scale_sets):,} tags take at least {format_duration(lasts)} to write, because "
        f"Azure allows {_AT_ONCE} writes at once in a subscription, and then {_A_SECOND} a second"
    )


def _resources(scope: Scope) -> Iterator[tuple[str, str]]:
    """The name and the id of each resource whose tag is changed."""
    if isinstance(scope, PauseTag):
        yield f"the fleet (resource group {scope.resource_group})", scope.id
        return
    for each in scope:
        yield each.name, each.target.id
