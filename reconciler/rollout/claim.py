"""A claim: `reconciler upgrade` upgrades instances by itself, where it knows of no daemon.

    vmss-reconciler-claim   holder=4f0c…;by=ada;until=2026-01-05T09:11:00+00:00

While it lasts, no other process of ours takes a step for the scale set. It ends by itself, so that a command
that is killed does not block the daemons for long. Anything that does not say who holds it and until when is
no claim, and neither is one that ends too late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconciler.rollout.tag_text import escape, fields, moment, unescape
from reconciler.spec.wording import printable

CLAIM = "vmss-reconciler-claim"
UNSEEN = timedelta(minutes=1)  # how long the step of a daemon may follow an observation from before the claim
_SLACK = timedelta(hours=1)  # for a spec whose health.timeout was longer, and for a clock that is wrong


@dataclass(frozen=True, slots=True)
class Claim:
    """`holder` is the id of the process that holds it, and `by` the name of the person who started that."""

    holder: str
    by: str
    until: datetime

    def is_live(self, at: datetime, length: timedelta) -> bool:
        """Whether it holds. One that ends far later than a claim of `length` is forged, and blocks no one.

        length 11m, it is 09:00: until 09:00 no, 09:01 yes, 10:11 yes, 10:12 no
        """
        return at < self.until <= at + length + _SLACK


def claim_length(timeout: timedelta) -> timedelta:
    """As long as a command waits, and an upgraded instance may take to become healthy (`health.timeout`)."""
    return UNSEEN + timeout


def claim_in(tags: Mapping[str, str]) -> Claim | None:
    """The claim in these tags, or None. Azure ignores the case of tag names.

    >>> claim_in({CLAIM: "holder=4f0c;by=ada;until=2026-01-05T09:11:00+00:00"}).by
    'ada'
    >>> claim_in({CLAIM: "mine"}) is None
    True
    """
    text = next((value for name, value in tags.items() if name.casefold() == CLAIM), "")
    found = fields(text.split(";"))
    until = moment(found["until"])
    holder, by = (printable(unescape(found[name])) for name in ("holder", "by"))
    return Claim(holder, by, until) if holder and until else None


def claim_text(claim: Claim) -> str:
    """The value of the tag."""
    until = claim.until.astimezone(UTC).isoformat(timespec="seconds")
    return f"holder={escape(claim.holder)};by={escape(claim.by)};until={until}"
