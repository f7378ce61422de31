"""`reconciler simulate`: a simulated Azure Resource Manager on this machine, for tests and trials."""

from pathlib import Path
from typing import Any

import click

from reconciler.cli.verb import Verb


class _Wrapper(Verb):
    """A command whose arguments may end with `--` and another command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args and args.index("--") == len(args) - 1:
            raise click.UsageError("COMMAND is missing after --", ctx)  # for example an empty variable
        behind = args[args.index("--") + 1 :] if "--" in args else []
        remaining = super().parse_args(ctx, args)  # which empties args
        command = ctx.params["command"]
        if command and list(command) != behind:
            raise click.UsageError(f"unexpected argument {command[0]!r}; write -- before COMMAND", ctx)
        return remaining


class _Port(click.IntRange):
    """A port number, or 0 for any free port."""

    name = "port number"

    def __init__(self) -> None:
        super().__init__(0, 65535)


@click.command(cls=_Wrapper)
@click.argument("fleet", type=click.Path(path_type=Path))
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.option("--port", type=_Port(), default=0, help="HTTPS port.  [default: any free port]")
@click.option(
    "--certificates",
    type=click.Path(path_type=Path, file_okay=False, resolve_path=True),
    help="Directory for the certificate authority file.  [default: a temporary directory]",
)
@click.option(
    "--env-file",
    type=click.Path(path_type=Path, dir_okay=False, resolve_path=True),
    help="File to write the environment to, for other shells to source. It exists only while the fleet is "
    "served.",
)
@click.option(
    "--check", is_flag=True, help="Print every error in FLEET and serve nothing. Exit 1 if there are any."
)
def simulate(**given: Any) -> None:
    """Serve a fleet file as Azure would, for COMMAND or until Ctrl-C.

    FLEET is a YAML file. COMMAND starts once the fleet is served, with environment variables that direct
    clients to the simulated Azure. When COMMAND ends, the simulation ends with its exit code. Without
    COMMAND, the variables are printed, and you can paste them into another shell. To write them to a file,
    use --env-file: with shell redirection, the file would already exist, but empty, before the fleet is
    served.
    """
    from reconciler.cli.acts.simulate import act

    act(**given)
