"""A real Chromium, and the pages of frozen stores and of a real daemon. Without Chromium the tests are skipped."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from reconciler.daemon.store import Store
from reconciler.web.page.routes import PageSite
from reconciler.web.server import Server
from reconciler.web.status import Pages, Probes
from tests.build import NOW
from tests.web.signed_in import Acted, actions_of

# The last six keep it from asking anything of the network.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=OptimizationHints",
]


def chromium() -> str:
    """The path of the browser, "" if there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or ""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if not path:
        assert "CI" not in os.environ, "a skip is a failure here: install chromium"
        pytest.skip("there is no chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


class Served:
    """A frozen store on a port that it keeps when it restarts. With `acts`, people can sign in."""

    def __init__(self, store: Store, acts: Acted | None = None) -> None:
        self.store = store
        self._acts = acts
        self.port = 0
        self.start()

    def start(self) -> None:
        acts = self._acts
        actions = actions_of(self.store, acts, lambda: NOW, proxy="127.0.0.1") if acts else None
        self.site = PageSite(self.store, lambda: NOW, actions)
        pages = Pages(self.store, Probes(self.store, timedelta(minutes=10), lambda: NOW))
        self._server = Server(pages, "127.0.0.1", self.port, site=self.site)
        self.url = self._server.url
        self.port = int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        self._server.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Store], Served]]:
    with ExitStack() as stack:

        def make(store: Store) -> Served:
            served = Served(store)
            stack.callback(served.stop)
            return served

        yield make


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab that may not complain."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("console", lambda message: complaints.append(_complaint(message)))
    tab.on("dialog", lambda dialog: complaints.append(dialog.message))
    yield tab
    context.close()
    assert [each for each in complaints if each] == []


def _complaint(message: ConsoleMessage) -> str:
    # A stream that is cut off is no fault of the page. An address may not exist, or the daemon may be starting.
    is_expected = any(word in message.text for word in ("ERR_CONNECTION", "ERR_INCOMPLETE", "404", "503"))
    return "" if is_expected or message.type != "error" else message.text
