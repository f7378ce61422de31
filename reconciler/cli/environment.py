"""The environment variables that set options, and the names they had before.

A former name is refused: were it ignored, the program might ask another Azure than the one that was meant.
"""

from collections.abc import Mapping

import click


def refuse_former_variables(command: click.Command, environment: Mapping[str, str]) -> None:
    """Raise UsageError where an option of `command` is set, or emptied, under its former name."""
    names = {each.envvar for each in command.params if isinstance(each.envvar, str)}
    # The exact names alone: Kubernetes sets others that begin alike, such as RECONCILER_PORT for a Service.
    former = {name.removeprefix("VMSS_"): name for name in sorted(names)}
    found = [f"{old} to {new}" for old, new in former.items() if old in environment]
    if found:
        raise click.UsageError(f"rename these environment variables: {', '.join(found)}")
