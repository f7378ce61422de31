"""The pages, as a browser without scripts gets them, on frozen stores."""

import re
import time
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from reconciler.daemon.event import GateChanged
from reconciler.daemon.history import Ending
from reconciler.daemon.leadership import Alone, Leader
from reconciler.daemon.state import Change
from reconciler.daemon.store import Store
from reconciler.rollout.pause import FleetPause, Pause
from reconciler.rollout.reason import Reason, Status, reasons_where
from reconciler.web.page.pages import StorePages
from reconciler.web.page.routes import PageSite
from tests.build import NOW
from tests.daemon.states import store_of
from tests.web.plain_text import Reader, assert_text
from tests.web.stores import COMMIT, HOSTILE, hostile, large_fleet, large_set, varied

PAGES = ["/", "/rollouts", "/rollouts?hours=168", f"/changes/{COMMIT}", "/scale-sets/checkout-api"]


def client(store: Store) -> TestClient:
    return TestClient(Starlette(routes=PageSite(store, lambda: NOW).routes))


def get(store: Store, path: str, status: int = 200) -> str:
    answer = client(store).get(path)
    assert answer.status_code == status
    return str(answer.text)


def line(document: str, name: str) -> str:
    """The text of one line of the fleet."""
    found = re.search(rf'<tr id="row-{re.escape(name)}".*?</tr>', document, re.S)
    assert found, name
    return Reader(found[0]).text


def test_a_scale_set_asked_for_before_the_first_sweep_may_exist() -> None:
    answer = client(Store()).get("/scale-sets/web")
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["refresh"]) == (503, "5", "5")
    assert "The daemon has not read its specs yet." in Reader(answer.text).text


@pytest.mark.parametrize("path", [*PAGES, "/scale-sets/unknown"])
def test_a_page_may_load_nothing_from_elsewhere(path: str) -> None:
    answer = client(varied()).get(path)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert (answer.headers["x-content-type-options"], answer.headers["referrer-policy"]) == (
        "nosniff",
        "same-origin",
    )
    found = Reader(answer.text)
    loaded = [value for name, value in found.attributes if name in {"src", "href", "action"} and value]
    assert [each for each in loaded if not each.startswith(("/", "#")) or each.startswith("//")] == []
    # Neither is inline, which the policy forbids.
    assert [name for name, _ in found.attributes if name == "style" or name.startswith("on")] == []
    assert re.findall(r"<script(?! src=)|<style", answer.text) == []


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        pytest.param("checkout-api", ["Reconciling", "WaitingForInstances", "16/40", "24.04.202601140", "24.04.202601010", "by 2026-01-05 09:20 UTC"], id="a rollout under way"),
        pytest.param("checkout-worker", ["Failing", "HealthCheckFailed", "a fix is merged", "6/18"], id="a halted rollout"),
        pytest.param("reports", ["Waiting", "OutsideWindow", "continues when the next window opens"], id="a closed window"),
        pytest.param("billing", ["Waiting", "AwaitingApproval", "run reconciler approve"], id="an approval that is missing"),
        pytest.param("catalog", ["Paused", "was paused by Grace", "reconciler resume"], id="a pause"),
        pytest.param("legacy", ["Suspended", "Ada has suspended"], id="a suspension"),
        pytest.param("search", ["Stalled", "ImageFailedElsewhere", "failed in scale set checkout-worker"], id="an image that failed elsewhere"),
        pytest.param("queue", ["Unchecked", "behind commit 9999999999, which has errors"], id="a scale set that is behind its commit"),
        pytest.param("old-frontend", ["Orphaned", "reconciler dismiss old-frontend", "3/8"], id="an orphan"),
        pytest.param("canary", ["Ready", "4/4"], id="a scale set that is as declared"),
    ],
)  # fmt: skip
def test_a_line_of_the_fleet(name: str, facts: list[str]) -> None:
    shown = line(get(varied(), "/"), name)
    assert [each for each in facts if each not in shown] == []


