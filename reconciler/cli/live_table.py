"""The live table of `run` and of `status --watch`: lines that are painted again as they change."""

from collections.abc import Callable
from typing import Protocol

from rich.console import Console
from rich.live import Live

from reconciler.cli.grid import Lines

_PAINTS_PER_SECOND = 4


class Shown(Protocol):
    """What is painted."""

    def rendered(self, width: int | None) -> Lines:
        """Its lines, each cut to `width`."""
        ...


def live_table(
    console: Console,
    table: Callable[[int | None], Shown],
    *,
    is_alone: bool,
    is_over: Callable[[], bool] = lambda: False,
) -> Live:
    """A live table on this console. `table` is given its height, None once `is_over`.

    It never fills more than the window, because every paint would then leave lines behind. If nothing else is
    written, it `is_alone` on the alternate screen of the terminal, so that a new size of the window leaves
    nothing behind either.
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
