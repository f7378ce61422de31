"""The former names of options and variables. Using a former name is an error that names the new one.

If a former name were ignored, the program could use an Azure endpoint that nobody intended.
"""

from collections.abc import Mapping

import click

OPTIONS: Mapping[str, str] = {"--follow-up": "--requeue-after"}


def renamed(option: str) -> str:
    """The error if the option has been renamed, otherwise "".

    >>> renamed("--follow-up"), renamed("--sweep")
    ('--follow-up has been renamed; write --requeue-after', '')
    """
    return f"{option} has been renamed; write {OPTIONS[option]}" if option in OPTIONS else ""


def refuse_former_variables(command: click.Command, environment: Mapping[str, str]) -> None:
    """Raise UsageError if a variable of `command` is set, even to "", under its former name."""
    names = sorted(each.envvar for each in command.params if isinstance(each.envvar, str))
    # Only the exact names: Kubernetes sets similar ones, such as RECONCILER_PORT for a Service.
    former = {name.removeprefix("VMSS_"): name for name in names}
    for old, new in OPTIONS.items():
        if (name := _variable(new)) in names:
            former[_variable(old)] = name
    found = [f"{old} to {new}" for old, new in former.items() if old in environment]
    if found:
        raise click.UsageError(f"rename these environment variables: {', '.join(found)}")


def _variable(option: str) -> str:
    return f"VMSS_RECONCILER_{option.removeprefix('--').replace('-', '_').upper()}"
