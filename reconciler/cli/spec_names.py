"""Completes NAME with the names of the scale sets in a directory of specs."""

from pathlib import Path

import click


def complete_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The names that begin with `incomplete`, without those already typed.

    Completion does not fetch specs from git, and it ignores errors in specs.
    """
    from reconciler.spec.directory import read_paths
    from reconciler.spec.names import scale_set_names

    if ctx.params.get("git"):
        return []
    typed = ctx.params.get("names") or ()
    found = scale_set_names(read_paths([ctx.params.get("specs") or Path("specs")]).files)
    return [name for name in found if name.startswith(incomplete) and name not in typed]
