"""`make pictures`: docs/pictures/, taken of the pages of a fleet in which everything occurs."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, Served, chromium
from tests.web.stores import COMMIT, varied

DIRECTORY = Path(__file__).parents[2] / "docs" / "pictures"


class Picture(NamedTuple):
    """A page in a window of this size. `height` 0 means as high as the page."""

    name: str
    path: str
    width: int
    height: int
    is_dark: bool = False


PICTURES = (
    Picture("fleet", "/", 1280, 860),
    Picture("fleet-phone", "/", 390, 1100, is_dark=True),
    Picture("fleet-wall", "/", 2560, 1440, is_dark=True),
    Picture("scale-set", "/scale-sets/checkout-api", 1280, 1010),
    Picture("scale-set-dark", "/scale-sets/checkout-worker", 1280, 860, is_dark=True),
    Picture("rollouts", "/rollouts", 1280, 780),
    Picture("change", f"/changes/{COMMIT}", 1280, 560, is_dark=True),
)


def taken(browser: Browser, url: str) -> Iterator[tuple[Picture, bytes]]:
    """Each picture as a PNG."""
    for picture in PICTURES:
        context = browser.new_context(
            viewport={"width": picture.width, "height": picture.height},
            color_scheme="dark" if picture.is_dark else "light",
            reduced_motion="reduce",
        )
        with context:
            tab = context.new_page()
            tab.goto(url + picture.path)
            expect(tab.locator("#live")).to_have_text("Live")
            yield picture, tab.screenshot()


def main() -> None:
    path = chromium()
    if not path:
        sys.exit("there is no chromium here: apt-get install chromium")
    DIRECTORY.mkdir(exist_ok=True)
    served = Served(varied())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        for picture, png in taken(browser, served.url):
            (DIRECTORY / f"{picture.name}.png").write_bytes(png)
        browser.close()
    served.stop()


if __name__ == "__main__":
    main()
