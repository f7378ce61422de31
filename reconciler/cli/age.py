"""Ages, as shown in the columns of a table."""

from datetime import datetime

from reconciler.spec.duration import short_length


def age(since: str | None, now: datetime) -> str:
    """The time from `since` (in ISO 8601) to `now`, or "-" if `since` is None.

    >>> now = datetime.fromisoformat("2026-01-05T09:12:00+00:00")
    >>> age("2026-01-05T09:00:00+00:00", now), age(None, now)
    ('12m', '-')
    """
    return short_length(now - datetime.fromisoformat(since)) if since else "-"
