"""Pictures as grids of grey squares. Fonts differ between machines, and a square hardly shows which one was used."""

import io
from pathlib import Path

from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Page

SIZES = {"phone": (390, 844), "desk": (1280, 800), "wall": (2560, 1440)}
DIRECTORY = Path(__file__).parent / "grids"
_SQUARE = 16  # pixels


def grid_of(png: bytes) -> Image.Image:
    """A picture, as one pixel of grey for each square."""
    whole = Image.open(io.BytesIO(png)).convert("L")
    return whole.resize((whole.width // _SQUARE, whole.height // _SQUARE), Image.Resampling.BOX)


def grid_at(tab: Page, size: str) -> Image.Image:
    """The grid of what a tab shows in a window of this size."""
    width, height = SIZES[size]
    tab.set_viewport_size({"width": width, "height": height})
    return grid_of(tab.screenshot())


def grid_path(name: str, size: str) -> Path:
    """The file with the grid of a view."""
    return DIRECTORY / f"{name.replace(' ', '-').replace(',', '')}-{size}.png"


def difference(one: Image.Image, other: Image.Image) -> float:
    """By how much two grids differ on average, of 255, as far down as either shows anything."""
    if one.size != other.size:
        return 255.0
    empty = Image.new("L", one.size, one.getpixel((one.width - 1, one.height - 1)))
    boxes = [ImageChops.difference(each, empty).getbbox() for each in (one, other)]
    bottom = max((box[3] for box in boxes if box), default=one.height)
    differs = ImageChops.difference(one, other).crop((0, 0, one.width, bottom))
    return float(ImageStat.Stat(differs).mean[0])
