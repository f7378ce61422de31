"""`reconciler adopt --take-over`: claim scale sets for this fleet, with a tag on each."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial

from reconciler.acts.tagging import TagUnchanged, check_writable, declared_model, takes_effect_note
from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.cli.announcement import announce
from reconciler.cli.exit_codes import FAILURE
from reconciler.cli.failure import show_error
from reconciler.cli.named import unknown_name
from reconciler.cli.tagging import scale_sets_in_force, write_and_report
from reconciler.daemon.specs import Specs
from reconciler.spec.scale_set import ScaleSet


def take_over(names: Sequence[str], former: str | None, specs: Specs, session: Session) -> None:
    """Claim the declared scale sets with these names. With `former`, claim only those of that fleet.

    Prints the result for each scale set. Exits with 1 if any scale set could not be claimed.
    """
    in_force = scale_sets_in_force(specs, "taken over")
    missing = [name for name in names if not any(fnmatchcase(each, name) for each in in_force)]
    for name in missing:
        show_error(unknown_name(name, in_force))
    announce(session)
    compute = Compute(session)
    claimed = [
        write_and_report(each.name, partial(_claim, each, former, compute))
        for each in _select(in_force, names)
    ]
    if missing or not all(claimed):
        sys.exit(FAILURE)


def _select(in_force: Mapping[str, ScaleSet], names: Iterable[str]) -> list[ScaleSet]:
    return [
        each
        for name, each in sorted(in_force.items())
        if any(fnmatchcase(name, pattern) for pattern in names)
    ]


def _claim(desired: ScaleSet, former: str | None, compute: Compute) -> str:
    """Claim a scale set. Returns the result as a message. Raises AzureFailure and TagUnchanged."""
    model, ours = declared_model(desired, compute), desired.fleet.claim
    claimed = replace(model.persisted, fleet=ours)
    check_writable(model, claimed)
    owner = model.persisted.fleet
    whose = f"the fleet {owner}" if owner else "no fleet"
    if owner == ours:
        return f"already belongs to {whose}"
    if former and owner != former:
        return f"unchanged: it belongs to {whose}, not to {former}"
    if not former and ours and owner.startswith(f"{ours}/"):
        raise TagUnchanged(
            f"it belongs to {whose}, a shard of {ours}; add the options of its shard, or `--from {owner}` to "
            "take it out of that shard"
        )
    compute.persist(desired.target, model, claimed)
    now = f"to the fleet {ours}" if ours else "to no fleet, because no document of kind Fleet is declared"
    return f"belonged to {whose}, now belongs {now}; {takes_effect_note(desired)}"
