"""The command line: one module for each verb.

Exit codes: 0 success, 1 failure (with an error message), 2 usage error, 130 Ctrl-C. The help of a verb names
its other codes.
"""

import logging
import os
import sys

import click

from reconciler import __version__
from reconciler.cli.environment import refuse_former_variables
from reconciler.cli.verbs import Verbs


class _Program(click.Group):
    """Ends every verb in the same way on Ctrl-C, unless the verb has to finish something first."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.exit(130)  # as in shells: 128 + SIGINT


@click.group(
    cls=_Program,
    commands=Verbs(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="reconciler")
@click.pass_context
def main(context: click.Context) -> None:
    """Keep Azure Virtual Machine Scale Sets on the image that git declares.

    Rolls one update domain at a time and checks health in between. If it stops, it reports why.
    """
    # The verb itself reports errors. Without a handler, Python would print each warning a second time.
    logging.getLogger().addHandler(logging.NullHandler())
    if context.invoked_subcommand:
        refuse_former_variables(main.commands[context.invoked_subcommand], os.environ)