def headline(document: str) -> str:
    found = re.search(r'<section id="headline".*?</section>', document, re.S)
    assert found
    return Reader(found[0]).text


def test_the_five_answers_are_on_the_fleet_page_or_one_click_away() -> None:
    fleet = get(varied(), "/")
    answers = headline(fleet)
    assert "Behind 8 of 22" in answers
    assert "Needs attention 2" in answers
    assert "Safe now 20 of 21 unknown for queue" in answers
    assert "unknown for queue Needs attention" in answers
    assert "Done 2026-01-05 11:50 UTC" in answers
    for link in ("/?behind=1", "/scale-sets/checkout-worker", f"/changes/{COMMIT}"):
        assert f'href="{link}"' in fleet
    why = Reader(get(varied(), "/scale-sets/checkout-worker")).text
    assert "did not become healthy within 10m" in why
    assert "What ends it" in why
    change = Reader(get(varied(), f"/changes/{COMMIT}")).text
    assert "Stopped 2 of 18 Under way 1 of 18 To come 2 of 18 Done 13 of 18" in change


def only(store: Store, *names: str) -> Store:
    """A fleet of these scale sets of another."""
    found = store_of(*(each for each in store.states() if each.desired.name in names))
    found.last_sweep = replace(store.last_sweep, orphans=()) if store.last_sweep else None
    return found


@pytest.mark.parametrize(
    ("names", "answers"),
    [
        pytest.param(["queue"], ["Behind unknown unknown for queue", "Safe now unknown unknown for", "Done unknown unknown for"], id="all are unknown"),
        pytest.param(["queue", "canary"], ["Behind 0 of the 1 observed unknown for queue", "Safe now 1 of 2 unknown for queue", "Done unknown unknown for"], id="one is unknown"),
        pytest.param(["canary"], ["Behind 0 of 1 all", "Safe now yes", "Done now"], id="none is unknown"),
    ],
)  # fmt: skip
def test_nothing_is_claimed_of_a_scale_set_that_nobody_has_observed(
    names: list[str], answers: list[str]
) -> None:
    found = headline(get(only(varied(), *names), "/"))
    assert [each for each in answers if each not in found] == []


def test_a_commit_of_an_unobserved_scale_set_is_not_known_to_be_done() -> None:
    (queue,) = only(varied(), "queue").states()
    store = store_of(replace(queue, change=Change(COMMIT, NOW, is_held=False)))
    assert "Not known 1 of 1 Done 0 of 1" in Reader(get(store, f"/changes/{COMMIT}")).text


def test_an_overdue_forecast_is_no_time_of_an_end() -> None:
    later = NOW + timedelta(hours=1)
    site = PageSite(only(varied(), "checkout-api"), lambda: later)
    pages = TestClient(Starlette(routes=site.routes))
    assert "Done unknown end unknown for checkout-api" in headline(pages.get("/").text)
    assert (
        Reader(pages.get("/scale-sets/checkout-api").text).text.count("overdue since 2026-01-05 09:20 UTC")
        == 2
    )


def test_the_forecast_of_a_scale_set_that_stands_still_is_no_time_of_an_end() -> None:
    fleet = only(varied(), "checkout-api")
    (rolling,) = fleet.states()
    assert rolling.outcome is not None
    failing = replace(rolling.outcome, status=Status.FAILING)
    store = store_of(replace(rolling, published=replace(rolling.published, outcome=failing)))
    store.last_sweep = fleet.last_sweep
    assert "Done unknown" in headline(get(store, "/"))


PAUSE = Pause("checkout is down", "Grace", NOW)


