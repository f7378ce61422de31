"""`reconciler completion`: scripts that let shells complete commands, options and names."""

import click

from reconciler.cli.verb import Verb

_SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Verb)
@click.argument("shell", type=click.Choice(_SHELLS), metavar="bash|zsh|fish")
def completion(shell: str) -> None:
    """Print a script that completes commands in a shell.

    \b
    bash: source <(reconciler completion bash)
    zsh:  source <(reconciler completion zsh)
    fish: reconciler completion fish | source

    Add that line to the startup file of your shell. The script completes commands, options and their values,
    and the names of scale sets in the directory of specs.
    """
    from click.shell_completion import ShellComplete, get_completion_class

    program = click.get_current_context().find_root()
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has these three
    # Not the method of the class for bash, which starts bash to ask for its version.
    click.echo(ShellComplete.source(kind(program.command, {}, "reconciler", "_RECONCILER_COMPLETE")))
