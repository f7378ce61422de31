"""Fields in the text of a tag: "by=ada;at=2026-01-05T09:00:00+00:00". No value can break them apart."""

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
    """The text that was escaped."""
    return text.replace("%2C", ",").replace("%3B", ";").replace("%25", "%")


def fields(parts: Iterable[str]) -> defaultdict[str, str]:
    """The parts by name, "" for those that are not there."""
    return defaultdict(str, (part.partition("=")[::2] for part in parts))


def moment(text: str) -> datetime | None:
    """A time with its zone, or None."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None
