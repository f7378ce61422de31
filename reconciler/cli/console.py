"""The consoles of tables and live output, and when they have colours.

NO_COLOR and CLICOLOR_FORCE are those of no-color.org and bixense.com/clicolors. rich knows only the first.
"""

import os
import shutil
import sys
from collections.abc import Mapping

from rich.console import Console


def console(*, stderr: bool = False, width: int | None = None) -> Console:
    """A console on standard output or standard error."""
    is_forced = is_colour_forced(os.environ)
    return Console(
        stderr=stderr,
        highlight=False,
        width=width,
        force_terminal=True if is_forced else None,
        color_system="standard" if is_forced else "auto",
    )


def wide_console() -> Console:
    """Standard output, as wide as the terminal, or unlimited without one."""
    # rich assumes 80 columns for TERM=dumb, so the width is read here.
    return console(width=shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000)


def is_colour_forced(environment: Mapping[str, str]) -> bool:
    """Whether a pipe gets colours too.

    >>> is_colour_forced({"CLICOLOR_FORCE": "1"}), is_colour_forced({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"})
    (True, False)
    """
    return environment.get("CLICOLOR_FORCE", "0") not in {"", "0"} and not environment.get("NO_COLOR")
