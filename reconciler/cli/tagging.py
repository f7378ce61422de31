"""Shared by the verbs that write tags on scale sets for the daemon."""

from collections.abc import Callable, Iterable, Mapping

import click

from reconciler.acts.tagging import TagUnchanged, retry_conflict
from reconciler.azure.failure import AzureFailure
from reconciler.cli.failure import fail, show_error
from reconciler.daemon.specs import Specs
from reconciler.rollout.barred import first_bar_note
from reconciler.spec.scale_set import ScaleSet


def scale_sets_in_force(specs: Specs, action: str) -> Mapping[str, ScaleSet]:
    """The declared scale sets by name. Ends the command if a spec has errors.

    If there are errors, it is unknown which specs the daemon uses. `action` is a participle for the error
    message, such as "approved".
    """
    specs.refresh()
    if specs.errors:
        for line in specs.errors:
            show_error(line)
        fail(f"nothing was {action}: the specs have errors or cannot be read; fix them first")
    return {each.name: each for each in specs.scale_sets}


def check_permitted(scale_sets: Iterable[ScaleSet], command: str) -> None:
    """End the command if the Fleet bars `command`."""
    if barred := first_bar_note((each.fleet for each in scale_sets), command):
        fail(barred)


def write_and_report(name: str, write: Callable[[], str]) -> bool:
    """Call `write` for one scale set, and print the result. Returns whether the call succeeded."""
    try:
        result = retry_conflict(write)
    except (AzureFailure, TagUnchanged) as why:
        show_error(f"{name}: {why}")
        return False
    click.echo(f"{name}: {result}")
    return True
