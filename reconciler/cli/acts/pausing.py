"""Shared by `pause` and `resume`: where the tag of a pause is, and the writing of many tags."""

import time
from collections.abc import Callable, Sequence

import click

from reconciler.azure.failure import AzureFailure, TooManyRequests
from reconciler.cli.failure import fail, show_error
from reconciler.cli.selector import Requirement, chosen
from reconciler.cli.tagging import scale_sets_in_force
from reconciler.daemon.specs import Specs
from reconciler.spec.fleet import PauseTag
from reconciler.spec.scale_set import ScaleSet

_AT_ONCE, _A_SECOND = 200, 10  # writes of tags that Azure allows
_LONGEST_WAIT = 600.0  # seconds that one write waits in all while Azure throttles


def fleet_scope(specs: Specs, action: str) -> PauseTag | tuple[ScaleSet, ...]:
    """The resource group that the Fleet names, or else every declared scale set.

    Ends the command if the specs cannot be read.
    """
    specs.refresh()
    tag = next((each.fleet.pause_tag for each in specs.scale_sets if each.fleet.pause_tag), None)
    if tag:
        return tag
    if specs.errors or not specs.scale_sets:
        for line in specs.errors:
            show_error(line)
        fail(
            f"no tag was {action}: the specs cannot be read, so the resource group of the tag is unknown; "
            "pass its id with --pause-tag"
        )
    return specs.scale_sets


def named_scope(
    specs: Specs, names: Sequence[str], selector: tuple[Requirement, ...] | None, action: str
) -> tuple[ScaleSet, ...]:
    """The scale sets that are named or selected. Exits if there is none."""
    return chosen(scale_sets_in_force(specs, action), names, selector)


def announce_duration(number: int) -> None:
    """Say beforehand how long Azure takes for so many tags, if it is not at once."""
    if number > _AT_ONCE:
        seconds = (number - _AT_ONCE) / _A_SECOND
        click.echo(
            f"{number} tags take at least {seconds:.0f} s: Azure allows {_AT_ONCE} writes at once and then "
            f"{_A_SECOND} a second",
            err=True,
        )


def write_tag(what: str, write: Callable[[], str]) -> bool:
    """Write one tag, and print the result. Waits while Azure throttles. Returns whether it succeeded."""
    waited = 0.0
    while True:
        try:
            click.echo(f"{what}: {write()}")
        except TooManyRequests as throttled:
            delay = max(throttled.retry_after.total_seconds(), 0.1)
            if (waited := waited + delay) > _LONGEST_WAIT:
                show_error(f"{what}: {throttled}")
                return False
            if waited == delay:
                click.echo(f"{what}: Azure throttles; trying again in {delay:.0f} s", err=True)
            time.sleep(delay)
        except AzureFailure as failure:
            show_error(f"{what}: {failure}")
            return False
        else:
            return True