@pytest.mark.parametrize(
    ("reason", "pause", "command"),
    [
        pytest.param(Reason.PAUSED, FleetPause(), "reconciler resume catalog", id="its own pause"),
        pytest.param(Reason.PAUSED, FleetPause(PAUSE), "reconciler resume --all", id="the pause of the fleet"),
        pytest.param(Reason.PAUSE_EXPIRED, FleetPause(), "reconciler resume catalog", id="its own pause, expired"),
        pytest.param(Reason.PAUSE_EXPIRED, FleetPause(PAUSE), "reconciler resume --all", id="the pause of the fleet, expired"),
        pytest.param(Reason.PAUSE_UNKNOWN, FleetPause(), "grant Microsoft.Resources/tags/read on the resource group of spec.pauseTag", id="a pause that cannot be read"),
        pytest.param(Reason.FROZEN, FleetPause(), "remove spec.freeze of the Fleet in git", id="the freeze"),
        pytest.param(Reason.FREEZE_EXPIRED, FleetPause(), "remove spec.freeze of the Fleet in git", id="the freeze, expired"),
        pytest.param(Reason.SUSPENDED, FleetPause(), "remove spec.suspend from specs/catalog.yaml in git", id="a suspension"),
        pytest.param(Reason.SUSPENSION_EXPIRED, FleetPause(), "remove spec.suspend from specs/catalog.yaml in git", id="a suspension, expired"),
    ],
)  # fmt: skip
def test_the_command_that_lifts_a_hold(reason: Reason, pause: FleetPause, command: str) -> None:
    (held,) = only(varied(), "catalog").states()
    outcome = replace(held.outcome, reason=reason, status=reason.meaning.status) if held.outcome else None
    published = replace(held.published, outcome=outcome)
    page = get(store_of(replace(held, published=published, fleet_pause=pause)), "/scale-sets/catalog")
    commands = [
        Reader(each).text for each in re.findall("<dd><code>(.*?)</code>", page.partition('id="commands"')[2])
    ]
    assert commands[0] == command
    assert [each for each in commands if "reconciler pause" in each] == []


def test_every_kind_of_hold_has_its_command() -> None:
    """Reasons that the test above has to name, since they are those with a hold."""
    assert {str(each) for each in reasons_where(lambda meaning: meaning.hold is not None)} == {
        "Suspended", "SuspensionExpired", "Frozen", "FreezeExpired", "Paused", "PauseExpired", "PauseUnknown",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pause", "notice"),
    [
        pytest.param(FleetPause(PAUSE), "(checkout is down). Run reconciler resume --all to continue.", id="a pause"),
        pytest.param(FleetPause(unknown="access was denied"), "The fleet counts as paused, because access was denied.", id="never read"),
        pytest.param(FleetPause(unread_since=NOW), "The pause tag has been unreadable since 2026-01-05 09:00 UTC; no serving", id="unread"),
    ],
)  # fmt: skip
def test_the_fleet_page_tells_of_a_pause_of_the_fleet(pause: FleetPause, notice: str) -> None:
    store = only(varied(), "catalog")
    assert store.last_sweep
    store.last_sweep = replace(store.last_sweep, fleet_pause=pause)
    assert notice in headline(get(store, "/"))


def shown(document: str) -> list[str]:
    return re.findall(r'<tr id="row-([^"]+)"', document)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param("q=CHECKOUT-A", ["checkout-api"], id="a part of the name"),
        pytest.param("q=AwaitingApp", ["billing"], id="a part of the reason"),
        pytest.param("label=tier%3Dbatch", ["reports"], id="a label and its value"),
        pytest.param("label=tier,region", ["checkout-api", "checkout-worker"], id="labels with any value"),
        pytest.param("label=tier!%3Dcheckout,region", [], id="a label without a value"),
        pytest.param("label=tier!%3D(checkout)", [], id="a label that no scale set can have"),
        pytest.param("status=stalled&status=failing", ["checkout-worker", "search"], id="two statuses"),
        pytest.param("status=orphaned", ["old-frontend"], id="orphans"),
        pytest.param("status=nonsense&q=canary", ["canary"], id="an unknown status is ignored"),
        pytest.param(
            "behind=1&sort=name",
            ["billing", "catalog", "checkout-api", "checkout-worker", "legacy", "old-frontend", "reports", "search"],
            id="those that are behind",
        ),
        pytest.param("sort=status&q=checkout-", ["search", "checkout-worker", "checkout-api"], id="problems first"),
        pytest.param("sort=left&behind=1", ["checkout-api", "reports"], id="the first that is done"),
        pytest.param("sort=progress&behind=1", ["billing"], id="the least progress"),
    ],
)  # fmt: skip
def test_a_filter_and_an_order(query: str, names: list[str]) -> None:
    found = shown(get(varied(), f"/?{query}"))
    assert found[: len(names)] == names
    if "sort" not in query:
        assert found == names


