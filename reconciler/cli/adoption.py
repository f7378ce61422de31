"""What `reconciler adopt` writes: a spec for each scale set as it is, held against the daemon's own decision.

A spec is proposed, looked at as the daemon would, and only then written: whole, or not at all.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from reconciler.azure.inventory import Live
from reconciler.azure.session import Session
from reconciler.cli.observation import observe_fleet
from reconciler.daemon.outcome import Outcome
from reconciler.rollout.reason import Reason
from reconciler.spec.declaration import minimal_scale_set, scale_set_text
from reconciler.spec.declared import declare
from reconciler.spec.files import File, is_spec
from reconciler.spec.image import at_version, follows_latest
from reconciler.spec.naming import names
from reconciler.spec.problem import Place
from reconciler.spec.scale_set import ScaleSet, Target
from reconciler.spec.shape import fields
from reconciler.spec.suspension import Suspension
from reconciler.spec.wording import printable

_SETS_IMAGE = "which changes its image by itself"
_LONGEST = int(fields("ScaleSet")["spec", "suspend", "reason"]["maxLength"])


class AdoptionResult(StrEnum):
    """What came of a scale set."""

    ADOPTED = "adopted"
    SUSPENDED = "adopted suspended"
    KNOWN = "there already"
    OWNED = "owned by others"
    LEFT_OUT = "not adopted"


@dataclass(frozen=True, slots=True)
class Adopted:
    """One scale set, what came of it, and the line that says where or why."""

    target: Target
    result: AdoptionResult
    line: str


def adopt(
    live: Sequence[Live],
    existing: Iterable[ScaleSet],
    fleet: str,
    to: Path,
    session: Session,
    *,
    by_group: bool,
) -> Iterator[Adopted]:
    """Write the specs of those scale sets that `existing` does not name. Yields what came of each; `fleet` is
    the name of the one that they come to."""
    known = {each.target.key: each for each in existing}
    for each in live:
        if spec := known.get(each.target.key):
            yield Adopted(each.target, AdoptionResult.KNOWN, f"is in {spec.place.file} already")
    unknown = [each for each in live if each.target.key not in known]
    for each in unknown:
        if each.owner:
            yield Adopted(
                each.target, AdoptionResult.OWNED, f"not adopted: it belongs to {each.owner}, {_SETS_IMAGE}"
            )
    new = [each for each in unknown if not each.owner]
    # Also what only a file is called, whatever it declares: none is written over.
    taken = {spec.name for spec in known.values()}
    taken |= {path.stem.casefold() for path in to.iterdir() if is_spec(path.name)}
    spec_names = names((each.target for each in new), taken)
    proposed: list[ScaleSet] = []
    for each in new:
        spec_or_why = _propose(each, spec_names[each.target], fleet)
        if isinstance(spec_or_why, ScaleSet):
            proposed.append(spec_or_why)
        else:
            yield _not_adopted(each.target, spec_or_why)
    for entry in observe_fleet(proposed, session, by_group=by_group).states:
        if entry.outcome:
            yield _write_spec(entry.desired, entry.outcome, to)


def _propose(live: Live, name: str, fleet: str) -> ScaleSet | str:
    """A spec of the scale set as it is, in which `validate` finds no mistake; or why there can be none."""
    if live.model is None:
        return live.error
    if not live.model.has_profile:
        return "it has no virtualMachineProfile: its virtual machines were attached by hand"
    if live.model.image is None:
        return "its model has no image of a kind that is known here"
    image = live.model.image
    declared = at_version(image, "latest") if follows_latest(image) else image
    spec = minimal_scale_set(name, live.target, declared, Place(""))
    problems = declare([File("", scale_set_text(spec).encode())]).problems
    of_all = replace(spec.fleet, name=fleet)
    return "; ".join(f"{each.field} {each.message}" for each in problems) or replace(spec, fleet=of_all)


def _write_spec(spec: ScaleSet, outcome: Outcome, to: Path) -> Adopted:
    """Write the file, suspended where the daemon would find anything to do or to say."""
    if outcome.is_error or outcome.reason == Reason.NOT_FOUND:
        return _not_adopted(spec.target, outcome.line)
    if outcome.reason == Reason.AZURE_BUSY:
        return _not_adopted(spec.target, f"{outcome.line}; run adopt again when it has finished")
    path = to / f"{spec.name}.yaml"
    settled = outcome.reason == Reason.UP_TO_DATE
    why = Suspension(_reason(outcome.line), by="reconciler adopt")
    try:
        _write(path, scale_set_text(spec if settled else replace(spec, suspend=why)))
    except OSError as error:
        return _not_adopted(spec.target, f"{path} cannot be written: {error.strerror}")
    line = f"{path} declares {spec.image}"
    if settled:
        return Adopted(spec.target, AdoptionResult.ADOPTED, line)
    return Adopted(spec.target, AdoptionResult.SUSPENDED, f"{line}, suspended: {outcome.line}")


def _reason(line: str) -> str:
    """As much of a line as a spec holds for a reason."""
    flat = printable(" ".join(line.split()))
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"


def _write(path: Path, content: str) -> None:
    """All of the file or none of it, and never over another one."""
    if os.path.lexists(path):
        raise FileExistsError(0, "it is there already")
    half = path.with_name(f".{path.name}.part")
    try:
        half.write_text(content, encoding="utf-8")
        half.rename(path)
    except OSError:
        half.unlink(missing_ok=True)
        raise


def _not_adopted(target: Target, why: str) -> Adopted:
    return Adopted(target, AdoptionResult.LEFT_OUT, f"not adopted: {why}")
