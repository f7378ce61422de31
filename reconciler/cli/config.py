"""`reconciler config`: the settings, where each comes from, and the contexts for several fleets."""

import click

from reconciler.cli.configured import complete_contexts, config_option, context_option, named
from reconciler.cli.options import output_option
from reconciler.cli.settings import CONTEXT_VARIABLE, VARIABLE
from reconciler.cli.verb import Verb


@click.group(
    invoke_without_command=True,
    params=[config_option(), context_option()],
)
@output_option
@click.pass_context
def config(ctx: click.Context, /, output: str, **_named: str) -> None:
    """Show each setting and where it comes from.

    The value of a setting comes from an environment variable, from the context in the configuration file,
    from the settings for all contexts in that file, or from the default. An option on the command line
    overrides all of them. `reconciler schema config` prints the JSON Schema of the file.
    """
    if ctx.invoked_subcommand is None:
        from reconciler.cli.acts.config import show

        show(named(ctx, "config", VARIABLE), named(ctx, "context", CONTEXT_VARIABLE), output)


@config.command("get-contexts", cls=Verb, params=[config_option()])
@output_option
@click.pass_context
def get_contexts(ctx: click.Context, /, output: str, **_named: str) -> None:
    """List the contexts of the configuration file."""
    from reconciler.cli.acts.config import list_contexts

    list_contexts(named(ctx, "config", VARIABLE), output)


@config.command("use-context", cls=Verb, params=[config_option()])
@click.argument("name", shell_complete=complete_contexts)
@click.pass_context
def use_context(ctx: click.Context, /, name: str, **_named: str) -> None:
    """Set the current context in the configuration file.

    NAME is the name of the context. Only the line currentContext of the file is changed.
    """
    from reconciler.cli.acts.config import use_context as act

    act(name, named(ctx, "config", VARIABLE))
