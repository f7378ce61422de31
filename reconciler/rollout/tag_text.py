"""Fields in the text of a tag: "by=ada;at=2026-01-05T09:00:00+00:00". Escaped values cannot add fields."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime


def escape(text: str) -> str:
    """
    >>> escape("a;b,c"), unescape("a%3Bb%2Cc")
    ('a%3Bb%2Cc', 'a;b,c')
    """
    return text.replace("%", "%25").replace(";", "%3B").replace(",", "%2C")


def unescape(text: str) -> str:
    """The inverse of `escape`."""
    return text.replace("%2C", ",").replace("%3B", ";").replace("%25", "%")


def fields(parts: Iterable[str]) -> defaultdict[str, str]:
    """The values of parts such as "by=ada", by name. The value of a missing name is ""."""
    return defaultdict(str, (part.partition("=")[::2] for part in parts))


def moment(text: str) -> datetime | None:
    """The time that the text gives in ISO 8601 with a time zone, or None for any other text."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
