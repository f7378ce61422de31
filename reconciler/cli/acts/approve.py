"""`reconciler approve`: approve the declared image of a scale set, with tags on the scale set."""

import sys
from functools import partial

from reconciler.acts.approve import Person, approve, authors_of
from reconciler.azure.identity import identity
from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.selector import check_chosen, chosen
from reconciler.cli.tagging import check_permitted, scale_sets_in_force, write_and_report
from reconciler.spec.label import Requirement
from reconciler.spec.scale_set import ScaleSet


def act(
    *, names: tuple[str, ...], selector: tuple[Requirement, ...] | None, by: str | None, fleet: FleetAccess
) -> None:
    """Approve the declared image of scale sets, if `rollout.approval` requires it."""
    check_chosen(names, selector)
    desired = chosen(scale_sets_in_force(fleet.specs, "approved"), names, selector)
    check_permitted(desired, "approve")
    announce(fleet.session)
    approved = [write_and_report(each.name, partial(_approve_declared, each, by, fleet)) for each in desired]
    if not all(approved):
        sys.exit(FAILURE)


def _approve_declared(desired: ScaleSet, by: str | None, fleet: FleetAccess) -> str:
    """Approve the declared image of one scale set. Returns the result as a message.

    Raises AzureFailure and TagUnchanged.
    """
    approver = Person.of(identity(fleet.session), by)
    authors = authors_of(desired, fleet.specs, fleet.specs.commit)
    return approve(desired, approver, authors, fleet.azure())
