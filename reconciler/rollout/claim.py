"""A claim: the tag that `reconciler upgrade` sets if it upgrades instances without a daemon.

    vmss-reconciler-claim   holder=4f0c…;by=ada;until=2026-01-05T09:11:00+00:00

While the claim lasts, no other process of ours takes a step for the scale set. The claim expires by itself,
so that a killed command does not block the daemons for long. A tag that does not say who holds the claim and
until when is ignored. So is a tag with an end that is too far in the future.
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
    """A claim. `holder` is the id of the process that holds it, and `by` says who started that process."""

    holder: str
    by: str
    until: datetime

    def is_live(self, at: datetime, length: timedelta) -> bool:
        """Whether the claim holds at `at`.

        A claim with far more than `length` left is taken for a forgery, and blocks nobody.

        length 11m, it is 09:00: until 09:00 no, 09:01 yes, 10:11 yes, 10:12 no
        """
        return at < self.until <= at + length + _SLACK


def claim_length(timeout: timedelta) -> timedelta:
    """How long a claim lasts: the wait before the first step (`UNSEEN`), and then `health.timeout`."""
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
    """The value of the claim tag."""
    until = claim.until.astimezone(UTC).isoformat(timespec="seconds")
    return f"holder={escape(claim.holder)};by={escape(claim.by)};until={until}"
