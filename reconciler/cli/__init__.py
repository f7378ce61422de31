"""The command line: one module for each verb.

Every error is one line that begins with "error: ". The module `exit_codes` has the table of exit codes.
"""

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from reconciler import __version__
from reconciler.cli.configured import config_option, context_option
from reconciler.cli.exit_codes import COMMON, INTERRUPTED
from reconciler.cli.failure import show_error
from reconciler.cli.former_names import refuse_former_variables
from reconciler.cli.verbs import VerbGroup


class _Program(VerbGroup):
    """Handles errors and Ctrl-C for every verb. A verb that has to finish something handles Ctrl-C itself."""

    def main(self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        """Run the command, and exit with its code. With `standalone_mode` off, return its result instead."""
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        try:
            code = super().main(args, standalone_mode=False, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _show(error)
            sys.exit(error.exit_code)
        except click.Abort:
            _interrupt()
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _interrupt()

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the exit codes that all commands have in common."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl(list(COMMON.items()))


def _show(error: click.ClickException) -> None:
    """Print a Click error like any other error. For a usage error, print the usage of the command first."""
    if isinstance(error, click.UsageError) and error.ctx:
        path = error.ctx.command_path
        click.echo(f"{error.ctx.get_usage()}\nTry '{path} --help' for help.\n", err=True)
    show_error(error.format_message())


def _require_directory() -> None:
    """Raise ClickException if the current directory was removed, so that no relative path leads anywhere."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise click.ClickException(
            "the current directory no longer exists; change to another directory"
        ) from None


def _interrupt() -> NoReturn:
    click.echo("interrupted", err=True)
    sys.exit(INTERRUPTED)


@click.group(
    cls=_Program,
    params=[config_option(), context_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="reconciler")
@click.pass_context
def main(ctx: click.Context, /, **_named: str) -> None:
    """Keep Azure Virtual Machine Scale Sets on the image that git declares.

    Upgrades one update domain at a time and checks health in between. Reports why a rollout stops.
    """
    # The verb itself reports errors. Without a handler, Python would print each warning a second time.
    logging.getLogger().addHandler(logging.NullHandler())
    if ctx.invoked_subcommand:
        _require_directory()
        refuse_former_variables(main.commands[ctx.invoked_subcommand], os.environ)
