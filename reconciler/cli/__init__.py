"""The command line: one module per verb.

Exit codes: 0 all is well, 1 something is wrong (and was said), 2 the command was used wrongly; where a verb
has others, its help names them.
"""

import logging
import os

import click

from reconciler import __version__
from reconciler.cli.adopt import adopt
from reconciler.cli.approve import approve
from reconciler.cli.check import check
from reconciler.cli.environment import refuse_former_variables
from reconciler.cli.plan import plan
from reconciler.cli.run import run
from reconciler.cli.simulate import simulate
from reconciler.cli.status import status
from reconciler.cli.validate import validate
from reconciler.cli.why import why


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="reconciler")
def main() -> None:
    """Keep Azure Virtual Machine Scale Sets on the image that git declares.

    One update domain at a time, gated on health, or it stops and says why.
    """
    # What goes wrong is said once, by the verb: without a handler Python would print each warning besides.
    logging.getLogger().addHandler(logging.NullHandler())
    refuse_former_variables(main.commands.values(), os.environ)


for _verb in (adopt, check, validate, plan, run, approve, status, why, simulate):
    main.add_command(_verb)
