"""Windows: whether they are open and until when, also around clock changes."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.spec.schedule import minutes
from reconciler.spec.window import Kind, Opening, Window, never_opens, opening, shadowed_windows

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BERLIN = "Europe/Berlin"  # clocks: 02:00 to 03:00 on 29 March 2026, 03:00 to 02:00 on 25 October 2026


def allow(schedule: str, duration: timedelta, zone: str = "UTC") -> Window:
    return Window(Kind.ALLOW, schedule, duration, zone)


def deny(schedule: str, duration: timedelta, zone: str = "UTC") -> Window:
    return Window(Kind.DENY, schedule, duration, zone)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHT = allow("0 2 * * *", 4 * HOUR)
SATURDAY = allow("0 2 * * 6", 4 * HOUR)
EVE = deny("0 0 24 12 *", DAY)
HALF_PAST = allow("30 2 * * *", 2 * HOUR, BERLIN)
QUARTERS = allow("*/15 * * * *", 5 * MINUTE, BERLIN)


def row(sentence: str, windows: list[Window], at: str, *state_until_by: object) -> object:
    """At `at` the state is "open" or "closed", until a time, because of a window."""
    state, until, by = (*state_until_by, None)[:3]
    expected = Opening(state == "open", moment(str(until)) if until else None, by)  # type: ignore[arg-type]
    return pytest.param(windows, moment(at), expected, id=sentence)


ROWS = [
    row("without windows it is always open", [], "2026-01-05 09:00", "open", None),
    row(
        "before its hour a window is closed",
        [NIGHT],
        "2026-01-05 01:59:59.999999",
        "closed",
        "2026-01-05 02:00",
    ),
    row("a window that opens now is open", [NIGHT], "2026-01-05 02:00", "open", "2026-01-05 06:00", NIGHT),
    row(
        "a window is open until its last moment",
        [NIGHT],
        "2026-01-05 05:59:59.999999",
        "open",
        "2026-01-05 06:00",
        NIGHT,
    ),
    row("a window that ends now is closed", [NIGHT], "2026-01-05 06:00", "closed", "2026-01-06 02:00"),
    row(
        "a weekly window opens again in days",
        [SATURDAY],
        "2026-01-03 06:00",
        "closed",
        "2026-01-10 02:00",
    ),
    row(
        "a deny window closes without any allow window",
        [EVE],
        "2026-12-24 12:00",
        "closed",
        "2026-12-25 00:00",
        EVE,
    ),
    row(
        "with only deny windows it is open outside them",
        [EVE],
        "2026-01-05 09:00",
        "open",
        "2026-12-24 00:00",
    ),
    row(
        "a deny window overrides an allow window",
        [NIGHT, EVE],
        "2026-12-24 03:00",
        "closed",
        "2026-12-25 02:00",
        EVE,
    ),
    row(
        "an allowed time ends where a denied one begins",
        [NIGHT, deny("0 4 * * *", HOUR)],
        "2026-01-05 03:00",
        "open",
        "2026-01-05 04:00",
        NIGHT,
    ),
    row(
        "an allowed time resumes where a denied one ends",
        [NIGHT, deny("0 4 * * *", HOUR)],
        "2026-01-05 04:30",
        "closed",
        "2026-01-05 05:00",
        deny("0 4 * * *", HOUR),
    ),
    row(
        "the end of a denied time opens nothing outside of the allowed one",
        [NIGHT, deny("0 4 * * *", 3 * HOUR)],
        "2026-01-05 04:30",
        "closed",
        "2026-01-06 02:00",
        deny("0 4 * * *", 3 * HOUR),
    ),
    row(
        "two windows that touch are one",
        [allow("0 2 * * *", HOUR), allow("0 3 * * *", HOUR), allow("30 3 * * *", HOUR)],
        "2026-01-05 02:00",
        "open",
        "2026-01-05 04:30",
        allow("0 2 * * *", HOUR),
    ),
    row(
        "nothing opens between two adjacent deny windows",
        [deny("0 2 * * *", HOUR), deny("0 3 * * *", HOUR)],
        "2026-01-05 02:59:59.5",
        "closed",
        "2026-01-05 04:00",
        deny("0 2 * * *", HOUR),
    ),
    row(
        "a window that ends as it opens again is always open",
        [allow("0 0 * * *", DAY)],
        "2026-01-05 00:00",
        "open",
        None,
        allow("0 0 * * *", DAY),
    ),
    row(
        "a window longer than its period is always open",
        [allow("0 0 * * *", 36 * HOUR)],
        "2026-01-05 09:00",
        "open",
        None,
        allow("0 0 * * *", 36 * HOUR),
    ),
    row(
        "a window that closes for a minute in a week",
        [allow("1 0 * * 1", 168 * HOUR - MINUTE)],
        "2026-01-05 00:01",
        "open",
        "2026-01-12 00:00",
        allow("1 0 * * 1", 168 * HOUR - MINUTE),
    ),
    row(
        "a window that is denied every minute never opens",
        [allow("0 0 1 1 *", HOUR), deny("* * * * *", MINUTE)],
        "2026-01-05 09:00",
        "closed",
        None,
        deny("* * * * *", MINUTE),
    ),
    row(
        "a deny window every other minute leaves a minute of an hour",
        [allow("0 0 1 1 *", HOUR), deny("*/2 * * * *", MINUTE)],
        "2026-01-05 09:01",
        "closed",
        "2027-01-01 00:01",
    ),
    row(
        "a day that occurs every four years is beyond the search",
        [allow("0 0 29 2 *", HOUR)],
        "2026-01-05 09:00",
        "closed",
        None,
    ),
    row(
        "a window uses the clocks of its time zone",
        [allow("0 2 * * *", HOUR, "Asia/Kolkata")],
        "2026-01-05 09:00",
        "closed",
        "2026-01-05 20:30",
    ),
    row(
        "the queried time may be in any time zone",
        [allow("0 2 * * *", HOUR, "Asia/Kolkata")],
        "2026-01-05 20:30",
        "open",
        "2026-01-05 21:30",
        allow("0 2 * * *", HOUR, "Asia/Kolkata"),
    ),
    row(
        "a skipped time occurs after the gap",
        [HALF_PAST],
        "2026-03-29 00:59",
        "closed",
        "2026-03-29 01:00",
    ),
    row(
        "a window after a skipped time has its full duration",
        [HALF_PAST],
        "2026-03-29 01:00",
        "open",
        "2026-03-29 03:00",
        HALF_PAST,
    ),
    row(
        "a repeated time occurs the first time",
        [HALF_PAST],
        "2026-10-25 00:29",
        "closed",
        "2026-10-25 00:30",
    ),
    row(
        "a window is still open at the repeated time",
        [HALF_PAST],
        "2026-10-25 01:10",
        "open",
        "2026-10-25 02:30",
        HALF_PAST,
    ),
    row(
        "in the repeated hour the next opening is tomorrow",
        [allow("30 2 * * *", 15 * MINUTE, BERLIN)],
        "2026-10-25 01:10",
        "closed",
        "2026-10-26 01:30",
    ),
    row(
        "a window during a change to summer time has its full duration",
        [allow("0 1 * * *", 4 * HOUR, BERLIN)],
        "2026-03-29 00:30",
        "open",
        "2026-03-29 04:00",
        allow("0 1 * * *", 4 * HOUR, BERLIN),
    ),
    row(
        "a window during a change to winter time has its full duration",
        [allow("0 1 * * *", 4 * HOUR, BERLIN)],
        "2026-10-25 00:30",
        "open",
        "2026-10-25 03:00",
        allow("0 1 * * *", 4 * HOUR, BERLIN),
    ),
    row(
        "a quarter-hourly window opens in both repeated hours",
        [QUARTERS],
        "2026-10-25 01:06",
        "closed",
        "2026-10-25 01:15",
    ),
    row(
        "a quarter-hourly window continues after a skipped hour",
        [QUARTERS],
        "2026-03-29 00:50",
        "closed",
        "2026-03-29 01:00",
    ),
    row(
        "clocks that change by half an hour",
        [allow("*/5 2 * * *", 5 * MINUTE, "Australia/Lord_Howe")],
        "2026-04-04 15:00",  # 02:00 there, and 01:30 at once
        "closed",
        "2026-04-04 15:30",
    ),
    row(
        "clocks that change at midnight",
        [allow("0 1 * * 5", HOUR, "Africa/Cairo")],
        "2026-04-23 21:59",  # the last minute of Thursday; Friday begins at 01:00
        "closed",
        "2026-04-23 22:00",
    ),
]


@pytest.mark.parametrize("windows, at, expected", ROWS)
def test_whether_a_window_is_open_and_until_when(
    windows: list[Window], at: datetime, expected: Opening
) -> None:
    assert opening(windows, at) == expected
    assert opening(windows, at.astimezone(ZoneInfo("America/New_York"))) == expected


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        pytest.param([], False, id="no windows"),
        pytest.param([SATURDAY, EVE], False, id="a weekly window with a yearly deny window"),
        pytest.param([allow("0 0 29 2 *", HOUR)], False, id="a window on 29 February"),
        pytest.param(
            [allow("0 0 24 12 *", HOUR), deny("0 0 * * 4", DAY)],
            False,
            id="a window denied on Thursdays and a date that is not always one",
        ),
        pytest.param([SATURDAY, deny("0 0 * * 6", DAY)], True, id="a window that is always denied"),
        pytest.param([deny("0 0 * * *", DAY)], True, id="a deny window all day"),
        pytest.param(
            [deny("0 0 * * *", DAY, BERLIN)], False, id="a deny window that leaves a repeated hour open"
        ),
    ],
)
def test_whether_windows_ever_open(windows: list[Window], *, expected: bool) -> None:
    assert never_opens(tuple(windows)) is expected


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        pytest.param([], {}, id="no windows"),
        pytest.param([EVE, deny("* * * * *", HOUR)], {}, id="only deny windows"),
        pytest.param([SATURDAY, EVE], {}, id="a window that is sometimes denied"),
        pytest.param([EVE, SATURDAY, deny("0 0 * * 6", DAY)], {1: {2}}, id="a window that one deny window covers"),
        pytest.param(
            [SATURDAY, deny("0 1 * * 6", 3 * HOUR), deny("0 3 * * 6", 3 * HOUR)],
            {0: set()},
            id="a window that two deny windows cover together",
        ),
        pytest.param(
            [NIGHT, SATURDAY, deny("0 0 * * 6", DAY), deny("0 2 * * *", 3 * HOUR), deny("0 0 * * 5", 2 * DAY)],
            {1: {2, 4}},
            id="one of two windows that each of two deny windows covers",
        ),
        pytest.param([allow("0 0 * 2 1#5", HOUR), EVE], {0: None}, id="a window that never opens"),
        pytest.param([allow("0 0 29 2 *", HOUR), deny("0 0 * 2 4", DAY)], {0: {1}}, id="29 February denied on Thursdays"),
    ],
)  # fmt: skip
def test_which_windows_are_always_denied(windows: list[Window], expected: object) -> None:
    assert shadowed_windows(tuple(windows)) == expected


# A simulation minute by minute that uses only the clocks and not cron: slow but simple.

ZONES = ["UTC", BERLIN, "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana"]
AHEAD = 2 * DAY


@dataclass(frozen=True)
class Plain:
    """A window as sets of numbers, None for a star. Sunday is 0."""

    kind: Kind
    minutes: frozenset[int] | None
    hours: frozenset[int] | None
    weekdays: frozenset[int] | None
    duration: timedelta
    zone: str

    @property
    def window(self) -> Window:
        fields = (self.minutes, self.hours, None, None, self.weekdays)
        schedule = " ".join("*" if each is None else ",".join(map(str, sorted(each))) for each in fields)
        return Window(self.kind, schedule, self.duration, self.zone)

    def comes(self, shown: datetime) -> bool:
        return all(
            wanted is None or number in wanted
            for wanted, number in (
                (self.minutes, shown.minute),
                (self.hours, shown.hour),
                (self.weekdays, shown.isoweekday() % 7),
            )
        )

    def open_minutes(self, since: datetime, until: datetime) -> set[datetime]:
        zone, found, ends = ZoneInfo(self.zone), set(), since - DAY
        at = since - self.duration - HOUR
        before = at.astimezone(zone)
        while at < until:
            shown = at.astimezone(zone)
            if None in (self.minutes, self.hours):
                comes = self.comes(shown)
            else:
                skipped, comes = before.replace(tzinfo=None) + MINUTE, False
                while skipped <= shown.replace(tzinfo=None):
                    comes, skipped = comes or self.comes(skipped), skipped + MINUTE
                comes = comes and not shown.fold
            ends = at + self.duration if comes else ends
            if since <= at < ends:
                found.add(at)
            at, before = at + MINUTE, shown
        return found


def numbers(least: int, most: int) -> st.SearchStrategy[frozenset[int] | None]:
    return st.none() | st.frozensets(st.integers(least, most), min_size=1, max_size=4)


PLAIN = st.builds(
    Plain,
    st.sampled_from(Kind),
    numbers(0, 59),
    numbers(0, 23),
    numbers(0, 6),
    st.sampled_from([1, 2, 15, 30, 60, 61, 240, 1440]).map(lambda count: count * MINUTE),
    st.sampled_from(ZONES),
)
# Mostly around clock changes.
MOMENT = st.builds(
    lambda day, seconds: moment(day) + timedelta(seconds=seconds),
    st.sampled_from(
        ["2026-03-08", "2026-03-29", "2026-04-05", "2026-06-15", "2026-10-04", "2026-10-25", "2026-11-01"]
    ),
    st.floats(-86400, 86400),
)
TWICE = Plain(Kind.ALLOW, frozenset({30}), frozenset({2}), None, 240 * MINUTE, BERLIN)


@settings(max_examples=80, deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=3), MOMENT)
@example([TWICE], moment("2026-10-25 01:10"))
@example([TWICE], moment("2026-03-29 01:10"))
def test_an_opening_agrees_with_a_simulation_minute_by_minute(plains: list[Plain], at: datetime) -> None:
    now = at.replace(second=0, microsecond=0)
    every = {now + count * MINUTE for count in range(AHEAD // MINUTE)}
    of_kind = {
        kind: set().union(*(each.open_minutes(now, now + AHEAD) for each in plains if each.kind is kind))
        for kind in Kind
    }
    allowed = of_kind[Kind.ALLOW] if any(each.kind is Kind.ALLOW for each in plains) else every
    is_open = {each: each in allowed and each not in of_kind[Kind.DENY] for each in every}
    changes = [each for each in every if is_open[each] is not is_open[now]]
    found = opening([each.window for each in plains], at)
    assert found.is_open is is_open[now]
    if changes:
        assert found.until == min(changes)
    else:
        assert found.until is None or found.until >= now + AHEAD


# Compared with the iteration of cronsim where that is correct. It loses an hour if clocks change by half an hour,
# or at midnight with a weekday in the schedule.
ON_CLOCKS = [
    "30 2 * * *",
    "0,15 2 * * *",
    "0 * * * *",
    "*/30 * * * *",
    "0 0 * * *",
    "15 1-3 * * *",
    "30 23 * * *",
    "0 0-23 * * *",
    "*/20 1-3 * * *",
]
ON_DAYS = ["0 12 L * *", "0 0 1-7 * 1", "0 9 */3 * 1", "0 0 * * 6L", "0 1 * * 2#1", "45 1 29 3 *", "5 4 LW jan,JUL *", "0 0 29 2 *"]  # fmt: skip


@pytest.mark.parametrize("zone", [*ZONES[1:], "America/Santiago", "Asia/Beirut", "Pacific/Chatham"])
@pytest.mark.parametrize("since", ["2026-03-05", "2026-03-25", "2026-10-01", "2026-10-22"])
def test_a_schedule_agrees_with_cronsim_around_clock_changes(zone: str, since: str) -> None:
    for schedule in ON_CLOCKS:
        assert by_minutes(schedule, zone, moment(since), 12) == by_cron(schedule, zone, moment(since), 12), (
            schedule
        )


@pytest.mark.parametrize("schedule", ON_DAYS)
def test_a_schedule_agrees_with_cronsim_on_days(schedule: str) -> None:
    since = moment("2027-01-01 12:00")
    assert by_minutes(schedule, BERLIN, since, 2 * 366) == by_cron(schedule, BERLIN, since, 2 * 366)


def by_minutes(schedule: str, zone: str, since: datetime, days: int) -> list[datetime]:
    bits = bin(minutes(schedule, zone, since, days * DAY // MINUTE))[:1:-1]
    return [since + number * MINUTE for number, bit in enumerate(bits) if bit == "1"]


def by_cron(schedule: str, zone: str, since: datetime, days: int) -> list[datetime]:
    found: set[datetime] = set()
    for shown in CronSim(schedule, (since - 2 * DAY).astimezone(ZoneInfo(zone))):
        at = shown.astimezone(UTC)
        if at >= since + days * DAY:
            break
        found.add(at)
    return sorted(each for each in found if each >= since)


@pytest.mark.parametrize(
    "windows",
    [
        pytest.param(
            [allow("0 0 1 1 *", HOUR), deny("* * * * *", MINUTE)], id="a yearly window denied every minute"
        ),
        pytest.param(
            [allow("*/2 * * * *", MINUTE), deny("*/2 * * * *", MINUTE)],
            id="allow and deny windows every other minute",
        ),
        pytest.param([allow("* * * * *", 168 * HOUR, BERLIN)], id="a window of a week every minute"),
    ],
)
def test_a_year_of_minutes_takes_few_function_calls(windows: list[Window]) -> None:
    opening(windows, moment("2026-01-05 09:00"))  # fills the cache for days with a clock change
    assert steps(windows, moment("2026-01-05 09:00")) < 30_000 < 366 * DAY // MINUTE


def steps(windows: list[Window], at: datetime) -> int:
    """The number of function calls to compute the opening."""
    count = 0

    def count_call(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count_call)
    try:
        opening(windows, at)
    finally:
        sys.setprofile(before)
    return count
