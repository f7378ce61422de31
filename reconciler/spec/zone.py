"""Validates time zone names, and suggests names for common variants.

The names are those of the IANA database in the tzdata package, which is installed with this program, so a
spec is valid either on every machine or on none.
"""

import functools
import re
from importlib import resources

from reconciler.spec.wording import nearest, quote

_FIX = "write a name such as Europe/Berlin, or UTC"
# Abbreviations that are not in the database, and the Windows names for the time zones of large Azure regions.
_MEANT = {
    **dict.fromkeys(("cest", "mez", "mesz", "w. europe standard time"), "Europe/Berlin"),
    **dict.fromkeys(("bst", "gmt standard time"), "Europe/London"),
    **dict.fromkeys(("ist", "india standard time"), "Asia/Kolkata"),
    **dict.fromkeys(("jst", "tokyo standard time"), "Asia/Tokyo"),
    **dict.fromkeys(("aest", "aedt", "aus eastern standard time"), "Australia/Sydney"),
    **dict.fromkeys(("et", "edt", "eastern standard time"), "America/New_York"),
    **dict.fromkeys(("ct", "cst", "cdt", "central standard time"), "America/Chicago"),
    **dict.fromkeys(("mt", "mdt", "mountain standard time"), "America/Denver"),
    **dict.fromkeys(("pt", "pst", "pdt", "pacific standard time"), "America/Los_Angeles"),
    "romance standard time": "Europe/Paris",
    "singapore standard time": "Asia/Singapore",
    "z": "UTC",
}
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*[-+][0-9]{1,2}(?::?[0-9]{2})?", re.IGNORECASE)


def time_zone_error(text: str) -> str | None:
    """The error if the text is not the name of a time zone, otherwise None."""
    if text in _names():
        return None
    if _OFFSET.fullmatch(text):
        return f"{quote(text)} is a UTC offset, not a time zone: {_FIX}"
    meant = _suggestion(text)
    return f"{quote(text)} is not a time zone: " + (f"did you mean {meant}?" if meant else _FIX)


@functools.cache
def _names() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def _suggestion(text: str) -> str | None:
    folded = " ".join(text.casefold().split())
    if folded in _MEANT:
        return _MEANT[folded]
    named = folded.replace(" ", "_")
    for names in _by_folded_name():
        if named in names:
            return names[named]
    cities = _cities()
    near = nearest(text, _sorted_names() if "/" in text else tuple(cities))
    return cities.get(near, near) if near else None


@functools.cache
def _sorted_names() -> tuple[str, ...]:
    return tuple(sorted(_names()))


@functools.cache
def _cities() -> dict[str, str]:
    """The time zone of each city, sorted by city.

    If a city has several time zone names, the shortest is used.
    """
    cities = {name.rpartition("/")[2]: name for name in sorted(_sorted_names(), key=len, reverse=True)}
    return dict(sorted(cities.items()))


@functools.cache
def _by_folded_name() -> tuple[dict[str, str], dict[str, str]]:
    """The time zones by case-folded name, and by case-folded city.

    If several names match, the alphabetically first one is used.
    """
    by_name, by_city = dict[str, str](), dict[str, str]()
    for city, name in _cities().items():
        by_city[city.casefold()] = min(name, by_city.get(city.casefold(), name))
    for name in _sorted_names():
        by_name.setdefault(name.casefold(), name)
    return by_name, by_city
