"""A table as an SVG picture, for a chat or a pull request.

The picture uses the fonts of the browser that shows it, and loads nothing.
"""

from io import StringIO

from rich.console import Console, RenderableType

from reconciler.spec.wording import printable

PICTURE_WIDTH = 118  # characters: a page of GitHub shows it without making it smaller

# rich's own picture fetches fonts from elsewhere, and would not be shown where that is forbidden.
_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; \
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def svg(shown: RenderableType, title: str) -> str:
    """A picture of what a terminal would show."""
    console = Console(
        record=True,
        width=PICTURE_WIDTH,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
        highlight=False,
    )
    console.print(shown)
    picture = console.export_svg(title=title, code_format=_FORMAT, unique_id="status")
    # A character that reorders text would do so in the whole line.
    return "\n".join(map(printable, picture.split("\n")))
