"""The live table of `run` and `status --watch`. Its lines are repainted as they change."""

from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.live import Live

from reconciler.cli.grid import Lines

_PAINTS_PER_SECOND = 4


class Shown(Protocol):
    """Content that the live table can paint."""

    def rendered(self, width: int | None) -> Lines:
        """The lines to paint, each cut to `width` unless `width` is None."""
        ...


def live_table(
    console: Console,
    table: Callable[[int | None], Shown],
    *,
    is_alone: bool,
    is_over: Callable[[], bool] = lambda: False,
) -> Live:
    """A live table on this console. `table` is called with the height in lines, or with None once `is_over`.

    The table is never taller than the window, because each repaint would otherwise leave lines behind.
    `is_alone` means that nothing else is written. The table then uses the alternate screen of the terminal,
    so that resizing the window leaves nothing behind either.
    """

    def painted() -> Lines:
        height = None if is_over() else console.height - (not is_alone)
        return table(height).rendered(console.width)

    return Live(
        console=console,
        get_renderable=painted,
        refresh_per_second=_PAINTS_PER_SECOND,
        vertical_overflow="crop",
        screen=is_alone,
    )
