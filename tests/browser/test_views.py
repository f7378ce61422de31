"""Everything that a person may see: accessible in both themes, and no wider than its window."""

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.views import VIEWS

_EACH = pytest.mark.parametrize("name", VIEWS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@_EACH
def test_axe_finds_nothing(browser: Browser, name: str, scheme: Literal["light", "dark"]) -> None:
    served = VIEWS[name].serve()
    try:
        with browser.new_context(color_scheme=scheme) as context:
            tab = context.new_page()
            VIEWS[name].open(tab, served.url)
            found = Axe().run(tab).response["violations"]
    finally:
        served.stop()
    assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []


@_EACH
def test_no_page_is_wider_than_its_window(browser: Browser, name: str) -> None:
    served = VIEWS[name].serve()
    try:
        with browser.new_context() as context:
            tab = context.new_page()
            VIEWS[name].open(tab, served.url)
            for width in (320, 768, 2560):
                tab.set_viewport_size({"width": width, "height": 800})
                assert tab.evaluate("document.documentElement.scrollWidth") <= width, width
    finally:
        served.stop()
