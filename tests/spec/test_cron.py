"""Validation of schedules: the messages with the error and the fix, as `validate` prints them."""

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from reconciler.spec.cron import schedule_error
from reconciler.spec.schedule import minutes
from tests.build import NOW

FIVE = 'minute, hour, day of the month, month and day of the week, such as "0 2 * * 6"'


@pytest.mark.parametrize(
    "schedule",
    ["0 2 * * 6", "*/5 * * * *", "0,30 1-3 1,15 jan-Mar MON-FRI", "0 0 29 2 *", "0 0 L * *", "0 0 LW * *", "0 0 * * 5L",
     "0 0 * * mon#1", "0 0 31 2 1", "0 0 * * 7", "5/20 0 1 1 0", "0 0 */31 feb *"],
)  # fmt: skip
def test_a_valid_schedule_has_no_error(schedule: str) -> None:
    assert schedule_error(schedule) is None


@pytest.mark.parametrize(
    "schedule, expected",
    [
        pytest.param("", f"has no field, but a cron schedule has five: {FIVE}", id="an empty schedule"),
        pytest.param("daily", f"has one field, but a cron schedule has five: {FIVE}", id="one word"),
        pytest.param("0 2 * *", f"has 4 fields, but a cron schedule has five: {FIVE}", id="four fields"),
        pytest.param(
            "0 0 2 * * 6", "has 6 fields, but a cron schedule has five: remove the seconds or the year", id="six fields"
        ),
        pytest.param("@Weekly", 'is a cron nickname, which is not supported: write "0 0 * * 0"', id="a nickname"),
        pytest.param("@reboot", f"has one field, but a cron schedule has five: {FIVE}", id="the nickname @reboot"),
        pytest.param("0  2 * * 6", 'contains extra whitespace: write "0 2 * * 6"', id="two spaces"),
        pytest.param("every saturday at two am", f"is not a cron schedule: write {FIVE}", id="a sentence"),
        pytest.param(
            "0 0 31 2 *", "never occurs: there is no day 31 in month 2; name another day", id="31 February"
        ),
        pytest.param(
            "0 0 */31 2 1#5",
            'never occurs: no day matches all of "*/31", "2" and "1#5"; name another day',
            id="the first day of a month that is a fifth Monday",
        ),
        pytest.param("0 0 31 4,6,9,11 *", "never occurs: there is no day 31 in month 4,6,9,11; name another day", id="day 31 in the months without it"),
    ],
)  # fmt: skip
def test_an_invalid_schedule(schedule: str, expected: str) -> None:
    assert schedule_error(schedule) == f'"{schedule}" {expected}'


HOURS = "write 0 to 23, a list 1,3, a range 1-3, a step */2 or *"


@pytest.mark.parametrize(
    "schedule, expected",
    [
        pytest.param("0 24 * * *", f'the hour "24" is invalid: {HOURS}', id="the hour 24"),
        pytest.param("0 -1 * * *", f'the hour "-1" is invalid: {HOURS}', id="a negative hour"),
        pytest.param("0 ٣ * * *", f'the hour "٣" is invalid: {HOURS}', id="a digit of another script"),
        pytest.param("0 1-2-3 * * *", f'the hour "1-2-3" is invalid: {HOURS}', id="a range with three bounds"),
        pytest.param("0 99-4 * * *", f'the hour "99-4" is invalid: {HOURS}', id="a backwards range from an invalid hour"),
        pytest.param("0 */0 * * *", f'the hour "*/0" is invalid: {HOURS}', id="a step of 0"),
        pytest.param("0 22-4 * * *", 'the hour runs backwards from "22" to "4": write 22-23,0-4', id="a range of hours over midnight"),
        pytest.param("0 22-0 * * *", 'the hour runs backwards from "22" to "0": write 22-23,0', id="a range of hours until midnight"),
        pytest.param(
            "0 2 * * fri-mon", 'the day of the week runs backwards from "FRI" to "MON": write FRI-SAT,SUN-MON', id="a range of days over the weekend"
        ),
        pytest.param("0 2 * 11-2 *", 'the month runs backwards from "11" to "2": write 11-12,1-2', id="a range of months over the winter"),
        pytest.param("0 2 * * Saturday", 'the day of the week "Saturday" must be abbreviated: write SAT', id="a day that is not abbreviated"),
        pytest.param("0 2 * june *", 'the month "june" must be abbreviated: write JUN', id="a month that is not abbreviated"),
        pytest.param("0 2 ? * 6", "the day of the month contains ?, which cron does not support: write *", id="the question mark of Quartz schedules"),
        pytest.param(
            "60 24 * * *",
            f'the minute "60" is invalid: {HOURS.replace("23", "59")}; the hour "24" is invalid: {HOURS}',
            id="two invalid fields",
        ),
    ],
)  # fmt: skip
def test_an_invalid_field(schedule: str, expected: str) -> None:
    assert schedule_error(schedule) == f'"{schedule}": {expected}'


def test_a_long_schedule_is_not_parsed() -> None:
    assert (schedule_error(f"{'1,' * 500}1 * * * *") or "").endswith(
        "is longer than 200 characters: split it into two windows"
    )


FIELD = st.text(st.sampled_from("0123456789*/-,#LWFRIMON?aé "), max_size=6) | st.sampled_from(
    ["*", "0", "L", "1#5", "*/2"]
)


@given(st.lists(FIELD, min_size=5, max_size=5).map(" ".join))
def test_a_schedule_without_an_error_can_be_evaluated(schedule: str) -> None:
    if schedule_error(schedule) is None:
        assert minutes(schedule, "Europe/Berlin", NOW, 60) >= 0
        assert next(CronSim(schedule, NOW))
