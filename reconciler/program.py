"""The entry point of the console script. `main` imports everything else, so that Ctrl-C is always quiet."""

import sys


def main() -> None:
    try:
        from reconciler.cli import main as program  # noqa: PLC0415 - takes a second, in which Ctrl-C may come

        program(prog_name="reconciler")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - click may not be there yet
        sys.exit(130)
