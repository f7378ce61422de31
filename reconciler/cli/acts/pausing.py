"""Shared by `pause` and `resume`: where the tag of a pause is, and the writing of many tags."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import click

from reconciler.azure.failure import AzureFailure
from reconciler.azure.patience import patiently
from reconciler.cli.failure import fail, show_error
from reconciler.cli.selector import chosen
from reconciler.cli.tagging import scale_sets_in_force
from reconciler.daemon.specs import Specs
from reconciler.spec.duration import format_duration
from reconciler.spec.fleet import PauseTag
from reconciler.spec.label import Requirement
from reconciler.spec.scale_set import ScaleSet, pause_tag_of

_AT_ONCE, _A_SECOND = 200, 10  # writes of tags that Azure allows
_LONGEST_WAIT = timedelta(minutes=10)  # that one write waits in all while Azure throttles


Scope = PauseTag | tuple[ScaleSet, ...]
"""The resource group whose tag pauses the fleet, or the scale sets whose own tags do."""


def scope_of(
    specs: Specs,
    names: Sequence[str],
    selector: tuple[Requirement, ...] | None,
    pause_tag: PauseTag | None,
    *,
    is_all: bool,
    actions: tuple[str, str],
) -> Scope:
    """What a command is about.

    `actions` are what is not done to a tag, and to a scale set, if it ends the command with an error.
    """
    of_tag, action = actions
    if is_all:
        return pause_tag or _fleet_scope(specs, of_tag)
    return chosen(scale_sets_in_force(specs, action), names, selector)


def change_tags(
    scope: Scope, change: Callable[[str], str], sleep: Callable[[float], None] = time.sleep
) -> bool:
    """Call `change` with the id of each resource, and print its result. Returns whether all succeeded."""
    if isinstance(scope, PauseTag):
        what = f"the fleet (resource group {scope.resource_group})"
        return _change_tag(what, partial(change, scope.id), sleep)
    if announced := duration_note(scope):
        click.echo(announced, err=True)
    changed = [_change_tag(each.name, partial(change, each.target.id), sleep) for each in scope]
    return all(changed)


def _fleet_scope(specs: Specs, action: str) -> Scope:
    """The resource group that the Fleet names, or else every declared scale set.

    Ends the command if the specs cannot be read.
    """
    specs.refresh()
    if tag := pause_tag_of(specs.scale_sets):
        return tag
    if specs.errors or not specs.scale_sets:
        for line in specs.errors:
            show_error(line)
        fail(
            f"no tag was {action}: the specs cannot be read, so the resource group of the tag is unknown; "
            "pass its id with --pause-tag"
        )
    return specs.scale_sets


def duration_note(scale_sets: Sequence[ScaleSet]) -> str:
    """How long Azure takes for their tags. "" if it is done at once. Each subscription has its own budget."""
    most = max(Counter(each.target.subscription.casefold() for each in scale_sets).values(), default=0)
    if most <= _AT_ONCE:
        return ""
    lasts = timedelta(seconds=-(-(most - _AT_ONCE) // _A_SECOND))
    return (
        f"{len(scale_sets):,} tags take at least {format_duration(lasts)}: Azure allows {_AT_ONCE} writes at "
        f"once and then {_A_SECOND} a second in a subscription"
    )


def _change_tag(what: str, change: Callable[[], str], sleep: Callable[[float], None]) -> bool:
    """Change one tag, and print the result. Waits while Azure throttles. Returns whether it succeeded."""
    is_announced = False

    def wait(seconds: float) -> None:
        nonlocal is_announced
        if not is_announced and seconds >= 1:
            click.echo(f"{what}: Azure throttles; trying again in {seconds:.0f} s", err=True)
            is_announced = True
        sleep(seconds)

    try:
        click.echo(f"{what}: {patiently(change, _LONGEST_WAIT, wait)}")
    except AzureFailure as failure:
        show_error(f"{what}: {failure}")
        return False
    return True
