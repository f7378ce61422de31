"""`reconciler why`: the reason one scale set is where it is, the evidence, and what would let it go on."""

import json
from typing import Any

import click

from reconciler.cli.failure import fail
from reconciler.cli.forecast import headline
from reconciler.cli.named import unknown_name
from reconciler.cli.options import FleetAccess, fleet_options, output_option
from reconciler.cli.status import server_option, store
from reconciler.cli.table import count
from reconciler.cli.verb import Verb
from reconciler.rollout.reason import Requeue, meaning_of

Json = dict[str, Any]


@click.command(cls=Verb)
@click.argument("name")
@server_option
@fleet_options
@output_option
def why(*, name: str, fleet: FleetAccess, server: str, output: str) -> None:
    """Say why a scale set is where it is, and what would let it go on.

    NAME is that of its spec. Asks the daemon; where none answers, looks itself, without changing anything.
    """
    shown = store(fleet, server)
    rows = {row["name"]: row for row in shown["scaleSets"]}
    orphans = {each["name"]: each for each in shown.get("orphans") or ()}
    if name in orphans and name not in rows:
        orphan = orphans[name]
        text = f"{name}: Orphaned\n{orphan['message']}"
        click.echo(json.dumps(orphan, indent=2) if output == "json" else text)
        return
    if name not in rows:
        fail(unknown_name(name, rows, (shown["sweep"] or {}).get("errors") or ()))
    click.echo(json.dumps(rows[name], indent=2) if output == "json" else explanation(rows[name]))


def explanation(row: Json) -> str:
    """One scale set in a few lines, of the shape of `reconciler.daemon.report.entry`."""
    lines = [f"{row['name']}: {row['status'] or 'not looked at yet'}"]
    if row["reason"]:
        lines.append(f"{row['reason']}: {row['message']}")
        if meaning := meaning_of(row["reason"]):  # none where the daemon is of a newer version
            lines += [f"because   {meaning.cause}", f"goes on   {meaning.remedy}"]
        lines += _wait(row)
    lines.append(f"declared  {_declaration_of(row)}")
    lines += _behind(row)
    if row["reason"]:
        lines.append(f"stands    {', '.join(map(_condition, row['conditions']))}")
    lines += [f"{'open' if each['open'] else 'closed':<9} gate {_gate(each)}" for each in row["gates"]]
    if approval := row.get("approval"):  # none of a daemon of an older version
        lines.append(f"approved  {approval['message']}")
    if instances := row["instances"]:
        lines.append(f"instances {_count_of(instances)}{_as_of(row)}")
        behind = [
            each for each in instances["domains"] if each["unavailable"] or each["upToDate"] < each["total"]
        ]
        lines += [f"          {each['domain']}: {_count_of(each)}" for each in behind]
    lines += [f"note      {each}" for each in row["notes"]]
    lines += [f"rollout   {_record(each)}" for each in row["history"]]
    if row["forecast"]:
        lines.append(f"forecast  {headline(row)}")
    if row["at"]:
        lines.append(f"seen      {_moment(row['at'])} UTC; looks again {_next_check(row)}")
    return "\n".join(lines)


def _wait(row: Json) -> list[str]:
    """Since when the same is waited for or tried again, and how often."""
    wait = row.get("wait")  # none of a daemon of an older version
    if not wait:
        return []
    return [f"waiting   since {_moment(wait['since'])} UTC, {count(wait['tries'], 'look')}"]


def _behind(row: Json) -> list[str]:
    """The newer commit that is not in force here, and the first of its errors."""
    behind = row.get("behind")  # none of a daemon of an older version
    if not behind:
        return []
    more = f" and {count(behind['errors'] - 1, 'more error')}" if behind["errors"] > 1 else ""
    return [
        f"behind    {behind['message']}: it has errors, and is not in force here until they are fixed",
        f"error     {behind['error']}{more}",
    ]


def _declaration_of(row: Json) -> str:
    """What is declared now, and whether what is said here is about that: did it see the merge?"""
    declared, observed = row["revision"], row["observedRevision"]
    said = f"{row['image']}{_by(declared['commit'])}"
    if row["reason"] is None or observed == declared:
        return said
    if observed is None:
        return f"{said}; nothing could be decided on it yet"
    about = f"commit {observed['commit'][:10]}" if observed["commit"] else "what was declared before"
    return f"{said}; not decided on yet: the last decision is about {about}"


def _by(commit: str) -> str:
    return f", by commit {commit[:10]}" if commit else ""


def _condition(condition: Json) -> str:
    """Its status; beside Ready since when, beside those that have a reason of their own that."""
    said = f"{condition['type']} {condition['status']}"
    match condition["type"]:
        case "Ready" if condition["lastTransitionTime"]:
            return f"{said} since {_moment(condition['lastTransitionTime'])}"
        case "Healthy" | "Drifted":
            return f"{said} ({condition['reason']})"
        case _:
            return said


def _gate(gate: Json) -> str:
    return f"{gate['name']}: {gate['evidence']}"


def _record(record: Json) -> str:
    began = _moment(record["began"]) if record["began"] else "began before the daemon"
    return f"{began}: {record['message']}{_by(record['commit'])}"


def _next_check(row: Json) -> str:
    if row["nextReconcile"]:
        return f"at {_moment(row['nextReconcile'])} at the latest"
    meaning = meaning_of(row["reason"])
    if meaning is None or meaning.requeue is Requeue.ON_CHANGE:
        return "when it moves, or its interval has passed"
    return "at the next sweep"


def _as_of(row: Json) -> str:
    """When the instances were counted, where that was before the last look."""
    at = row.get("instancesAt")  # none of a daemon of an older version
    return f", as of {_moment(at)} UTC" if at and row["at"] and at[:19] != row["at"][:19] else ""


def _moment(text: str) -> str:
    return text[:19].replace("T", " ")


def _count_of(instances: Json) -> str:
    return (
        f"{instances['upToDate']} of {instances['total']} up to date, {instances['unavailable']} unavailable"
    )
