"""The table of `status`: its order, its columns, and how it fits every window."""

import re
from datetime import timedelta
from typing import Any

import pytest

from reconciler.cli.grid import plain
from reconciler.cli.row_filter import RowFilter, filtered
from reconciler.cli.status_table import StatusTable
from reconciler.spec.label import Requirement
from tests.build import NOW

OLD, NEW = "24.04.202601010", "24.04.202602020"
STATUSES = ("Ready", "Suspended", None, "Waiting", "Reconciling", "Failing", "Stalled")
MINUTE = timedelta(minutes=1)
SWEEP = {"at": NOW.isoformat(), "commit": "91eab1ad9c53", "subject": "Move web", "errors": []}


def row(name: str = "web", status: str | None = "Ready", **changes: Any) -> dict[str, Any]:
    """A scale set as the daemon reports it."""
    return {
        "name": name,
        "target": f"/subscriptions/{'1' * 8}-1111-1111-1111-{'1' * 12}/resourceGroups/shop/providers/x/y/{name}",
        "labels": {"team": "web"},
        "image": f"Canonical:ubuntu:server:{NEW}",
        "shortImage": NEW,
        "modelImage": f"Canonical:ubuntu:server:{OLD}",
        "shortModelImage": OLD,
        "commit": "91eab1ad9c53",
        "status": status,
        "reason": status and "Soaking",
        "message": "web_0 has been healthy since 09:00; the next batch will start after 09:10 (soak 10m)",
        "since": (NOW - 12 * MINUTE).isoformat(),
        "at": (NOW - MINUTE).isoformat(),
        "step": None,
        "instances": {
            "total": 3,
            "upToDate": 1,
            "domains": [{"upToDate": each == 0, "total": 1, "unavailable": each == 1} for each in range(3)],
        },
        "forecast": {"ends": (NOW + 95 * MINUTE).isoformat(), "endsWith": "UpToDate"},
    } | changes


def orphan(name: str = "old") -> dict[str, Any]:
    return {
        "name": name,
        "target": "/subscriptions/s/resourceGroups/g",
        "image": f"Canonical:ubuntu:server:{OLD}",
        "began": (NOW - 26 * 60 * MINUTE).isoformat(),
        "instances": {"upToDate": 1, "total": 2},
        "at": NOW.isoformat(),
        "message": "its spec was removed",
    }


def store(*rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"sweep": SWEEP, "pause": None, "scaleSets": list(rows), "orphans": []} | changes


def fleet(number: int) -> dict[str, Any]:
    """A fleet with every status and names of many lengths."""
    return store(
        *(row(f"{'checkout-' * (each % 4)}{each}", STATUSES[each % len(STATUSES)]) for each in range(number))
    )


def lines(shown: dict[str, Any], width: int | None = None, **settings: Any) -> list[str]:
    table = StatusTable(shown, **({"is_wide": False, "height": None, "now": NOW} | settings))
    return [plain(line) for line in table.lines(width)]


def test_every_column_in_a_pipe() -> None:
    assert lines(store(row()))[1:3] == [
        "SCALE SET  STATUS  FOR  UP TO DATE  DOMAINS  MODEL            DECLARED         LEFT   WHY",
        f"web        Ready   12m  1/3         ●◐○      {OLD}  {NEW}  1h35m  Soaking: {row()['message']}",
    ]


def test_the_wide_table_has_where_it_is_and_when_it_was_checked() -> None:
    header, line = lines(store(row()), is_wide=True)[1:3]
    assert header.split()[-7:] == ["LEFT", "SUBSCRIPTION", "RESOURCE", "GROUP", "COMMIT", "CHECKED", "WHY"]
    assert "11111111-1111-1111-1111-111111111111  shop            91eab1ad9c  1m       Soaking" in line


def test_trouble_comes_first_and_names_within_a_status() -> None:
    rows = [row(f"{name}-{status}", status) for name in "ba" for status in STATUSES]
    shown = lines(store(*rows, orphans=[orphan("z")]))[2:-1]
    assert [line.split()[0] for line in shown] == [
        *("a-Stalled", "b-Stalled", "a-Failing", "b-Failing", "z", "a-Reconciling", "b-Reconciling"),
        *("a-Waiting", "b-Waiting", "a-None", "b-None", "a-Suspended", "b-Suspended", "a-Ready", "b-Ready"),
    ]


