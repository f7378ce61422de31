"""`reconciler adopt --take-over`: a person's word that scale sets are this fleet's, on the tag of each."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import click

from reconciler.azure.budget import Share
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure
from reconciler.azure.session import Session
from reconciler.cli.announcement import announce
from reconciler.cli.named import unknown
from reconciler.cli.tagging import insist, obstacle, onward, scale_sets_in_force
from reconciler.daemon.specs import Specs
from reconciler.rollout.observed import Absent
from reconciler.spec.scale_set import ScaleSet


class _Kept(Exception):
    """Why a scale set stays whose it is."""


def take_over(names: Sequence[str], former: str | None, specs: Specs, session: Session) -> None:
    """Claim the declared scale sets of these names; of those that are, where given, the fleet `former`'s.

    Says what came of each. Ends with 1 where one of them could not be claimed.
    """
    in_force = scale_sets_in_force(specs, "taken over")
    missing = [name for name in names if not any(fnmatchcase(each, name) for each in in_force)]
    for name in missing:
        click.echo(f"error: {unknown(name, in_force)}", err=True)
    announce(session)
    compute = Compute(session)
    kept = [_claim(each, former, compute) for each in _chosen(in_force, names)]
    if missing or not all(kept):
        sys.exit(1)


def _chosen(in_force: Mapping[str, ScaleSet], names: Iterable[str]) -> list[ScaleSet]:
    return [
        each
        for name, each in sorted(in_force.items())
        if any(fnmatchcase(name, pattern) for pattern in names)
    ]


def _claim(desired: ScaleSet, former: str | None, compute: Compute) -> bool:
    """Say what came of one. Whether it is this fleet's, or not meant."""
    try:
        said = insist(lambda: _claimed(desired, former, compute))
    except (AzureFailure, _Kept) as why:
        click.echo(f"error: {desired.name}: {why}", err=True)
        return False
    click.echo(f"{desired.name}: {said}")
    return True


def _claimed(desired: ScaleSet, former: str | None, compute: Compute) -> str:
    """What came of it. Raises AzureFailure, and _Kept."""
    model, ours = compute.model(desired.target, Share.ROLLOUT), desired.fleet.name
    if isinstance(model, Absent):
        raise _Kept(f"there is no scale set {desired.target.id}")
    claimed = replace(model.persisted, fleet=ours)
    if said := obstacle(model, claimed):
        raise _Kept(said)
    owner = model.persisted.fleet
    whose = f"the fleet {owner}" if owner else "no fleet"
    if owner == ours:
        return f"it belongs to {whose} already"
    if former and owner != former:
        return f"left alone: it belongs to {whose}, and not to {former}"
    compute.persist(desired.target, model, claimed)
    now = f"to the fleet {ours}" if ours else "to none, because no document of kind Fleet is declared"
    return f"it belonged to {whose}, and now belongs {now}; {onward(desired)}"
