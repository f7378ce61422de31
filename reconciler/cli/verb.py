"""A verb: a click command that rejects empty values and former options. Its help lists its exit codes."""

import os
from collections.abc import Iterable, Iterator

import click
from click.core import ParameterSource

from reconciler.cli.exit_codes import OF_VERBS
from reconciler.cli.former_names import renamed


class Verb(click.Command):
    """A command whose options, arguments and variables must not be empty.

    click ignores an empty variable, and reads an empty path as the current directory. An empty value usually
    comes from an unset shell variable, and another Azure endpoint or other specs were meant.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:  # for completion
            return super().parse_args(ctx, args)
        try:
            given, _, _ = self.make_parser(ctx).parse_args(list(args))
        except click.NoSuchOption as error:
            if former := renamed(error.option_name):
                raise click.UsageError(former, ctx) from error
            raise
        for param in () if given.get("help") else self.params:
            if "" in _texts(param, given.get(param.name)):
                raise click.UsageError(f"{_name(param)} is empty; set a value, or omit it", ctx)
        remaining = super().parse_args(ctx, args)
        for param in self.params:
            variable = param.envvar
            if (
                isinstance(variable, str)
                and os.environ.get(variable) == ""
                and ctx.get_parameter_source(param.name or "") is ParameterSource.DEFAULT
            ):
                raise click.UsageError(
                    f"{variable} is empty; set a value, or unset it{_default_note(param)}", ctx
                )
        return remaining

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the exit codes that have a meaning of their own in this verb."""
        super().format_epilog(ctx, formatter)
        if codes := OF_VERBS.get(str(self.name)):
            with formatter.section("Exit codes"):
                formatter.write_dl(list(codes.items()))


def _texts(param: click.Parameter, given: object) -> Iterator[object]:
    """The values of a parameter on the command line. Of a COMMAND to run, only its name."""
    values = [given] if isinstance(given, str) else given if isinstance(given, Iterable) else ()
    for number, value in enumerate(values):
        if number == 0 or param.type is not click.UNPROCESSED:
            yield value


def _name(param: click.Parameter) -> str:
    return max(param.opts, key=len) if isinstance(param, click.Option) else str(param.name).upper()


def _default_note(param: click.Parameter) -> str:
    """The default that applies if the variable is not set, as text."""
    return f" for {param.default}" if isinstance(param, click.Option) and param.show_default else ""