def test_a_label_that_no_scale_set_can_have_is_an_error() -> None:
    page = get(varied(), "/?label=tier!%3D(checkout)")
    error = "&#39;tier!=(checkout)&#39; is not a requirement; write it like team=web, team!=web or team"
    assert f"No scale set matches: {error}." in page


def test_waves_are_sections() -> None:
    headings = re.findall(r"<h2[^>]*>([^<]+?) <small>([^<]+)", get(varied(), "/"))
    assert headings == [
        ("Wave 0", "1 of 1 ready"),
        ("Wave 1", "0 of 2 ready"),
        ("Wave 2", "12 of 18 ready"),
        ("Spec removed", "0 of 1 ready"),
    ]


def test_the_heat_map_has_a_row_for_each_update_domain_and_a_column_for_each_fault_domain() -> None:
    page = get(varied(), "/scale-sets/checkout-api")
    assert re.findall(r'<th scope="col">(fault [^<]+)', page) == [f"fault domain {n}" for n in range(3)]
    rows = re.findall(r'<tr id="map-0-\d"><th scope="row">([^<]+)<small>([^<]+)', page)
    assert rows == [
        ("update domain 0", "8 of 8 up to date"),
        ("update domain 1", "8 of 8 up to date"),
        ("update domain 2", "0 of 8 up to date, 8 unavailable"),
        ("update domain 3", "0 of 8 up to date"),
        ("update domain 4", "0 of 8 up to date, 1 unavailable"),
    ]
    labels = re.findall(r'<li tabindex="-1" title="([^"]+)"', page)
    assert len(labels) == 40
    assert (
        "instance 7, image 24.04.202601010, in transition, provisioning updating, in the batch under way"
        in labels
    )
    assert (
        "instance 11, image 24.04.202601140 (declared), healthy, protected from scale set actions" in labels
    )
    assert "instance 14, image 24.04.202601010, deallocated, power deallocated" in labels


def test_a_batch_that_has_ended_is_not_under_way() -> None:
    store = varied()
    (rolling,) = (each for each in store.states() if each.desired.name == "checkout-api")
    history = rolling.published.history
    for records in ((), (replace(history.records[0], batch_since=None),)):
        published = replace(rolling.published, history=replace(history, records=records))
        ended = store_of(replace(rolling, published=published))
        assert "Batch under way" not in get(ended, "/scale-sets/checkout-api")


def test_the_heat_map_of_a_zonal_scale_set_has_a_column_for_each_zone() -> None:
    page = get(varied(), "/scale-sets/checkout-worker")
    assert re.findall(r'<th scope="col">(zone [^<]+)', page) == ["zone 1", "zone 2", "zone 3"]


def test_a_large_scale_set_has_a_heat_map_for_each_placement_group() -> None:
    page = get(large_set(), "/scale-sets/huge")
    assert page.count('<table class="map">') == 10
    assert page.count("<li tabindex") == 1000


def test_the_page_of_a_scale_set_explains_it() -> None:
    text = Reader(get(varied(), "/scale-sets/checkout-api")).text
    for fact in (
        "windows: open until 2026-01-05 18:00 UTC",
        "pilot open: 24.04.202601140 has already been proven in canary",
        "update domain 3",
        "Move the fleet to the January image (#214) by Ada Lovelace",
        "Move the fleet to the December image by Grace Hopper",
        "reconciler pause checkout-api",
        "Batch under way: 8 instances",
    ):
        assert fact in text


