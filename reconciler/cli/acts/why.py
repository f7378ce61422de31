"""`reconciler why`: the status of one scale set, its reason, the evidence, and the next step."""

import shutil
import sys
import textwrap
from collections.abc import Callable
from functools import cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.acts.status import store
from reconciler.cli.daemon_client import DaemonRefused, DaemonUnreachable, post_for_json
from reconciler.cli.forecast import headline
from reconciler.cli.row_errors import rows_named
from reconciler.cli.standby import show_standby
from reconciler.cli.structured import STRUCTURED, show_structured
from reconciler.daemon.unknown_change import unknown_change
from reconciler.rollout.reason import Requeue, meaning_of
from reconciler.spec.wording import count

if TYPE_CHECKING:
    from reconciler.cli.access import FleetAccess

Json = dict[str, Any]
# Of a daemon that does not know the request.
_UNKNOWN_REQUEST = frozenset(
    {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
)
_INDENT = 12  # columns before the content of a line


def act(*, name: str, open_fleet: "Callable[[], FleetAccess]", server: str, output: str) -> None:
    """Explain the status of a scale set."""
    open_once = cache(open_fleet)
    shown = store(open_once, server)
    show_standby(shown, server)
    orphans = {each["name"]: each for each in shown.get("orphans") or ()}
    if name in orphans and all(row["name"] != name for row in shown["scaleSets"]):
        orphan = orphans[name]
        if output in STRUCTURED:
            show_structured(orphan, output)
        else:
            click.echo(f"{name}: Orphaned\n{orphan['message']}")
        return
    (row,) = rows_named(shown, (name,))
    if output in STRUCTURED:
        show_structured({**row, "lastChange": _last_change(open_once, shown, row)}, output)
        return
    click.echo(fitted(explanation(row), _window()))
    # The log may be slow, so it is read when all else has been printed.
    if change := _last_change(open_once, shown, row):
        click.echo(fitted(f"changed     {change['message']}", _window()))


def _last_change(open_fleet: "Callable[[], FleetAccess]", shown: Json, row: Json) -> Json | None:
    """Who changed the model last, or None if the daemon is too old to say.

    The answer comes from wherever the status came from: the daemon, or this command itself.
    """
    if shown["source"]["kind"] != "daemon":
        from reconciler.cli.own_last_change import own_last_change

        return own_last_change(open_fleet(), row["name"])
    try:
        return post_for_json(shown["source"]["url"], "/last-change", {"name": row["name"]})
    except DaemonRefused as refused:
        is_unknown = refused.status in _UNKNOWN_REQUEST
        return None if is_unknown else unknown_change(f"unknown: the daemon does not say ({refused})")
    except DaemonUnreachable as error:
        return unknown_change(f"unknown: {error}")


def _window() -> int | None:
    """The width of the terminal in columns, or None if the output is a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def fitted(text: str, width: int | None) -> str:
    """Wrap long lines between words, with continuation lines indented to the column of the content.

    >>> print(fitted("reason      the image failed in scale set web", 32))
    reason      the image failed in
                scale set web
    """
    if width is None:
        return text
    fold = partial(
        textwrap.wrap,
        width=max(width, 2 * _INDENT),
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(line for each in text.splitlines() for line in fold(each) or [""])


def explanation(row: Json) -> str:
    """The status of one scale set, explained in a few lines.

    `row` has the shape of `reconciler.daemon.report.state`.
    """
    lines = [f"{row['name']}: {row['status'] or 'not checked yet'}"]
    if row["reason"]:
        lines.append(f"reason      {row['reason']}: {row['message']}")
        meaning = meaning_of(row["reason"])  # none if the daemon has a newer version
        if meaning and not _names(row["message"], meaning.remedy):
            lines.append(f"ends        {meaning.remedy}")
        lines += _since(row)
        lines.append(f"checked     {_moment(row['at'])} UTC{_tries(row)}; next check {_next_check(row)}")
    lines += _safety(row)
    lines.append(f"declared    {_declaration_of(row)}")
    lines += _behind(row)
    if row["reason"]:
        lines.append(f"conditions  {', '.join(_condition(each, row) for each in row['conditions'])}")
    lines += [f"gate        {_gate(each, row['message'] or '')}" for each in row["gates"]]
    if approval := row.get("approval"):  # none if the daemon has an older version
        lines.append(f"approved    {approval['message']}")
    if instances := row["instances"]:
        lines.append(f"instances   {_count_of(instances)}{_as_of(row)}")
        behind = [
            each for each in instances["domains"] if each["unavailable"] or each["upToDate"] < each["total"]
        ]
        lines += [f"            {each['domain']}: {_count_of(each)}" for each in behind]
    if pick := row.get("pick"):  # none if the daemon has an older version
        lines.append(f"picked      {pick['message']}")
    lines += [f"note        {each}" for each in row["notes"]]
    lines += [f"rollout     {_record(each)}" for each in row["history"]]
    if row["forecast"]:
        lines.append(f"forecast    {headline(row)}")
    return "\n".join(lines)


def _names(message: str, remedy: str) -> bool:
    """Whether a message already contains every word of the remedy.

    >>> _names("nothing is changed until `reconciler resume web` is run", "run `reconciler resume`")
    True
    >>> _names("Azure is creating the scale set", "resumes automatically once Azure has finished")
    False
    """
    return set(_words(remedy)) <= set(_words(message))


def _quotes(message: str, evidence: str) -> bool:
    """Whether a message contains the words of the evidence, in the same order and without gaps.

    In another order, the words may mean something else: "2 of 3" is not "3 of 2".

    >>> _quotes("it waits: 2 of 3 unavailable, which is too many", "2 of 3 unavailable")
    True
    >>> _quotes("it waits: 3 of 2 unavailable", "2 of 3 unavailable")
    False
    """
    # With a space on each side, so that "1 of 3" is not found in "21 of 30".
    wanted, text = (" ".join(("", *_words(each), "")) for each in (evidence, message))
    return wanted in text


def _words(text: str) -> list[str]:
    """The words of a text, without punctuation."""
    return [found for word in text.casefold().split() if (found := word.strip("`,;.():"))]


def _since(row: Json) -> list[str]:
    """The line that says when the reason began, or nothing if the message already says so."""
    since = (row.get("wait") or row).get("since")  # none if the daemon has an older version
    if not since or f"since {_moment(since)[:16]} UTC" in row["message"]:
        return []
    return [f"since       {_moment(since)} UTC"]


def _tries(row: Json) -> str:
    """The number of checks so far in the current wait, or "" if there is no wait."""
    wait = row.get("wait")  # none if the daemon has an older version
    return f", {count(wait['tries'], 'check')} so far" if wait else ""


def _safety(row: Json) -> list[str]:
    """The line about whether an instance may be taken down now, and which image new instances would get."""
    found = row.get("disruption")  # none if the daemon has an older version, or counted no instance
    if not found:
        return []
    allowed = found["allowed"]
    may = f"{count(allowed, 'instance')} may be taken down" if allowed else "no instance may be taken down"
    most = found["maxUnavailable"]
    limits = "no limit: maxUnavailable 100%" if most == "100%" else f"maxUnavailable {most}"
    if found["unhealthy"]:
        limits += f"; {found['unhealthy']} unhealthy, maxUnhealthy {found['maxUnhealthy']}"
    what = f"{found['unavailable']} of {found['of']} unavailable ({limits})"
    image = f"; the model is on {row['shortModelImage']}, " if found["imageProven"] is not None else ""
    proof = f"{'proven' if found['imageProven'] else 'not proven'} in this scale set" if image else ""
    held = "; nothing is changed while it is on hold" if row["suspended"] else ""
    return [f"safe now    {may}: {what}{image}{proof}{held}"]


def _behind(row: Json) -> list[str]:
    """The lines about a newer commit that is not used here because it has errors, with the first error."""
    behind = row.get("behind")  # none of a daemon of an older version
    if not behind:
        return []
    more = f" and {count(behind['errors'] - 1, 'more error')}" if behind["errors"] > 1 else ""
    return [
        f"behind      {behind['message']}: it has errors, and is not in force here until they are fixed",
        f"error       {behind['error']}{more}",
    ]


def _declaration_of(row: Json) -> str:
    """The declared image and commit, with a note if no decision has been made about them yet."""
    declared, observed = row["revision"], row["observedRevision"]
    declaration = f"{row['image']}{_by(declared['commit'])}"
    if row["reason"] is None or observed == declared:
        return declaration
    if observed is None:
        return f"{declaration}; no decision yet"
    about = f"commit {observed['commit'][:10]}" if observed["commit"] else "the previous specs"
    return f"{declaration}; no decision yet; the last one was about {about}"


def _by(commit: str) -> str:
    return f", commit {commit[:10]}" if commit else ""


def _condition(condition: Json, row: Json) -> str:
    """A condition as text. Healthy and Drifted include their reason.

    Ready includes the time of its last change, unless the reason of the status began at the same time.
    """
    text = f"{condition['type']} {condition['status']}"
    match condition["type"]:
        case "Ready" if condition["lastTransitionTime"] not in (None, row.get("since")):
            return f"{text} since {_moment(condition['lastTransitionTime'])}"
        case "Healthy" | "Drifted":
            return f"{text} ({condition['reason']})"
        case _:
            return text


def _gate(gate: Json, message: str) -> str:
    """A gate as text. Its evidence is left out if the message already quotes it."""
    text = f"{gate['name']} {'open' if gate['open'] else 'closed'}"
    return text if _quotes(message, gate["evidence"]) else f"{text}: {gate['evidence']}"


def _record(record: Json) -> str:
    began = _moment(record["began"]) if record["began"] else "before the daemon started"
    return f"{began}: {record['message']}{_by(record['commit'])}"


def _next_check(row: Json) -> str:
    if row["nextReconcile"]:
        return f"at {_moment(row['nextReconcile'])} at the latest"
    meaning = meaning_of(row["reason"])
    if meaning is None or meaning.requeue is Requeue.ON_CHANGE:
        return "when it changes, or after its interval"
    return "at the next sweep"


def _as_of(row: Json) -> str:
    """When the instances were counted, or "" if that was at the last check."""
    at = row.get("instancesAt")  # none if the daemon has an older version
    return f", as of {_moment(at)} UTC" if at and row["at"] and at[:19] != row["at"][:19] else ""


def _moment(text: str) -> str:
    return text[:19].replace("T", " ")


def _count_of(instances: Json) -> str:
    return (
        f"{instances['upToDate']} of {instances['total']} up to date, {instances['unavailable']} unavailable"
    )
