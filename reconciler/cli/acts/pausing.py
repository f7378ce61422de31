"""What `pause` and `resume` share: they find the resources to tag, and change the tags."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import click

from reconciler.acts import pause as acts
from reconciler.acts.pause import Scope, duration_note
from reconciler.cli.failure import fail, show_error
from reconciler.cli.selector import chosen
from reconciler.cli.tagging import scale_sets_in_force
from reconciler.daemon.specs import Specs
from reconciler.spec.fleet import PauseTag
from reconciler.spec.label import Requirement
from reconciler.spec.scale_set import pause_tag_of

_LONGEST_WAIT = timedelta(minutes=10)  # that one write waits in all while Azure throttles


def scope_of(
    specs: Specs,
    names: Sequence[str],
    selector: tuple[Requirement, ...] | None,
    pause_tag: PauseTag | None,
    *,
    is_all: bool,
    actions: tuple[str, str],
) -> Scope:
    """The resources whose tags a command changes.

    `actions` are two past participles for error messages, such as "written" and "paused". The first says what
    was not done to the tag, and the second what was not done to the scale sets.
    """
    of_tag, action = actions
    if is_all:
        return pause_tag or _fleet_scope(specs, of_tag)
    return chosen(scale_sets_in_force(specs, action), names, selector)


def change_tags(
    scope: Scope, change: Callable[[str], str], sleep: Callable[[float], None] = time.sleep
) -> bool:
    """Call `change` with the id of each resource, and print each result. Returns whether all succeeded."""
    if not isinstance(scope, PauseTag) and (announced := duration_note(scope)):
        click.echo(announced, err=True)
    announced_waits = set[str]()

    def wait(what: str, seconds: float) -> None:
        if what not in announced_waits and seconds >= 1:
            click.echo(f"{what}: Azure is throttling; retrying in {seconds:.0f} s", err=True)
            announced_waits.add(what)
        sleep(seconds)

    is_all_done = True
    for each in acts.change_tags(scope, change, wait, _LONGEST_WAIT):
        if each.is_done:
            click.echo(f"{each.what}: {each.message}")
        else:
            show_error(f"{each.what}: {each.message}")
            is_all_done = False
    return is_all_done


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
