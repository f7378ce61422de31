"""Uses the settings of the configuration file as defaults for the options of a verb.

The order of precedence is: an option on the command line, an environment variable, the context, the settings
for all contexts.
"""

import os
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from reconciler.cli.settings import CONTEXT_VARIABLE, VARIABLE, Value, config_path, setting_of, settings

if TYPE_CHECKING:
    from reconciler.cli.config_file import ConfigFile

# Of each of these alternatives only one may be set. What is set more specifically replaces the others.
_ALTERNATIVES: Sequence[Sequence[Collection[str]]] = (
    ({"specs"}, {"git"}),
    ({"branch"}, {"tag"}, {"commit"}),
    (
        {"gitTokenFile"},
        {"gitAzureIdentity"},
        {"githubAppId", "githubAppInstallation", "githubAppKey"},
        {"sshKey", "sshKnownHosts"},
    ),
)


def named(ctx: click.Context, option: str, variable: str, typed: str = "") -> str:
    """The value of an option, which may come before or after the verb.

    Without the option, this is the value of its environment variable or, without that, "". `typed` is the
    option's value on a command line that has not been parsed yet.
    """
    each: click.Context | None = ctx
    while each and not typed:
        if each.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            typed = str(each.params[option])
        each = each.parent
    return typed or os.environ.get(variable, "")


def complete_contexts(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names of contexts that begin with `incomplete`."""
    from reconciler.cli.config_file import ConfigError, read_config

    try:
        config = read_config(named(ctx, "config", VARIABLE), os.environ)
    except ConfigError:
        return []
    return [name for name in config.contexts if name.startswith(incomplete)]


def config_option() -> click.Option:
    """The option that names the configuration file. Its default is ""."""
    return click.Option(
        ["--config"],
        metavar="FILE",
        default="",
        envvar=VARIABLE,
        show_envvar=True,
        help="The configuration file.  [default: ~/.config/vmss-reconciler/config.yaml]",
    )


def context_option() -> click.Option:
    """The option that names the context. Its default is ""."""
    return click.Option(
        ["--context"],
        metavar="NAME",
        default="",
        envvar=CONTEXT_VARIABLE,
        show_envvar=True,
        shell_complete=complete_contexts,
        help="The context of the configuration file.  [default: its currentContext]",
    )


def is_configurable(param: click.Parameter) -> bool:
    """Whether the configuration file may set this option."""
    return isinstance(param.envvar, str) and setting_of(param.envvar) in settings()


def defaults(ctx: click.Context, given: Mapping[str, Any], *, strict: bool) -> dict[str, Value]:
    """The values that the configuration file sets for the command of `ctx`, by parameter name.

    `given` has the options on the command line. If the file has errors, this raises UsageError if `strict`,
    and otherwise returns no values.
    """
    file = named(ctx, "config", VARIABLE, given.get("config", ""))
    context = named(ctx, "context", CONTEXT_VARIABLE, given.get("context", ""))
    if not file and not context and not config_path("", os.environ).exists():
        return {}  # as usual; nothing more is imported
    from reconciler.cli.config_file import ConfigError, read_config

    try:
        config = read_config(file, os.environ)
        context = config.context(context)
    except ConfigError as error:
        if strict:
            raise click.UsageError(str(error)) from error
        return {}
    params = {setting_of(str(each.envvar)): each for each in ctx.command.params if is_configurable(each)}
    stronger = {
        name for name, each in params.items() if given.get(str(each.name)) or str(each.envvar) in os.environ
    }
    values = effective(config, context, stronger)
    return {str(each.name): values[name] for name, each in params.items() if name in values}


def effective(config: "ConfigFile", context: str, stronger: Collection[str]) -> dict[str, Value]:
    """The settings that apply in a context, without any alternatives to `stronger` settings."""
    own = config.contexts.get(context, {})
    shared = _without_alternatives(config.shared, own)
    return _without_alternatives({**shared, **own}, stronger)


def _without_alternatives(weaker: Mapping[str, Value], stronger: Collection[str]) -> dict[str, Value]:
    """
    >>> _without_alternatives({"git": "https://example.com/fleet.git", "sweep": "1m"}, {"specs"})
    {'sweep': '1m'}
    """
    dropped = {
        name
        for group in _ALTERNATIVES
        for chosen in group
        if any(each in stronger for each in chosen)
        for other in group
        if other is not chosen
        for name in other
    }
    return {name: value for name, value in weaker.items() if name not in dropped}
