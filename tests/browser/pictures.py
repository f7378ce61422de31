"""`make pictures`: docs/pictures/, taken of the pages of a fleet in which everything occurs, and the grids of all views."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, Served, chromium
from tests.browser.grid import SIZES, grid_at, grid_path
from tests.browser.views import VIEWS, View
from tests.web.signed_in import ADA, Acted
from tests.web.stores import COMMIT, varied

DIRECTORY = Path(__file__).parents[2] / "docs" / "pictures"


class Picture(NamedTuple):
    """A page in a window of this size."""

    name: str
    path: str
    width: int
    height: int
    is_dark: bool = False
    is_signed_in: bool = False


PICTURES = (
    Picture("fleet", "/", 1280, 820),
    Picture("fleet-phone", "/", 390, 1100, is_dark=True),
    Picture("fleet-wall", "/", 2560, 1440, is_dark=True),
    Picture("scale-set", "/scale-sets/checkout-api", 1280, 1010),
    Picture("scale-set-dark", "/scale-sets/checkout-worker", 1280, 860, is_dark=True),
    Picture("rollouts", "/rollouts", 1280, 780),
    Picture("change", f"/changes/{COMMIT}", 1280, 560, is_dark=True),
    Picture("choice", "/scale-sets/checkout-api/actions/upgrade", 1280, 720, is_signed_in=True),
    Picture("form", "/scale-sets/checkout-api/actions/pause", 1280, 510, is_signed_in=True),
)


def take(browser: Browser) -> Iterator[tuple[Picture, bytes]]:
    """Each picture as a PNG."""
    read_only, signed_in = Served(varied()), Served(varied(), Acted())
    for picture in PICTURES:
        context = browser.new_context(
            viewport={"width": picture.width, "height": picture.height},
            color_scheme="dark" if picture.is_dark else "light",
            reduced_motion="reduce",
            extra_http_headers=ADA if picture.is_signed_in else {},
        )
        with context:
            tab = context.new_page()
            tab.goto((signed_in if picture.is_signed_in else read_only).url + picture.path)
            if not picture.is_signed_in:
                expect(tab.locator("#live")).to_have_text("Live")
            yield picture, tab.screenshot()
    read_only.stop()
    signed_in.stop()


def keep(browser: Browser, name: str, view: View) -> None:
    """Write the grids of a view."""
    served = view.serve()
    with browser.new_context(reduced_motion="reduce") as context:
        tab = context.new_page()
        view.open(tab, served.url)
        for size in SIZES:
            grid_at(tab, size).save(grid_path(name, size), optimize=True)
    served.stop()


def main() -> None:
    path = chromium()
    if not path:
        sys.exit("there is no chromium here: apt-get install chromium")
    DIRECTORY.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        for picture, png in take(browser):
            (DIRECTORY / f"{picture.name}.png").write_bytes(png)
        for name, view in VIEWS.items():
            keep(browser, name, view)
        browser.close()


if __name__ == "__main__":
    main()
