"""A verb: a Click command that rejects empty values and renamed options. Its help lists its exit codes."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click
from click.core import ParameterSource

from reconciler.cli.configured import config_option, context_option, defaults, is_configurable, named
from reconciler.cli.exit_codes import OF_VERBS
from reconciler.cli.former_names import renamed
from reconciler.cli.settings import VARIABLE, config_path, setting_of


class Verb(click.Command):
    """A command whose options, arguments and variables must not be empty.

    Click ignores an empty variable, and takes an empty path for the current directory. But an empty value
    usually comes from an unset shell variable, so the user meant another Azure endpoint or other specs.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.is_configurable = any(map(is_configurable, self.params))
        if self.is_configurable:
            self.params += [config_option(), context_option()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = self._typed(ctx, args)
        option = self.get_help_option(ctx)
        is_help = option is not None and bool(given.get(str(option.name)))
        if self.is_configurable and not is_help:
            ctx.default_map = defaults(ctx, given, strict=not ctx.resilient_parsing)
        if ctx.resilient_parsing:  # for completion
            return super().parse_args(ctx, args)
        for param in () if is_help else self.params:
            if "" in _texts(param, given.get(param.name)):
                raise click.UsageError(f"{_name(param)} is empty; set a value, or omit it", ctx)
        remaining = self._parse(ctx, args)
        for param in self.params:
            variable = param.envvar
            if (
                isinstance(variable, str)
                and os.environ.get(variable) == ""
                and ctx.get_parameter_source(param.name or "")
                in {ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP}
            ):
                raise click.UsageError(
                    f"{variable} is empty; set a value, or unset it{_default_note(param)}", ctx
                )
        return remaining

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb. Its options already have the values from the configuration file."""
        if self.is_configurable:
            del ctx.params["config"], ctx.params["context"]
        return super().invoke(ctx)

    def _typed(self, ctx: click.Context, args: list[str]) -> Mapping[str, Any]:
        """The values on the command line, by parameter name."""
        try:
            given, _, _ = self.make_parser(ctx).parse_args(list(args))
        except click.NoSuchOption as error:
            if former := renamed(error.option_name):
                raise click.UsageError(former, ctx) from error
            raise
        return given

    def _parse(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. An error about a value from the configuration file names that file."""
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            param = error.param
            source = ctx.get_parameter_source(param.name or "") if param else None
            if param is None or source is not ParameterSource.DEFAULT_MAP:
                raise
            setting = setting_of(str(param.envvar))
            path = config_path(named(ctx, "config", VARIABLE), os.environ)
            raise click.UsageError(f"{path}: {setting}: {error.message}", ctx) from error

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the exit codes that have a special meaning for this verb."""
        super().format_epilog(ctx, formatter)
        if codes := OF_VERBS.get(str(self.name)):
            with formatter.section("Exit codes"):
                formatter.write_dl(list(codes.items()))


def _texts(param: click.Parameter, given: object) -> Iterator[object]:
    """The values of a parameter on the command line, but only the first word of a COMMAND to run."""
    values = [given] if isinstance(given, str) else given if isinstance(given, Iterable) else ()
    for number, value in enumerate(values):
        if number == 0 or param.type is not click.UNPROCESSED:
            yield value


def _name(param: click.Parameter) -> str:
    return max(param.opts, key=len) if isinstance(param, click.Option) else str(param.name).upper()


def _default_note(param: click.Parameter) -> str:
    """A note on the default that applies without the variable, or "" if the help shows no default."""
    return f" for {param.default}" if isinstance(param, click.Option) and param.show_default else ""