def test_the_filter_that_is_on_can_be_seen_and_taken_off() -> None:
    box = '<input type="checkbox" name="behind" value="1" checked>'
    assert box in get(varied(), "/?behind=1")
    assert box not in get(varied(), "/")


@pytest.mark.parametrize("ending", Ending)
def test_a_rollout_that_failed_has_stripes_besides_its_colour(ending: Ending) -> None:
    (state,) = only(varied(), "edge-01").states()
    history = state.published.history
    records = tuple(replace(each, ending=ending) for each in history.records)
    published = replace(state.published, history=replace(history, records=records))
    page = get(store_of(replace(state, published=published)), "/rollouts?hours=168")
    assert ('fill="url(#stripes)"' in page) == (ending in {Ending.FAILED, Ending.GIVEN_UP})


def test_an_orphan_has_a_page() -> None:
    assert "reconciler dismiss old-frontend" in Reader(get(varied(), "/scale-sets/old-frontend")).text


@pytest.mark.parametrize(
    "path",
    ["/scale-sets/none", "/changes/0000000", "/changes/5d4", f"/changes/{COMMIT}x", "/static/none", "/static/%2e%2e%2froutes.py", "/scale-sets/none/instances", f"/?{'a&' * 60}"],
)  # fmt: skip
def test_what_does_not_exist_is_not_found(path: str) -> None:
    get(varied(), path, 404)


def test_an_address_that_is_none_has_no_page() -> None:
    assert StorePages(varied(), lambda: NOW).render("//[") is None


def test_what_is_not_found_stays_so_and_follows_nothing() -> None:
    page = get(varied(), "/scale-sets/none", 404)
    assert "script" not in Reader(page).tags


def test_a_screen_reader_hears_no_clock() -> None:
    """The text of the corner has an age that changes each second."""
    page = get(varied(), "/")
    assert re.findall(r'<p id="(\w+)"[^>]* role="status"', page) == ["said"]


def test_a_commit_may_be_named_by_its_beginning() -> None:
    assert "Ada Lovelace" in get(varied(), f"/changes/{COMMIT[:7]}")


def test_a_fleet_before_its_first_sweep() -> None:
    assert "first sweep has not finished" in get(Store(), "/")


class Standby(Alone):
    """Another replica leads."""

    is_shared = True
    term = 0
    leader = Leader("replica-1")


class OtherStandby(Standby):
    leader = Leader("replica-2")


class HostileStandby(Standby):
    leader = Leader(HOSTILE)


def test_a_replica_that_stands_by_names_the_leader_and_gives_no_answers() -> None:
    store = varied()
    store.leadership = Standby()
    page = get(store, "/")
    assert "This replica is on standby: replica-1 leads. Only the leader checks scale sets" in page
    assert "Safe now" not in page


@pytest.mark.parametrize("path", [*PAGES, "/scale-sets/old-frontend"])
def test_every_page_of_a_standby_names_the_leader(path: str) -> None:
    store = varied()
    store.leadership = Standby()
    assert "This replica is on standby: replica-1 leads." in get(store, path)


def test_a_standby_that_has_read_nothing_names_the_leader() -> None:
    store = Store()
    store.leadership = Standby()
    page = get(store, "/")
    assert "This replica is on standby: replica-1 leads." in page
    assert "first sweep has not finished" not in page


def test_a_page_follows_the_leadership() -> None:
    store = varied()
    log = PageSite(store, lambda: NOW)._log
    leading = log.page("/")
    assert leading is not None
    store.leadership = Standby()
    update = log.since("/", leading[1])
    assert update is not None
    assert update.main is not None
    assert "This replica is on standby" in update.main
    standing_by = log.page("/")
    assert standing_by is not None
    store.leadership = OtherStandby()
    update = log.since("/", standing_by[1])
    assert update is not None
    assert "replica-2 leads" in update.parts["standby"]


