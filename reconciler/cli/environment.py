"""The environment variables that set options, and their former names.

A former name is an error. If it were ignored, the program could use another Azure than intended.
"""

from collections.abc import Mapping

import click


def refuse_former_variables(command: click.Command, environment: Mapping[str, str]) -> None:
    """Raise UsageError if a variable of `command` is set, even to "", under its former name."""
    names = {each.envvar for each in command.params if isinstance(each.envvar, str)}
    # Only the exact names: Kubernetes sets similar ones, such as RECONCILER_PORT for a Service.
    former = {name.removeprefix("VMSS_"): name for name in sorted(names)}
    found = [f"{old} to {new}" for old, new in former.items() if old in environment]
    if found:
        raise click.UsageError(f"rename these environment variables: {', '.join(found)}")
