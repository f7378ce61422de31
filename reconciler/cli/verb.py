"""A verb: a click command that takes nothing empty for something that was left out."""

import os
from collections.abc import Iterable, Iterator

import click
from click.core import ParameterSource


class Verb(click.Command):
    """A command of which no option, argument or variable may be empty.

    To click an empty variable is none, and an empty path is the directory one is in. Mostly it was a variable
    of the shell that had no value, and another Azure, or other specs, were meant.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        for param in () if given.get("help") else self.params:
            if "" in _texts(param, given.get(param.name)):
                raise click.UsageError(f"{_name(param)} is empty: give it a value, or leave it out", ctx)
        rest = super().parse_args(ctx, args)
        for param in self.params:
            variable = param.envvar
            if (
                isinstance(variable, str)
                and os.environ.get(variable) == ""
                and ctx.get_parameter_source(param.name or "") is ParameterSource.DEFAULT
            ):
                raise click.UsageError(
                    f"{variable} is empty: give it a value, or unset it{_default_note(param)}", ctx
                )
        return rest


def _texts(param: click.Parameter, given: object) -> Iterator[object]:
    """What stands for a parameter on the command line; of a command of its own, its name alone."""
    values = [given] if isinstance(given, str) else given if isinstance(given, Iterable) else ()
    for number, value in enumerate(values):
        if number == 0 or param.type is not click.UNPROCESSED:
            yield value


def _name(param: click.Parameter) -> str:
    return max(param.opts, key=len) if isinstance(param, click.Option) else str(param.name).upper()


def _default_note(param: click.Parameter) -> str:
    """What holds where the variable is not set."""
    return f" for {param.default}" if isinstance(param, click.Option) and param.show_default else ""