@pytest.mark.parametrize(
    "path",
    ["/", "/?sort=status&behind=1", "/rollouts", "/rollouts?hours=168", f"/changes/{COMMIT}", "scale set", "orphan"],
)  # fmt: skip
@pytest.mark.parametrize("stands_by", [False, True], ids=["leader", "standby"])
def test_a_hostile_text_is_a_text(path: str, stands_by: bool) -> None:
    store = hostile()
    if stands_by:
        store.leadership = HostileStandby()
    name = {"scale set": store.states()[0].desired.name, "orphan": store.orphans[0].name}.get(path)
    if name:
        path = f"/scale-sets/{quote(name, safe='')}"
    page = get(store, path)
    assert_text(page, scripts=1)
    assert "alert(1)" in page or path.startswith("/rollouts")
    copy = client(store).get("/export", params={"page": path})
    assert copy.status_code == 200
    assert_text(copy.text, scripts=0)


def test_a_name_in_a_query_stays_a_text() -> None:
    page = get(varied(), '/?q="><script>alert(1)</script>&label="><b>')
    assert Reader(page).tags.count("script") == 1


def test_the_cost_of_a_page_grows_with_the_number_of_scale_sets_and_no_faster() -> None:
    """Ten times as many take about ten times as long. Rendering 3,000 takes about a second of CPU."""
    small, large = rendering(large_fleet(300)), rendering(large_fleet(3000))
    assert large < 40 * small


def test_a_second_rendering_renders_only_what_has_changed() -> None:
    assert rendering(large_fleet(600), again=True) < rendering(large_fleet(600)) / 2


def test_a_line_that_has_not_changed_is_not_rendered_again() -> None:
    store = large_fleet(300)
    pages = StorePages(store, lambda: NOW)
    before = pages.render("/")
    state = store.states().by_name("set-0100")
    assert state is not None
    assert state.outcome is not None
    told = replace(state.outcome, message="update domain 3")
    store._states = store.states().with_state(
        replace(state, published=replace(state.published, outcome=told))
    )
    after = pages.render("/")
    assert before is not None
    assert after is not None
    lines = [each for each in after.parts if each.startswith("row-")]
    assert [each for each in lines if after.parts[each] is not before.parts[each]] == ["row-set-0100"]


def rendering(store: Store, *, again: bool = False) -> float:
    """The CPU time of a rendering of the fleet, the first or the second one."""
    pages = StorePages(store, lambda: NOW)
    if again:
        pages.render("/")
    began = time.process_time()
    page = pages.render("/")
    took = time.process_time() - began
    assert page is not None
    assert sum(each.startswith("row-") for each in page.parts) == len(store.states())
    return took


def test_an_update_has_only_what_has_changed() -> None:
    store = varied()
    site = PageSite(store, lambda: NOW)
    before = site._log.page("/")
    assert before is not None
    _, version = before
    state = next(each for each in store.states() if each.desired.name == "reports")
    assert state.outcome is not None
    gate = state.outcome.gates[0]
    store.apply(state.key, GateChanged(state.outcome, type(gate)("windows", "closed for good", gate.closed)))
    update = site._log.since("/", version)
    assert update is not None
    assert (list(update.parts), update.main) == (["row-reports"], None)
    assert "closed for good" in update.parts["row-reports"]


def test_a_browser_that_has_nothing_gets_the_whole() -> None:
    update = PageSite(varied(), lambda: NOW)._log.since("/", None)
    assert update is not None
    assert update.main is not None


def test_the_times_of_a_page_are_absolute_without_scripts() -> None:
    page = get(varied(), "/")
    times = re.findall(r'<time datetime="[^"]+" data-time="\w+">([^<]+)</time>', page)
    assert times
    assert all(re.fullmatch(r"(by )?\d{4}-\d\d-\d\d \d\d:\d\d UTC", each) for each in times)
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in page
