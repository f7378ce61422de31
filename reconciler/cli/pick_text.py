"""The text that `reconciler upgrade` prints about the picked instances."""

import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import click

from reconciler.cli.failure import fail
from reconciler.daemon.pick_request import UP_TO_DATE
from reconciler.rollout.reason import Status, meaning_of
from reconciler.rollout.wording import list_names
from reconciler.spec.duration import format_duration
from reconciler.spec.wording import count

Json = Mapping[str, Any]

_NOTHING_DONE = "nothing was done; pass --yes to do it"


def show_offer(offer: Json, row: Json, *, is_trial: bool) -> None:
    """Print what will happen to which instances. Ends the command if there is nothing to upgrade.

    `offer` has the shape of `reconciler.daemon.report.pick_offer`, and `row` the shape of
    `reconciler.daemon.report.state`.
    """
    for line in _offer_lines(offer, row):
        click.echo(line)
    if all(each["obstacle"] for each in offer["instances"]):
        check_all_reached(offer)
        click.echo(f"{offer['name']}: nothing to upgrade")
        sys.exit(0)
    if is_trial:
        click.echo(_NOTHING_DONE, err=True)


def _offer_lines(offer: Json, row: Json) -> Iterator[str]:
    """What will happen to which instances, what blocks the upgrade now, and what would unblock it."""
    going = [each for each in offer["instances"] if not each["obstacle"]]
    left = [each for each in offer["instances"] if each["obstacle"]]
    if going:
        yield f"{offer['name']}: {count(len(going), 'instance')} to be upgraded next to {offer['shortImage']}"
    for each in going:
        health = "" if each["health"] == "healthy" else f", {each['health']}"
        yield f"  {_label(each)}, from {each['shortImage']}{health}"
    for each in left:
        yield f"  {_label(each)}, not upgraded: {each['obstacle']}"
    if not going or row["reason"] is None:
        return
    yield f"now: {row['status']}: {row['reason']}: {row['message']}"
    if row["status"] in {Status.RECONCILING, Status.READY}:
        return
    if meaning := meaning_of(row["reason"]):
        yield f"ends: {meaning.remedy}"
    length = format_duration(timedelta(seconds=offer["timeoutSeconds"]))
    yield f"the pick lapses if the rollout stands still for {length} (health.timeout)"


def _label(instance: Json) -> str:
    place = f" ({instance['place']})" if instance["place"] else ""
    return f"{instance['id']}{place}"


def check_all_reached(offer: Json) -> None:
    """End the command with a failure if no upgrade reaches some of the picked instances."""
    left = [each["id"] for each in offer["instances"] if each["obstacle"] not in {None, UP_TO_DATE}]
    if left:
        fail(f"{offer['name']}: no upgrade reaches {list_names(left)}")