@pytest.mark.parametrize("number", [3, 60, 1000])
@pytest.mark.parametrize("width, height", [(80, 24), (100, 30), (200, 50), (30, 5), (10, 2)])
@pytest.mark.parametrize("is_wide", [False, True])
def test_a_table_fits_its_window(number: int, width: int, height: int, *, is_wide: bool) -> None:
    pause = {"message": "the fleet is paused by ada since 2026-01-05 09:00 UTC (checkout is down)"}
    standby = {"message": "this replica is on standby: replica-1 leads"}
    others = {"pause": pause, "orphans": [orphan()], "replica": standby}
    for shown in (fleet(number), fleet(number) | others):
        for notice in ("", "no daemon responds; this is 12s old"):
            found = lines(shown, width, height=height, is_wide=is_wide, notice=notice)
            assert max(map(len, found)) <= width
            if height > 5:
                assert len(found) <= height


@pytest.mark.parametrize(
    "width, header",
    [
        pytest.param(200, "SCALE SET STATUS FOR UP TO DATE DOMAINS MODEL DECLARED LEFT WHY", id="all"),
        pytest.param(120, "SCALE SET STATUS FOR UP TO DATE DOMAINS DECLARED LEFT WHY", id="no model"),
        pytest.param(100, "SCALE SET STATUS FOR UP TO DATE DECLARED LEFT WHY", id="no domains"),
        pytest.param(90, "SCALE SET STATUS UP TO DATE DECLARED LEFT WHY", id="no age"),
        pytest.param(80, "SCALE SET STATUS UP TO DATE LEFT WHY", id="no image"),
        pytest.param(58, "SCALE SET STATUS UP TO DATE WHY", id="no time left"),
        pytest.param(46, "SCALE SET STATUS WHY", id="only what matters most"),
    ],
)
def test_a_narrow_window_omits_columns(width: int, header: str) -> None:
    shown = store(row("checkout", "Reconciling"), row("web", "Waiting", shortImage="24.04.202602030"))
    assert " ".join(lines(shown, width)[1].split()) == header


@pytest.mark.parametrize(
    "width, header, end",
    [
        pytest.param(
            200, "SCALE SET STATUS FOR UP TO DATE DOMAINS MODEL DECLARED LEFT WHY", "(Move web)", id="all fit"
        ),
        pytest.param(
            100,
            "SCALE SET STATUS FOR UP TO DATE DOMAINS LEFT WHY",
            f"(Move web); image {NEW}",
            id="without the images",
        ),
        pytest.param(
            80, "SCALE SET STATUS FOR UP TO DATE LEFT WHY", f"; image {NEW}", id="without the domains"
        ),
    ],
)
def test_an_image_that_every_row_declares_is_said_once(width: int, header: str, end: str) -> None:
    first, second, *_ = lines(store(row("checkout", "Reconciling"), row("web")), width)
    assert " ".join(second.split()) == header
    assert first.endswith(end)
    assert len(first) <= width


@pytest.mark.parametrize(
    "name", [f"{name}-{number:03}" for number, name in enumerate(("web", "checkout-api", "search-indexer"))]
)
def test_80_columns_have_what_an_operator_needs_in_the_middle_of_a_rollout(name: str) -> None:
    rows = [row(name, "Reconciling", reason="WaitingForInstances"), row("other")]
    first, _, line, *_ = lines(store(*rows), 80, height=24)
    assert line.split()[:2] == [name, "Reconciling"]
    assert [NEW in first, " 1/3 " in line, " 1h35m " in line, "WaitingForInstances" in line] == [True] * 4


def test_the_summary_has_a_line_of_its_own_for_the_instances_if_it_is_long() -> None:
    assert lines(fleet(60), 80, height=10)[-2:] == [
        "60 scale sets: 8 Stalled, 8 Failing, 8 Reconciling, 9 Waiting, 9 not checked ye…",
        "60 of 180 instances up to date; 54 not shown",
    ]


def test_a_line_that_is_cut_ends_with_an_ellipsis() -> None:
    line = lines(store(row()), 80)[2]
    assert len(line) == 80
    assert line.endswith("…")


def test_a_long_name_leaves_room_for_the_status_and_the_reason() -> None:
    line = lines(store(row("checkout-" * 9, "Stalled")), 60)[2]
    assert re.fullmatch(r"checkout-\S*…\S*checkout-  Stalled  1/3 +Soaking: web_0.*…", line)


def test_a_live_table_says_how_many_it_does_not_show() -> None:
    shown = lines(fleet(60), 200, height=10)
    assert len(shown) == 10
    assert [line.split()[1] for line in shown[2:-1]] == ["Stalled"] * 4 + ["Reconciling"] * 3
    assert shown[-1].endswith("; 53 not shown")


