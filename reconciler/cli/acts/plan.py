"""`reconciler plan`: what a change will do to a fleet, when, and what could go wrong. Changes nothing."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Group

from reconciler.checks.reach import UNMERGED, Allowed
from reconciler.cli import markdown, plan_blocks, table
from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE, NOT_AS_DECLARED
from reconciler.cli.failure import fail, show_error
from reconciler.cli.named import unknown_name
from reconciler.cli.rehearsed import rehearse_live
from reconciler.cli.row_errors import NOTHING_FITS
from reconciler.cli.selector import fits_labels
from reconciler.cli.skipped_checks import skipped_checks_note
from reconciler.cli.structured import STRUCTURED, show_structured
from reconciler.daemon.settings import Settings
from reconciler.daemon.store import Store
from reconciler.git.worktree import NoBase, earlier_specs
from reconciler.prediction import report
from reconciler.prediction.declared import Base
from reconciler.prediction.plan import Plan
from reconciler.prediction.planning import plan_fleet
from reconciler.rehearsal.fault import Fault
from reconciler.spec.declared import declare
from reconciler.spec.label import Requirement
from reconciler.spec.shard import Shard
from reconciler.spec.wording import count, printable


def act(
    *,
    fleet: FleetAccess,
    names: tuple[str, ...],
    selector: tuple[Requirement, ...] | None,
    base: str | None,
    is_rehearsed: bool,
    faults: tuple[Fault, ...],
    seed: int,
    output: str,
    detailed_exitcode: bool,
    checks: bool,
    check_hosts: tuple[Allowed, ...],
) -> None:
    """Show what a change will do, to how many instances, when, and what could go wrong."""
    if faults and not is_rehearsed:
        raise click.UsageError("--fault requires --rehearse")
    earlier = None if base is None else _earlier(fleet.specs.directory, base, fleet.specs.shard)
    for line in earlier.warnings if earlier else ():
        click.echo(f"warning: {line}", err=True)
    announce(fleet.session)
    reach = replace(UNMERGED, allowed=check_hosts) if checks else None
    planned, store = plan_fleet(
        fleet.specs,
        fleet.azure(),
        earlier.base if earlier else None,
        settings=Settings(),
        list_by_resource_group=fleet.list_by_resource_group,
        check_reach=reach,
    )
    is_limited = bool(names) or selector is not None
    if is_limited:
        planned = _limit_to(planned, store, names, selector)
    states = planned.states
    skipped = "" if checks else skipped_checks_note(each.desired for each in states)
    shown = "" if not is_limited else f"{len(states):,} of {count(len(store.states()), 'scale set')} shown"
    notes = [each for each in (earlier.note if earlier else "", shown, skipped) if each]
    errors = store.last_sweep.errors if store.last_sweep else ()
    for line in errors:
        show_error(line)

    found, is_read = report.plan(planned), bool(states or not errors)
    if is_rehearsed and states and not errors:
        found["rehearsal"] = rehearse_live(fleet, faults, seed)
    if is_read or output in STRUCTURED:
        _show(found, output, notes, earlier)
    if errors or any(state.outcome is None or state.outcome.is_error for state in states):
        sys.exit(FAILURE)
    if detailed_exitcode and not all(each.is_as_declared for each in states):
        sys.exit(NOT_AS_DECLARED)


def _limit_to(
    planned: Plan, store: Store, names: tuple[str, ...], selector: tuple[Requirement, ...] | None
) -> Plan:
    """Limit the plan to matching scale sets. Ends the command if a name is unknown or nothing matches."""
    known = [each.desired.name for each in store.states()]
    for name in names:
        if name not in known:
            fail(unknown_name(name, known, store.last_sweep.errors if store.last_sweep else ()))
    limited = planned.limited_to(
        lambda each: (not names or each.name in names) and fits_labels(selector, each.labels)
    )
    if known and not limited.states:
        fail(NOTHING_FITS)
    return limited


def _show(found: Mapping[str, Any], output: str, notes: Sequence[str], earlier: "_Earlier | None") -> None:
    shared_with = earlier.shared_with if earlier else ""
    if output in STRUCTURED:
        for line in notes:
            click.echo(line, err=True)
        show_structured(found, output)
    elif not found["scaleSets"] and not found["summary"]["removed"]:
        click.echo("no scale set is declared")
    elif output == "markdown":
        click.echo(markdown.plan(found, notes, earlier.warnings if earlier else (), shared_with))
    else:
        table.show(Group(*plan_blocks.plan(found, notes, shared_with)))


@dataclass(frozen=True, slots=True)
class _Earlier:
    """The specs before the change, with warnings and a note about them.

    See `plan_text.base` for `shared_with`.
    """

    base: Base
    shared_with: str
    warnings: tuple[str, ...]
    note: str


def _earlier(directory: Path | None, revision: str, shard: Shard | None) -> _Earlier:
    """The specs at the commit where the current branch diverged from `revision`.

    A spec that has errors at that commit counts as not declared.
    """
    if directory is None:
        raise click.UsageError("--base requires --specs: check out the repository, and name its directory")
    try:
        found = earlier_specs(directory, revision)
    except NoBase as error:
        raise click.ClickException(str(error)) from error
    declared = declare(found.selection.files, shard=shard)
    problems = (*found.selection.problems, *declared.problems)
    warnings = [f"commit {found.commit[:10]}: {each}" for each in problems]
    absent = f"the base has no specs in {printable(str(directory))}, so every spec counts as added"
    return _Earlier(
        Base(found.commit, {each.target.key: each for each in declared.scale_sets}),
        "" if found.warning else printable(revision),
        tuple(filter(None, (found.warning, *warnings))),
        absent if found.is_absent else "",
    )
