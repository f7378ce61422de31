"""What only a browser can show: live updates, lost connections, keyboard, themes, and accessibility."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from reconciler.daemon.event import GateChanged
from reconciler.daemon.store import Store
from tests.browser.conftest import Served
from tests.web.stores import COMMIT, hostile, large_fleet, large_set, varied

Serve = Callable[[Store], Served]


def close_window(store: Store, evidence: str) -> None:
    """Something happens to the scale set `reports`."""
    state = next(each for each in store.states() if each.desired.name == "reports")
    assert state.outcome is not None
    gate = state.outcome.gates[0]
    store.apply(state.key, GateChanged(state.outcome, type(gate)("windows", evidence, gate.closed)))


def test_a_change_is_shown_without_a_reload(page: Page, serve: Serve) -> None:
    served = serve(varied())
    page.goto(served.url)
    expect(page.locator("#live")).to_have_text("Live")
    page.get_by_label("Search").fill("half a wo")
    close_window(served.store, "closed for the holidays")
    expect(page.get_by_role("row", name="reports")).to_contain_text("closed for the holidays")
    expect(page.get_by_label("Search")).to_have_value("half a wo")


def test_a_lost_connection_is_said_and_then_made_up_for(page: Page, serve: Serve) -> None:
    served = serve(varied())
    page.goto(served.url)
    expect(page.locator("#live")).to_have_text("Live")
    served.stop()
    expect(page.locator("#live")).to_contain_text("Connection lost; as of", timeout=10_000)
    close_window(served.store, "closed meanwhile")
    served.start()
    expect(page.locator("#live")).to_have_text("Live", timeout=20_000)
    expect(page.get_by_role("row", name="reports")).to_contain_text("closed meanwhile", timeout=10_000)


def test_two_tabs_share_one_stream(page: Page, serve: Serve) -> None:
    served = serve(varied())
    page.goto(served.url)
    other = page.context.new_page()
    other.goto(f"{served.url}/scale-sets/reports")
    for each in (page, other):
        expect(each.locator("#live")).to_have_text("Live")
    page.wait_for_timeout(1500)
    close_window(served.store, "closed for both")
    expect(page.get_by_role("row", name="reports")).to_contain_text("closed for both")
    expect(other.locator("#why")).to_contain_text("closed for both")
    assert served.site.watching == 1
    other.close()
    close_window(served.store, "closed for one")
    expect(page.get_by_role("row", name="reports")).to_contain_text("closed for one")


@pytest.mark.parametrize("path", ["/", "/rollouts", f"/changes/{COMMIT}", "hostile"])
def test_a_hostile_text_runs_nothing(page: Page, serve: Serve, path: str) -> None:
    served = serve(hostile())
    name = quote(served.store.states()[0].desired.name, safe="")
    page.goto(served.url + (f"/scale-sets/{name}" if path == "hostile" else path))
    page.wait_for_timeout(300)
    assert page.locator("img").count() == 0


def test_the_heat_map_is_one_tab_stop_and_arrows_move_within(page: Page, serve: Serve) -> None:
    page.goto(f"{serve(varied()).url}/scale-sets/checkout-api")
    first = page.locator(".map li").first
    first.focus()
    expect(page.locator("#spot")).to_contain_text("instance 0, image 24.04.202601140 (declared), healthy")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#spot")).to_contain_text("instance 15,")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#spot")).to_contain_text("instance 16,")
    page.keyboard.press("End")
    expect(page.locator("#spot")).to_contain_text("instance 29,")
    assert page.locator(".map li[tabindex='0']").count() == 1


def test_it_works_without_scripts(browser: Browser, serve: Serve) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(serve(varied()).url)
        tab.get_by_label("Search").fill("checkout-")
        tab.get_by_role("button", name="Show").click()
        assert tab.locator("tbody tr").count() == 3  # one waits for checkout-worker
        tab.get_by_role("link", name="checkout-worker").last.click()
        expect(tab.get_by_role("heading", name="checkout-worker")).to_be_visible()


def test_a_fleet_of_a_thousand_is_painted_within_a_second(page: Page, serve: Serve) -> None:
    """On a busy machine twice as much is allowed. The first visit fills the cache of lines."""
    served = serve(large_fleet(1000))
    page.goto(served.url)
    page.goto(served.url)
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert painted < 2000


def test_a_thousand_instances_are_shown_for_each_placement_group(page: Page, serve: Serve) -> None:
    page.goto(f"{serve(large_set()).url}/scale-sets/huge")
    assert page.locator(".map li").count() == 1000
    expect(page.get_by_role("table", name="Placement group 00000000")).to_be_visible()


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param({"forced_colors": "active"}, id="forced colours"),
        pytest.param({"reduced_motion": "reduce"}, id="reduced motion"),
        pytest.param({"media": "print"}, id="print"),
    ],
)
def test_a_heat_map_is_told_apart_without_its_colours(
    page: Page, serve: Serve, setting: dict[str, str]
) -> None:
    page.emulate_media(**setting)
    page.goto(f"{serve(varied()).url}/scale-sets/checkout-api")
    new, old = (
        page.evaluate(f"getComputedStyle(document.querySelector('.map .{kind}')).fill")
        for kind in ("i-new", "i-old")
    )
    assert new != old


def test_a_page_on_paper_has_its_date(page: Page, serve: Serve) -> None:
    page.goto(serve(varied()).url)
    expect(page.locator("#live")).to_have_text("Live")
    page.evaluate("addEventListener('beforeprint', () => { document.title = live.textContent; })")
    page.pdf()
    assert page.title() == "As of 2026-01-05 09:00 UTC"
    expect(page.locator("#live")).to_have_text("Live")
