"""The age of something in a column of a table."""

from datetime import datetime

from reconciler.spec.duration import short_length


def age(since: str | None, now: datetime) -> str:
    """The time since a moment in the form of the JSON, "-" if it is unknown.

    >>> now = datetime.fromisoformat("2026-01-05T09:12:00+00:00")
    >>> age("2026-01-05T09:00:00+00:00", now), age(None, now)
    ('12m', '-')
    """
    return short_length(now - datetime.fromisoformat(since)) if since else "-"
