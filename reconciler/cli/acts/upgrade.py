"""`reconciler upgrade`: have instances of a scale set upgraded next, picked by hand."""

import getpass
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NoReturn

import click

from reconciler.cli.daemon_client import DaemonRefused, DaemonUnreachable, post_for_json, store_of
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import fail
from reconciler.cli.heat_map import full_name
from reconciler.cli.row_errors import rows_named
from reconciler.rollout.reason import Status, meaning_of
from reconciler.rollout.wording import list_names
from reconciler.spec.duration import format_duration
from reconciler.spec.wording import count

Json = Mapping[str, Any]

_INTERVAL = 1.0  # seconds between two requests
_NOTHING_DONE = "nothing was done; pass --yes to do it"


def act(
    *,
    name: str,
    domain: str | None,
    instances: tuple[str, ...] | None,
    yes: bool,
    no_wait: bool,
    server: str,
) -> None:
    """Have the daemon upgrade the picked instances next, or show what would happen."""
    if bool(domain) == bool(instances):
        raise click.UsageError("pass either --domain or --instances")
    if no_wait and not yes:
        raise click.UsageError("--no-wait needs --yes")
    asked = {
        "name": name,
        "by": getpass.getuser(),
        "domain": full_name(domain) if domain else None,
        "instances": list(instances or ()),
    }
    row = _row(server, name)
    offer = _ask(server, asked | {"trial": not yes})
    for line in _described(offer, row):
        click.echo(line)
    going = [each for each in offer["instances"] if not each["obstacle"]]
    if not going:
        _end_without_pick(offer)
    if not yes:
        click.echo(_NOTHING_DONE, err=True)
    elif not no_wait:
        _wait(server, name, offer["pick"]["at"], row)


def _row(server: str, name: str) -> Json:
    try:
        found = store_of(server)
    except DaemonUnreachable as unreachable:
        fail(f"{unreachable}; set --server, or start one with `reconciler run`")
    if message := (found.get("replica") or {}).get("message"):
        fail(f"{server}: {message}; ask that replica")
    return rows_named(found, (name,))[0]


def _ask(server: str, asked: Json) -> Json:
    try:
        return post_for_json(server, "/upgrade", asked)
    except DaemonUnreachable as unreachable:
        fail(str(unreachable))
    except DaemonRefused as refused:
        fail(f"the daemon at {server} refused: {refused}")


def _described(offer: Json, row: Json) -> Iterator[str]:
    """What happens to which instances, what blocks it now, and what ends that."""
    going = [each for each in offer["instances"] if not each["obstacle"]]
    left = [each for each in offer["instances"] if each["obstacle"]]
    if going:
        yield f"{offer['name']}: {count(len(going), 'instance')} to be upgraded next to {offer['shortImage']}"
    for each in going:
        health = "" if each["health"] == "healthy" else f", {each['health']}"
        yield f"  {_placed(each)}, from {each['shortImage']}{health}"
    for each in left:
        yield f"  {_placed(each)}, not upgraded: {each['obstacle']}"
    if not going or row["reason"] is None:
        return
    yield f"now: {row['status']}: {row['reason']}: {row['message']}"
    if row["status"] in {Status.RECONCILING, Status.READY}:
        return
    if meaning := meaning_of(row["reason"]):
        yield f"ends: {meaning.remedy}"
    length = format_duration(timedelta(seconds=offer["timeoutSeconds"]))
    yield f"the pick lapses if the rollout stands still for {length} (health.timeout)"


def _placed(instance: Json) -> str:
    place = f" ({instance['place']})" if instance["place"] else ""
    return f"{instance['id']}{place}"


def _end_without_pick(offer: Json) -> NoReturn:
    """Exit: there is nothing to upgrade."""
    left = [each for each in offer["instances"] if each["obstacle"] != "already up to date"]
    if not left:
        click.echo(f"{offer['name']}: nothing to upgrade")
        sys.exit(0)
    fail(f"{offer['name']}: no upgrade would reach {list_names([each['id'] for each in left])}")


def _wait(server: str, name: str, at: str, before: Json) -> None:
    """Print each change until the pick is over. Ends the command with a failure if it was not served."""
    shown = _line(before)
    is_lost = False
    while True:
        time.sleep(_INTERVAL)
        try:
            rows = {each["name"]: each for each in store_of(server)["scaleSets"]}
        except DaemonUnreachable as unreachable:
            if not is_lost:
                click.echo(f"{unreachable}; trying again", err=True)
            is_lost = True
            continue
        is_lost = False
        if name not in rows:
            fail(f"{name} is no longer declared")
        row = rows[name]
        if (line := _line(row)) != shown:
            shown = line
            click.echo(line)
        pick = row["pick"]
        if pick is None:
            fail("the daemon no longer knows the pick, because it has restarted; run the command again")
        if pick["at"] != at:
            fail(f"the pick was replaced by another: {pick['message']}")
        if end := pick["end"]:
            click.echo(f"{name}: {end['message']}")
            if not end["isServed"]:
                sys.exit(FAILURE)
            return


def _line(row: Json) -> str:
    return f"{row['name']}: {row['status']}: {row['reason']}: {row['message']}"