@pytest.mark.parametrize(
    ("stalled", "in_progress", "shown"),
    [
        pytest.param(9, 9, (4, 3), id="many of both share the lines"),
        pytest.param(9, 1, (6, 1), id="one rollout takes one line of many problems"),
        pytest.param(2, 9, (2, 5), id="rollouts take the lines that few problems leave"),
        pytest.param(9, 0, (7, 0), id="problems take all lines if nothing moves"),
        pytest.param(3, 4, (3, 4), id="all fit"),
    ],
)
def test_many_problems_do_not_hide_the_rollouts_in_progress(
    stalled: int, in_progress: int, shown: tuple[int, int]
) -> None:
    rows = [row(f"a-{each}", "Stalled") for each in range(stalled)]
    rows += [row(f"b-{each}", "Reconciling") for each in range(in_progress)]
    found = lines(store(*rows), 200, height=10)[2:-1]
    assert [line.split()[1] for line in found] == ["Stalled"] * shown[0] + ["Reconciling"] * shown[1]


def test_large_numbers_of_the_summary_are_readable() -> None:
    counts = {"total": 12, "upToDate": 1, "domains": []}
    shown = lines(store(*(row(f"web-{each}", instances=counts) for each in range(1200))), 200, height=10)
    assert shown[-1] == (
        "1,200 scale sets: 1,200 Ready; 1,200 of 14,400 instances up to date; 1,193 not shown"
    )


@pytest.mark.parametrize(
    "forecast, left",
    [
        pytest.param(None, "-", id="no forecast"),
        pytest.param({"ends": None, "endsWith": None}, "-", id="an unknown end"),
        pytest.param({"ends": NOW.isoformat(), "endsWith": "AwaitingApproval"}, "-", id="it ends blocked"),
        pytest.param({"ends": NOW.isoformat(), "endsWith": "UpToDate"}, "late", id="it should be over"),
        pytest.param({"ends": (NOW + MINUTE).isoformat(), "endsWith": "UpToDate"}, "1m", id="a minute"),
    ],
)
def test_the_time_left_is_that_of_the_forecast(forecast: Any, left: str) -> None:
    assert f"{NEW}  {left} " in lines(store(row(forecast=forecast)))[2]


def test_a_standby_says_who_leads_above_its_scale_sets() -> None:
    shown = store(row(status=None), replica={"message": "this replica is on standby: replica-1 leads"})
    assert lines(shown)[1] == "this replica is on standby: replica-1 leads"


def test_a_step_that_no_daemon_takes_is_not_shown_as_taken() -> None:
    shown = row(step={"kind": "Upgrade"}, message="upgrading 1 instance")
    own = store(shown, source={"kind": "observation", "url": None})
    assert lines(own)[2].endswith(f"{NEW}  -     Soaking: not taken: upgrading 1 instance")
    assert lines(store(shown, source={"kind": "daemon"}))[2].endswith("Soaking: upgrading 1 instance")


def test_a_daemon_of_an_older_version_lacks_columns_and_nothing_else() -> None:
    gone = ("labels", "shortImage", "modelImage", "shortModelImage", "since", "target")
    old = {name: value for name, value in row().items() if name not in gone}
    assert lines({"sweep": SWEEP, "scaleSets": [old]}, is_wide=True)[2].startswith(
        "web        Ready   -    1/3"
    )


ROWS = store(
    row("api", "Failing", labels={"team": "api"}),
    row("db", "Ready", labels={}, target="/subscriptions/ABC/resourceGroups/data/providers/x/y/db"),
    row("new", None, image="x", shortImage="x"),
    row("web", "Waiting", shortModelImage=NEW, modelImage=f"Canonical:ubuntu:server:{NEW}"),
    orphans=[orphan()],
)


@pytest.mark.parametrize(
    "wanted, names",
    [
        pytest.param(RowFilter(), "api old web new db", id="no filter"),
        pytest.param(RowFilter(("db", "old")), "old db", id="names, also that of an orphan"),
        pytest.param(RowFilter(selector=(Requirement("team", "web"),)), "web new", id="labels"),
        pytest.param(RowFilter(statuses=("Failing", "Waiting")), "api web", id="statuses"),
        pytest.param(RowFilter(statuses=("Unchecked",)), "new", id="not checked yet"),
        pytest.param(RowFilter(statuses=("Orphaned",)), "old", id="orphans"),
        pytest.param(RowFilter(image=OLD), "api new db", id="the short image of the model"),
        pytest.param(RowFilter(image=NEW), "api web db", id="the short declared image"),
        pytest.param(RowFilter(image=f"canonical:ubuntu:server:{NEW}"), "api web db", id="an image in full"),
        pytest.param(RowFilter(subscriptions=("abc",)), "db", id="a subscription"),
        pytest.param(RowFilter(("web", "api"), statuses=("Failing",)), "api", id="two filters"),
    ],
)
def test_a_filter_keeps_the_scale_sets_that_fit_all_of_it(wanted: RowFilter, names: str) -> None:
    kept = filtered(ROWS, wanted.fits)
    assert {each["name"] for each in (*kept["scaleSets"], *kept["orphans"])} == set(names.split())
