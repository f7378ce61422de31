"""The pictures of the documentation are of the pages as they are.

Fonts differ between machines, so that a picture is compared as a grid of grey squares. On average a square may differ
by TOLERANCE, of 255. Another font differs by about 2, and a section that is missing by more than 8.
"""

import io

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Browser

from tests.browser.conftest import Served
from tests.browser.pictures import DIRECTORY, PICTURES, taken
from tests.web.stores import varied

TOLERANCE = 6.0
SQUARE = 16  # pixels


@pytest.fixture(scope="module")
def pictures(browser: Browser) -> dict[str, bytes]:
    served = Served(varied())
    try:
        return {picture.name: png for picture, png in taken(browser, served.url)}
    finally:
        served.stop()


def grey(png: bytes) -> Image.Image:
    whole = Image.open(io.BytesIO(png)).convert("L")
    return whole.resize((whole.width // SQUARE, whole.height // SQUARE), Image.Resampling.BOX)


@pytest.mark.parametrize("name", [each.name for each in PICTURES])
def test_a_picture_is_of_the_page(pictures: dict[str, bytes], name: str) -> None:
    kept = (DIRECTORY / f"{name}.png").read_bytes()
    difference = ImageChops.difference(grey(pictures[name]), grey(kept))
    assert ImageStat.Stat(difference).mean[0] < TOLERANCE, "run `make pictures`, and look at them"


def test_a_difference_is_seen(pictures: dict[str, bytes]) -> None:
    fleet, other = grey(pictures["fleet"]), grey(pictures["rollouts"])
    difference = ImageChops.difference(fleet, other.resize(fleet.size))
    assert ImageStat.Stat(difference).mean[0] > TOLERANCE


def test_every_picture_is_shown() -> None:
    page = (DIRECTORY.parent / "page.md").read_text()
    assert [each.name for each in PICTURES if f"pictures/{each.name}.png" not in page] == []
    assert {each.stem for each in DIRECTORY.iterdir()} == {each.name for each in PICTURES}
