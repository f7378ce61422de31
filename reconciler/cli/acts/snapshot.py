"""`reconciler snapshot`: print live scale sets as a fleet file for the simulator."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import click
from click.core import ParameterSource

from reconciler.azure.session import Session
from reconciler.cli.announcement import announce
from reconciler.cli.copying import copy_fleet, file_text
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import fail, show_error
from reconciler.cli.live_scale_sets import (
    is_named,
    live_scale_sets,
    scopes_of,
    unknown_names,
)
from reconciler.cli.named import unknown_name
from reconciler.cli.selector import fits_labels
from reconciler.cli.tagging import scale_sets_in_force
from reconciler.daemon.specs import Specs
from reconciler.spec.image import Image
from reconciler.spec.label import Requirement
from reconciler.spec.scale_set import Target


def act(
    *,
    names: tuple[str, ...],
    selector: tuple[Requirement, ...] | None,
    subscriptions: tuple[str, ...],
    resource_groups: tuple[str, ...],
    specs: Specs,
    session: Session,
) -> None:
    """Print live scale sets as a fleet file for `reconciler simulate` and `reconciler rehearse`."""
    _check_usage(subscriptions, resource_groups)
    if selector is not None and subscriptions:
        raise click.UsageError(
            "--selector and --subscription cannot be combined, because labels come from the specs, which "
            "--subscription does not read"
        )
    declared: Mapping[str, Image] = {}
    if subscriptions:
        announce(session)
        live, errors = live_scale_sets(session, scopes_of(subscriptions, resource_groups))
        errors = errors or unknown_names(live, names)
        targets = [each.target for each in live if not names or is_named(each.target, names)]
    else:
        targets, declared, errors = _declared(names, selector, specs)
        announce(session)
    for line in errors:
        show_error(line)
    if not targets:
        sys.exit(FAILURE) if errors else fail("there is no scale set to read")
    copied = copy_fleet(session, targets, declared)
    click.echo(file_text(copied), nl=False)
    if errors or copied.has_absent or copied.has_failures:
        sys.exit(FAILURE)


def _check_usage(subscriptions: Sequence[str], resource_groups: Sequence[str]) -> None:
    """Raise UsageError for --resource-group without --subscription, and for conflicts with --subscription."""
    source = click.get_current_context().get_parameter_source
    if resource_groups and not subscriptions:
        raise click.UsageError("--resource-group needs --subscription")
    for param in ("specs", "git") if subscriptions else ():
        if source(param) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{param} and --subscription cannot be combined; "
                "use only one of them to choose the scale sets"
            )


def _declared(
    names: Iterable[str], selector: tuple[Requirement, ...] | None, specs: Specs
) -> tuple[list[Target], Mapping[str, Image], list[str]]:
    """The targets and the images of the selected specs, and an error for each unknown name.

    A spec is selected by its name or by its labels. With neither names nor a selector, every spec is
    selected.
    """
    in_force = scale_sets_in_force(specs, "read")
    names = tuple(names)
    if not names and selector is None:
        names = ("*",)
    errors = [
        unknown_name(name, in_force)
        for name in names
        if not any(fnmatchcase(each, name) for each in in_force) and name != "*"
    ]
    chosen = [
        each
        for name, each in in_force.items()
        if any(fnmatchcase(name, pattern) for pattern in names)
        or (selector is not None and fits_labels(selector, each.labels))
    ]
    return [each.target for each in chosen], {each.target.key: each.image for each in chosen}, errors
