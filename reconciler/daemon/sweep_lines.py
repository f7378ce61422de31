"""The log lines of a sweep that concern no single scale set.

Each condition is logged once when it begins, and once when it ends.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.daemon.interfaces import DeclaredSpecs
from reconciler.daemon.store import Sweep
from reconciler.rollout.pause import NOT_PAUSED
from reconciler.rollout.refusal import describe_pause
from reconciler.rollout.wording import join, moment
from reconciler.spec.wording import count


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log. `level` is a level of `logging`."""

    level: int
    text: str


def commit_lines(specs: DeclaredSpecs, before: Sweep | None) -> Iterator[Line]:
    """A line with the active specs if they have changed, so that an author sees the merge arrive."""
    if specs.in_force_since is None:
        return
    if before and (before.commit, before.subject) == (specs.commit, specs.subject):
        return
    declared = count(len(specs.scale_sets), "scale set")
    if specs.shard:
        declared = f"{declared} of {specs.total}, by {specs.shard}"
    yield Line(logging.INFO, f"{specs} in force: {declared}")


def orphan_lines(now: Sweep, before: Sweep | None) -> Iterator[Line]:
    """Each new orphan, and each scale set that is no longer an orphan. Only the leader looks for orphans."""
    known = {each.target: each for each in before.orphans} if before else {}
    for each in now.orphans:
        if each.target not in known:
            yield Line(logging.WARNING, f"{each.name}: Orphaned: {each.message}")
    left = {each.target for each in now.orphans}
    for each in known.values():
        if each.target not in left:
            yield Line(logging.INFO, f"{each.name}: no longer Orphaned")


def sweep_lines(now: Sweep, before: Sweep | None, specs: DeclaredSpecs) -> Iterator[Line]:
    """Errors and warnings of the specs, the lists and the pause tag, and the pause of the fleet."""
    yield from _error_lines(now, before, specs)
    known = before.warnings if before else ()
    yield from (Line(logging.WARNING, each) for each in now.warnings if each not in known)
    yield from _stale_lines(now, before)
    yield from _pause_lines(now, before)


def _error_lines(now: Sweep, before: Sweep | None, specs: DeclaredSpecs) -> Iterator[Line]:
    known = before.errors if before else ()
    yield from (Line(logging.ERROR, each) for each in now.errors if each not in known)
    if now.spec_errors and set(now.errors) - set(known) and specs.in_force_since:
        yield Line(logging.ERROR, _stays_in_force(before, specs))
    if known and not now.errors:
        yield Line(logging.INFO, "specs and scale set listing recovered")


def _stays_in_force(before: Sweep | None, specs: DeclaredSpecs) -> str:
    """A sentence that says which specs stay active if the newest ones have errors or cannot be read."""
    refused = specs.refused
    if refused is None or (before and before.refused == refused):
        return f"{specs} remains in force"
    behind = [each.desired.name for each in specs.in_force if each.behind]
    verb = "is" if refused.commit else "are"
    if len(behind) == len(specs.in_force):
        return f"{refused} {verb} refused; {specs} remains in force"
    if not behind:
        return f"{refused} {verb} in force except for the documents with errors"
    kept = "its last good declaration remains" if len(behind) == 1 else "their last good declarations remain"
    return f"{refused} {verb} refused for {join(behind)}; {kept} in force"


def _stale_lines(now: Sweep, before: Sweep | None) -> Iterator[Line]:
    """The line that says that no rollout begins until the specs can be read again."""
    if now.stale_since and not (before and before.stale_since):
        yield Line(
            logging.ERROR,
            f"the specs have been unreadable since {moment(now.stale_since)}; no rollout will begin until "
            "they can be read again",
        )


def _pause_lines(now: Sweep, before: Sweep | None) -> Iterator[Line]:
    pause, known = now.fleet_pause, before.fleet_pause if before else NOT_PAUSED
    if pause.unknown and not known.unknown:
        yield Line(logging.ERROR, f"the fleet counts as paused, because {pause.unknown}")
    elif pause.unread_since and not known.unread_since:
        yield Line(
            logging.ERROR,
            f"the pause tag has been unreadable since {moment(pause.unread_since)}; no serving instance will "
            "be upgraded until it can be read again",
        )
    elif pause.pause and pause.pause != known.pause:
        yield Line(logging.WARNING, describe_pause(pause.pause, "the fleet"))
    elif known != NOT_PAUSED and pause == NOT_PAUSED:
        ended = "the fleet is no longer paused" if known.pause else "the pause tag can be read again"
        yield Line(logging.INFO, ended)
