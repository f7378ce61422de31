"""The pictures of the documentation are of the pages as they are, and each view is as it was when somebody looked at it.

Pictures are compared as grids of grey squares (`tests.browser.grid`). On average a square may differ by TOLERANCE, of
255. Another font differs by about 2, and a section that is missing by more than 8.
"""

import pytest
from PIL import Image
from playwright.sync_api import Browser

from tests.browser.grid import SIZES, difference, grid_at, grid_of, grid_path
from tests.browser.pictures import DIRECTORY, PICTURES, take
from tests.browser.views import VIEWS

TOLERANCE = 6.0
MEND = "run `make pictures`, and look at them"


@pytest.fixture(scope="module")
def pictures(browser: Browser) -> dict[str, bytes]:
    return {picture.name: png for picture, png in take(browser)}


@pytest.mark.parametrize("name", [each.name for each in PICTURES])
def test_a_picture_is_of_the_page(pictures: dict[str, bytes], name: str) -> None:
    shown = grid_of((DIRECTORY / f"{name}.png").read_bytes())
    assert difference(grid_of(pictures[name]), shown) < TOLERANCE, MEND


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_as_it_was_in_windows_of_three_sizes(browser: Browser, name: str) -> None:
    served = VIEWS[name].serve()
    try:
        with browser.new_context(reduced_motion="reduce") as context:
            tab = context.new_page()
            VIEWS[name].open(tab, served.url)
            found = {
                size: difference(grid_at(tab, size), Image.open(grid_path(name, size))) for size in SIZES
            }
    finally:
        served.stop()
    assert {size: each for size, each in found.items() if each >= TOLERANCE} == {}, MEND


def test_a_difference_is_seen(pictures: dict[str, bytes]) -> None:
    fleet, other = grid_of(pictures["fleet"]), grid_of(pictures["rollouts"])
    assert difference(fleet, other.resize(fleet.size)) > TOLERANCE
    pause, approval = (
        Image.open(grid_path(f"form of {what}", "phone")) for what in ("a pause", "an approval")
    )
    assert difference(pause, approval) > TOLERANCE


def test_every_picture_is_shown() -> None:
    page = (DIRECTORY.parent / "page.md").read_text()
    assert [each.name for each in PICTURES if f"pictures/{each.name}.png" not in page] == []
    assert {each.stem for each in DIRECTORY.iterdir()} == {each.name for each in PICTURES}
