"""The command line: one module per verb.

Exit codes: 0 all is well, 1 something is wrong (and was said), 2 the command was used wrongly; where a verb
has others, its help names them. 130: Ctrl-C.
"""

import logging
import os
import sys

import click

from reconciler import __version__
from reconciler.cli.environment import refuse_former_variables
from reconciler.cli.verbs import Verbs


class _Program(click.Group):
    """All verbs end alike on Ctrl-C, but those that have something to finish first."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            sys.exit(130)  # as shells have it: 128 + SIGINT


@click.group(
    cls=_Program,
    commands=Verbs(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="reconciler")
@click.pass_context
def main(context: click.Context) -> None:
    """Keep Azure Virtual Machine Scale Sets on the image that git declares.

    One update domain at a time, gated on health, or it stops and says why.
    """
    # What goes wrong is said once, by the verb: without a handler Python would print each warning besides.
    logging.getLogger().addHandler(logging.NullHandler())
    if context.invoked_subcommand:
        refuse_former_variables(main.commands[context.invoked_subcommand], os.environ)
