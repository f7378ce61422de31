"""A person who is signed in acts on the page of a real daemon, and another site tries to."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect

from reconciler.rollout.pause import pause_in
from reconciler.simulator import Simulator, WallClock
from tests.browser.conftest import Served
from tests.cli.program import SWIFT, Azure, Daemon, write_specs
from tests.stories.world import fleet, scale_set, spec
from tests.web.signed_in import Acted
from tests.web.stores import varied

PATIENCE = 60_000  # milliseconds
ADA = {"X-Forwarded-Email": "ada@example.com", "X-Forwarded-Groups": "sre"}
OPTIONS = [
    *("--page-user-header", "X-Forwarded-Email", "--page-groups-header", "X-Forwarded-Groups"),
    *("--page-proxy", "127.0.0.1", "--page-grant", "pause=group:sre", "--page-grant", "resume=group:sre"),
]


@contextmanager
def started(cwd: Path) -> Iterator[tuple[Azure, Daemon]]:
    """A daemon behind a proxy that signs people in, whose scale set waits for approval."""
    described = fleet(scale_set(capacity=10), timings=SWIFT, permissions={"actions": ["*"]})
    simulator = Simulator.load(described, WallClock())
    with simulator.serve() as server:
        served = Azure(simulator, server)
        specs = write_specs(cwd / "specs", spec(rollout={"approval": "start"}))
        with Daemon("--specs", specs, *OPTIONS, env=served.environment, cwd=cwd).started() as running:
            yield served, running


@pytest.fixture
def signed_in(page: Page) -> Page:
    """A tab whose requests pass through the proxy."""
    page.context.set_extra_http_headers(ADA)
    return page


def test_a_reader_signs_in_pauses_and_resumes(signed_in: Page, tmp_path: Path) -> None:
    page = signed_in
    with started(tmp_path) as (served, running):
        page.goto(f"{running.url}/scale-sets/web")
        expect(page.locator("#why")).to_contain_text("AwaitingApproval", timeout=PATIENCE)
        expect(page.get_by_text("Signed in as ada@example.com")).to_be_visible()
        expect(page.get_by_role("link", name="Approve this image")).not_to_be_visible()
        page.get_by_role("link", name="Pause this scale set").click()
        expect(page.get_by_role("heading", name="Pause web?")).to_be_visible()
        page.get_by_label("Reason").fill("checkout is down")
        page.get_by_role("button", name="Pause web").click()
        expect(page.locator("#notice")).to_contain_text("web: paused by ada@example.com")
        expect(page.locator("#why")).to_contain_text("checkout is down", timeout=PATIENCE)
        pause = pause_in(served.simulator.scale_set("web").tags)
        assert pause
        assert pause.by == "ada@example.com"
        page.get_by_role("link", name="Resume this scale set").click()
        page.get_by_role("button", name="Resume web").click()
        expect(page.locator("#notice")).to_contain_text("web: resumed")
        expect(page.locator("#why")).to_contain_text("AwaitingApproval", timeout=PATIENCE)


def test_a_reader_who_has_not_signed_in_sees_no_button(page: Page, tmp_path: Path) -> None:
    with started(tmp_path) as (_, running):
        page.goto(f"{running.url}/scale-sets/web")
        expect(page.locator("#why")).to_contain_text("AwaitingApproval", timeout=PATIENCE)
        expect(page.get_by_text("Not signed in")).to_be_visible()
        for each in page.locator("a.act").all():
            expect(each).not_to_be_visible()


def test_instances_are_picked_without_scripts(browser: Browser) -> None:
    acts = Acted()
    served = Served(varied(), acts)
    try:
        with browser.new_context(java_script_enabled=False, extra_http_headers=ADA) as context:
            tab = context.new_page()
            tab.goto(f"{served.url}/scale-sets/checkout-api")
            tab.get_by_role("link", name="Pick the next instances").click()
            assert tab.get_by_role("checkbox", name="instance 0,").is_disabled(), "it is up to date"
            for number in (3, 8):
                tab.get_by_role("checkbox", name=f"instance {number},").check()
            tab.get_by_role("button", name="Go on").click()
            expect(
                tab.get_by_text("2 instances to be upgraded next to 24.04.202601140: 3 and 8.")
            ).to_be_visible()
            tab.get_by_role("button", name="Upgrade instances of checkout-api").click()
            expect(tab.locator("#notice")).to_be_visible()
            tab.goto(f"{served.url}/scale-sets/checkout-api/actions/upgrade")
            tab.get_by_role("link", name="update domain 3").click()
            tab.get_by_role("button", name="Upgrade instances of checkout-api").click()
    finally:
        served.stop()
    whole_domain = tuple(str(number) for number in range(3, 40, 5))
    assert [done[2:4] for done in acts.done] == [("", ("3", "8")), ("update domain 3", whole_domain)]


def test_a_form_of_another_site_does_nothing(browser: Browser, tmp_path: Path) -> None:
    """The browser has signed in, and sends the form of the other site with everything that identifies it."""
    with started(tmp_path) as (served, running), browser.new_context(extra_http_headers=ADA) as context:
        tab = context.new_page()
        tab.goto(f"{running.url}/scale-sets/web/actions/pause")
        token = tab.locator('input[name="token"]').get_attribute("value")
        with other_site(f"{running.url}/scale-sets/web/actions/pause", token or "") as url:
            tab.goto(url)
            tab.get_by_role("button").click()
            expect(
                tab.get_by_text(re.compile("Nothing was done: the form was not sent by a page"))
            ).to_be_visible()
        assert pause_in(served.simulator.scale_set("web").tags) is None


@contextmanager
def other_site(action: str, token: str) -> Iterator[str]:
    """A page of somebody else that has even come by a token."""
    text = (
        f'<!doctype html><title>Win</title><form method="post" action="{action}">'
        f'<input type="hidden" name="token" value="{token}"><input type="hidden" name="reason" value="x">'
        "<button>Win a prize</button></form>"
    )

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Site) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
