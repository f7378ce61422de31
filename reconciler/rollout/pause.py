"""A pause: a person's order to stop, given by a tag instead of a commit.

    vmss-reconciler-pause   by=ada@example.com;at=2026-01-05T09:00:00+00:00;until=…;reason=checkout is down

A tag on a scale set pauses that scale set. A tag on the resource group that the Fleet names pauses the whole
fleet. Any value counts as a pause, because a person in a hurry might set the tag by hand. Text in another
form is taken as the reason. The name in the tag proves nothing. Azure's activity log shows who wrote the tag.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from reconciler.rollout.tag_text import escape, fields, moment, unescape
from reconciler.spec.author import LONGEST_NAME
from reconciler.spec.wording import printable

PAUSE = "vmss-reconciler-pause"
LONGEST = 256
"""The maximum number of characters in the value of a tag in Azure."""


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause, as its tag describes it.

    `reason` and `by` are "" if unknown, and the times are None. The pause still applies after `until`, but is
    then reported as expired.
    """

    reason: str = ""
    by: str = ""
    at: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class FleetPause:
    """What is known about the pause of the fleet.

    `pause` is the pause that was read last, or None if there was none. `unread_since` is the time of that
    read if it was too long ago, or None. `unknown` says why the tag has never been read since the daemon
    started, or is "". While `unknown` is set, the fleet counts as paused.
    """

    pause: Pause | None = None
    unread_since: datetime | None = None
    unknown: str = ""


NOT_PAUSED = FleetPause()


def pause_in(tags: Mapping[str, str]) -> Pause | None:
    """The pause in these tags, or None. Azure ignores the case of tag names.

    >>> pause_in({"VMSS-Reconciler-Pause": "checkout is down"}).reason
    'checkout is down'
    """
    text = next((value for name, value in tags.items() if name.casefold() == PAUSE), None)
    if text is None:
        return None
    found = fields(text.split(";"))
    at, until = moment(found["at"]), moment(found["until"])
    if not at:
        return Pause(reason=printable(text))
    reason, by = (printable(unescape(found[name])) for name in ("reason", "by"))
    return Pause(reason, by, at, until)


def pause_text(pause: Pause) -> str:
    """The value of the pause tag, which can be longer than Azure allows (`LONGEST`)."""
    parts = {
        "by": escape(pause.by),
        "at": _text(pause.at),
        "until": _text(pause.until),
        "reason": escape(pause.reason),
    }
    return ";".join(f"{name}={value}" for name, value in parts.items() if value)


def is_too_long(pause: Pause) -> bool:
    """Whether this pause might not fit into the tag together with a person's name."""
    return len(pause_text(replace(pause, by=""))) + LONGEST_NAME > LONGEST


def _text(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else ""
