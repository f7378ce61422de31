"""Consoles for tables and live output, and whether they have colours.

no-color.org defines NO_COLOR, and bixense.com/clicolors defines CLICOLOR_FORCE. rich supports only NO_COLOR.
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
    """A console on standard output, as wide as the terminal, or of unlimited width without a terminal."""
    # rich assumes 80 columns for TERM=dumb, so the width is read here.
    return console(width=shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000)


def is_colour_forced(environment: Mapping[str, str]) -> bool:
    """Whether output has colours even in a pipe.

    >>> is_colour_forced({"CLICOLOR_FORCE": "1"}), is_colour_forced({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"})
    (True, False)
    """
    return environment.get("CLICOLOR_FORCE", "0") not in {"", "0"} and not environment.get("NO_COLOR")
