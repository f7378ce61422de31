"""The tag of a pause: written by the command or by hand, and read either way."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from reconciler.rollout.pause import LONGEST, PAUSE, Pause, is_too_long, pause_in, pause_text
from reconciler.spec.author import LONGEST_NAME

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
UNTIL = datetime(2026, 1, 5, 11, 30, tzinfo=UTC)
BY_ADA = "by=ada@example.com;at=2026-01-05T09:00:00+00:00"


@pytest.mark.parametrize(
    ("pause", "text"),
    [
        pytest.param(
            Pause("checkout is down", "ada@example.com", AT, UNTIL),
            f"{BY_ADA};until=2026-01-05T11:30:00+00:00;reason=checkout is down",
            id="all is known",
        ),
        pytest.param(
            Pause("checkout is down", "ada@example.com", AT),
            f"{BY_ADA};reason=checkout is down",
            id="without an end",
        ),
        pytest.param(
            Pause("checkout is down", "", AT),
            "at=2026-01-05T09:00:00+00:00;reason=checkout is down",
            id="by nobody known",
        ),
        pytest.param(Pause("", "ada@example.com", AT), BY_ADA, id="without a reason"),
        pytest.param(
            Pause("down; up=100%", "a;by=b", AT),
            "by=a%3Bby=b;at=2026-01-05T09:00:00+00:00;reason=down%3B up=100%25",
            id="a name and a reason that look like further fields",
        ),
    ],
)
def test_a_pause_is_read_as_it_was_written(pause: Pause, text: str) -> None:
    assert pause_text(pause) == text
    assert pause_in({PAUSE: text}) == pause


@pytest.mark.parametrize(
    ("at", "text"),
    [
        pytest.param(
            AT.astimezone(timezone(timedelta(hours=9))),
            "at=2026-01-05T09:00:00+00:00",
            id="the time of another zone",
        ),
        pytest.param(
            AT.replace(microsecond=900), "at=2026-01-05T09:00:00+00:00", id="a time with microseconds"
        ),
        pytest.param(None, "", id="no time"),
    ],
)
@pytest.mark.usefixtures("tokyo")
def test_times_are_written_in_whole_seconds_of_utc(at: datetime | None, text: str) -> None:
    assert pause_text(Pause(at=at)) == text


@pytest.mark.parametrize(
    ("tags", "pause"),
    [
        pytest.param({}, None, id="no tag"),
        pytest.param({"vmss-reconciler-paused": "no"}, None, id="a tag with a similar name"),
        pytest.param(
            {"team": "shop", "VMSS-Reconciler-Pause": "checkout is down"},
            Pause("checkout is down"),
            id="a reason alone, and the name in other capitals",
        ),
        pytest.param({PAUSE: ""}, Pause(), id="no text"),
        pytest.param(
            {PAUSE: "by=ada;reason=checkout is down"},
            Pause("by=ada;reason=checkout is down"),
            id="fields without a time are a reason",
        ),
        pytest.param(
            {PAUSE: "at=2026-01-05T09:00:00;by=ada"},
            Pause("at=2026-01-05T09:00:00;by=ada"),
            id="a time without a zone is part of a reason",
        ),
        pytest.param(
            {PAUSE: f"{BY_ADA};until=tomorrow"},
            Pause("", "ada@example.com", AT),
            id="an end that is no time is unknown",
        ),
        pytest.param(
            {PAUSE: "by=a\x1bda;at=2026-01-05T09:00:00+00:00;reason=do\x07wn"},
            Pause("do\\x07wn", "a\\x1bda", AT),
            id="control characters are escaped",
        ),
        pytest.param(
            {PAUSE: "do\x07wn"}, Pause("do\\x07wn"), id="control characters of a reason alone are escaped"
        ),
    ],
)
def test_any_text_is_a_pause(tags: dict[str, str], pause: Pause | None) -> None:
    assert pause_in(tags) == pause


@pytest.mark.parametrize(
    ("room", "is_too_long_for_it"),
    [
        pytest.param(0, False, id="it just fits, with the longest name"),
        pytest.param(-1, True, id="one more does not"),
    ],
)
def test_a_reason_fits_into_a_tag_beside_the_longest_name(room: int, is_too_long_for_it: bool) -> None:
    empty = len(pause_text(Pause("", at=AT))) + len(";reason=")
    reason = "x" * (LONGEST - LONGEST_NAME - empty - room)
    assert is_too_long(Pause(reason, "ada", AT)) is is_too_long_for_it
