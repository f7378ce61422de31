"""`reconciler adopt`: write a spec, with the current image, for each live scale set that has none."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from reconciler.azure.session import Session
from reconciler.cli import adoption
from reconciler.cli.adoption import Adopted, AdoptionResult
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import show_error
from reconciler.cli.live_scale_sets import (
    is_named,
    live_scale_sets,
    scopes_of,
    unknown_names,
)
from reconciler.cli.take_over import take_over
from reconciler.daemon.specs import Specs
from reconciler.spec.declared import Declared, declare
from reconciler.spec.directory import read_paths
from reconciler.spec.files import is_hidden, is_spec
from reconciler.spec.scale_set import Target
from reconciler.spec.wording import count


def act(
    *,
    names: tuple[str, ...],
    subscriptions: tuple[str, ...],
    resource_groups: tuple[str, ...],
    to: Path,
    share_images: bool,
    is_take_over: bool,
    former: str | None,
    specs: Specs,
    session: Session,
) -> None:
    """Write a spec for each live scale set that has none or, with --take-over, claim the named scale sets."""
    _check_usage(names, is_take_over=is_take_over)
    if is_take_over:
        take_over(names, former, specs, session)
        return
    existing = _existing(to)
    scopes = scopes_of(subscriptions, resource_groups)
    is_several = len({each.subscription for each in scopes}) > 1
    announce(session)
    live, errors = live_scale_sets(session, scopes)
    if not errors:
        errors = unknown_names(live, names)
    chosen = [each for each in live if not names or is_named(each.target, names)]
    found = adoption.adopt(
        chosen, existing, to, session, by_group=bool(resource_groups), is_sharing=share_images
    )
    results = sorted(found.results, key=lambda each: each.target.key)
    for each in results:
        click.echo(f"{_label(each.target, several=is_several)}: {each.line}")
    for line in found.images:
        click.echo(line)
    for line in errors:
        show_error(line)
    if results or not errors:
        click.echo(_summary(results))
    if errors or any(each.result is AdoptionResult.LEFT_OUT for each in results):
        sys.exit(FAILURE)


# Options that need --take-over, and options that exclude it.
_WITH = {"former": "--from", "specs": "--specs", "git": "--git"}
_WITHOUT = {
    "subscriptions": "--subscription",
    "resource_groups": "--resource-group",
    "to": "--to",
    "share_images": "--share-images",
}


def _check_usage(names: Sequence[str], *, is_take_over: bool) -> None:
    """Raise UsageError if an option is missing or conflicts with another."""
    ctx = click.get_current_context()
    typed = [
        option
        for param, option in (_WITHOUT if is_take_over else _WITH).items()
        if ctx.get_parameter_source(param) is ParameterSource.COMMANDLINE
    ]
    if typed and is_take_over:
        raise click.UsageError(
            f"{typed[0]} and --take-over cannot be combined: the specs name each scale set"
        )
    if typed:
        raise click.UsageError(f"{typed[0]} needs --take-over")
    if is_take_over and not names:
        raise click.UsageError("--take-over needs the NAMES of specs; '*' means all specs")
    if not is_take_over and not ctx.params["subscriptions"]:
        raise click.UsageError("Missing option '--subscription'.")


def _existing(to: Path) -> Declared:
    """The declarations in the directory, which is created if it does not exist.

    Errors in specs end the command, because an unreadable spec could declare any scale set.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(
            f"cannot create {to}: {error.strerror}; choose another directory with --to"
        ) from error
    if not os.access(to, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
        raise click.ClickException(
            f"cannot write to {to}: permission denied; choose another directory with --to"
        )
    if not any(_is_read(path.relative_to(to)) for path in to.rglob("*")):
        return declare(())
    found = read_paths([to])
    declared = declare(found.files)
    problems = sorted({*found.problems, *declared.problems})
    for problem in problems:
        show_error(str(problem))
    if problems:
        raise click.ClickException(f"nothing was adopted: fix the errors in the specs in {to} first")
    return declared


def _is_read(path: Path) -> bool:
    return is_spec(path.name) and not any(map(is_hidden, path.parts))


def _label(target: Target, *, several: bool) -> str:
    within = f"{target.subscription}/" if several else ""
    return f"{within}{target.resource_group}/{target.name}"


def _summary(results: Sequence[Adopted]) -> str:
    """
    >>> _summary([Adopted(Target("S", "shop", "web"), AdoptionResult.ADOPTED, "")])
    '1 scale set: 1 adopted'
    """
    numbers = Counter(each.result for each in results)
    counts = ", ".join(f"{numbers[each]} {each}" for each in AdoptionResult if numbers[each])
    return f"{count(len(results), 'scale set')}{f': {counts}' if counts else ''}"
