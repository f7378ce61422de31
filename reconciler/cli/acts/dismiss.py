"""`reconciler dismiss`: end the rollout of an orphan without completing it, by changing a tag."""

import sys
from collections.abc import Mapping, Set
from dataclasses import replace
from functools import partial

from reconciler.acts.tagging import check_writable, model_at
from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.cli.access import FleetAccess
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import show_error
from reconciler.cli.named import unknown_orphan
from reconciler.cli.tagging import scale_sets_in_force, write_and_report
from reconciler.daemon.listing import Listing, listing
from reconciler.daemon.orphan import candidates, open_rollout, orphan, orphan_names, target_of
from reconciler.rollout.reading import partial_read
from reconciler.rollout.wording import moment
from reconciler.spec.scale_set import ScaleSet, Target


def act(*, names: tuple[str, ...], fleet: FleetAccess) -> None:
    """Dismiss orphans: scale sets whose spec was removed in the middle of a rollout."""
    in_force = scale_sets_in_force(fleet.specs, "dismissed")
    announce(fleet.session)
    compute = Compute(fleet.session)
    listed = listing(compute, in_force.values(), by_group=fleet.list_by_resource_group)
    for scope, failure in listed.failures.items():
        show_error(f"{scope}: {failure}")
    found = _orphans(listed, in_force, fleet.specs.elsewhere)
    missing = [name for name in names if name not in found]
    for name in () if listed.failures else missing:  # one that was not listed may have the name
        show_error(unknown_orphan(name, found, in_force))
    dismissed = [
        write_and_report(name, partial(_dismiss, found[name], compute))
        for name in dict.fromkeys(names)
        if name in found
    ]
    if missing or not all(dismissed):
        sys.exit(FAILURE)


def _orphans(listed: Listing, in_force: Mapping[str, ScaleSet], elsewhere: Set[str]) -> dict[str, Target]:
    """The scale sets that may be orphans, by name.

    If the fleet has no name, these are all undeclared scale sets that no fleet has claimed. Only the daemon
    knows which of these scale sets were declared before.
    """
    fleet = next((each.fleet.claim for each in in_force.values()), "")
    former = {} if fleet else dict.fromkeys(listed.undeclared, "")
    undeclared = (each for key, each in listed.undeclared.items() if key not in elsewhere)
    found = candidates(undeclared, fleet, former)
    names = orphan_names(found, in_force)
    return {names[each.id]: target_of(each) for each in found}


def _dismiss(target: Target, compute: Compute) -> str:
    """Dismiss an orphan. Returns the result as a message. Raises AzureFailure and TagUnchanged."""
    model = model_at(target, compute)
    began = open_rollout(model)
    if began is None:
        return "unchanged: its rollout has ended, or was already dismissed"
    instances = compute.instances(target, model, Priority.ROLLOUT)
    if not partial_read(model, instances) and orphan("", model, instances, compute.now()) is None:
        return f"unchanged: its rollout to {began.image.name} has ended"
    persisted = replace(model.persisted, began=None)
    check_writable(model, persisted)
    compute.persist(target, model, persisted)
    return (
        f"its rollout to {began.image.name}, begun at {moment(began.at)}, is dismissed; the scale set stays "
        "as it is, and is no longer Orphaned after the next sweep"
    )
