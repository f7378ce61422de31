"""Validation of time zone names, with suggestions for common variants."""

from zoneinfo import ZoneInfo

import pytest

from reconciler.spec.zone import time_zone_error

FIX = "write a name such as Europe/Berlin, or UTC"


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT-1", "CET"])
def test_a_valid_name_has_no_error(name: str) -> None:
    assert time_zone_error(name) is None
    assert ZoneInfo(name)


@pytest.mark.parametrize(
    "text, meant",
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("Berln", "Europe/Berlin"),
        ("new york", "America/New_York"),
        ("America/New York", "America/New_York"),
        ("CEST", "Europe/Berlin"),
        ("PDT", "America/Los_Angeles"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("utc", "UTC"),
        ("Z", "UTC"),
    ],
)
def test_a_common_variant_gets_a_suggestion(text: str, meant: str) -> None:
    assert time_zone_error(text) == f'"{text}" is not a time zone: did you mean {meant}?'
    assert time_zone_error(meant) is None


@pytest.mark.parametrize("text", ["+02:00", "UTC+1", "gmt-5", "+0530"])
def test_an_offset_is_not_a_time_zone(text: str) -> None:
    assert time_zone_error(text) == f'"{text}" is a UTC offset, not a time zone: {FIX}'


@pytest.mark.parametrize("text", ["", "Mars/Phobos", "../../etc/passwd", "/etc/localtime", "localtime"])
def test_other_text_is_not_a_time_zone(text: str) -> None:
    assert time_zone_error(text) == f'"{text}" is not a time zone: {FIX}'
