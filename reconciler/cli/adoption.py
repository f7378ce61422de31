"""What `reconciler adopt` writes: a spec for each scale set as it is, checked by the daemon's own decision.

A spec is proposed, evaluated as the daemon would, and only then written: as a whole, or not at all.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from reconciler.azure.inventory import Live
from reconciler.azure.session import Session
from reconciler.cli.modeline import spec_schema
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

_SETS_IMAGE = "which sets its image"
_LONGEST = int(fields("ScaleSet")["spec", "suspend", "reason"]["maxLength"])


class AdoptionResult(StrEnum):
    """The result for a scale set."""

    ADOPTED = "adopted"
    SUSPENDED = "adopted suspended"
    KNOWN = "already adopted"
    OWNED = "owned by others"
    LEFT_OUT = "not adopted"


@dataclass(frozen=True, slots=True)
class Adopted:
    """One scale set, its result, and a line that says where or why."""

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
    """Write the specs of the scale sets that `existing` does not contain. Yields the result of each.

    `fleet` is the name of the fleet that they join.
    """
    known = {each.target.key: each for each in existing}
    for each in live:
        if spec := known.get(each.target.key):
            yield Adopted(each.target, AdoptionResult.KNOWN, f"already declared in {spec.place.file}")
    unknown = [each for each in live if each.target.key not in known]
    for each in unknown:
        if each.owner:
            yield Adopted(
                each.target, AdoptionResult.OWNED, f"not adopted: it belongs to {each.owner}, {_SETS_IMAGE}"
            )
    new = [each for each in unknown if not each.owner]
    # File names are taken too, whatever the files declare: no file is overwritten.
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
    schema = spec_schema(to)
    for state in observe_fleet(proposed, session, by_group=by_group).states:
        if state.outcome:
            yield _write_spec(state.desired, state.outcome, to, schema)


def _propose(live: Live, name: str, fleet: str) -> ScaleSet | str:
    """A valid spec of the scale set as it is, or why there is none."""
    if live.model is None:
        return live.error
    if not live.model.has_profile:
        return "it has no virtualMachineProfile; its virtual machines were attached manually"
    if live.model.image is None:
        return "the image of its model is of an unknown kind"
    image = live.model.image
    declared = at_version(image, "latest") if follows_latest(image) else image
    spec = minimal_scale_set(name, live.target, declared, Place(""))
    problems = declare([File("", scale_set_text(spec).encode())]).problems
    of_all = replace(spec.fleet, name=fleet)
    return "; ".join(f"{each.field} {each.message}" for each in problems) or replace(spec, fleet=of_all)


def _write_spec(spec: ScaleSet, outcome: Outcome, to: Path, schema: str) -> Adopted:
    """Write the file. The spec is suspended unless the daemon would have nothing to do."""
    if outcome.is_error or outcome.reason == Reason.NOT_FOUND:
        return _not_adopted(spec.target, outcome.line)
    if outcome.reason == Reason.AZURE_BUSY:
        return _not_adopted(spec.target, f"{outcome.line}; run adopt again when Azure has finished")
    path = to / f"{spec.name}.yaml"
    settled = outcome.reason == Reason.UP_TO_DATE
    why = Suspension(_reason(outcome.line), by="reconciler adopt")
    try:
        _write(path, scale_set_text(spec if settled else replace(spec, suspend=why), schema=schema))
    except OSError as error:
        return _not_adopted(spec.target, f"cannot write {path}: {error.strerror}")
    line = f"{path} declares {spec.image}"
    if settled:
        return Adopted(spec.target, AdoptionResult.ADOPTED, line)
    return Adopted(spec.target, AdoptionResult.SUSPENDED, f"{line}, suspended: {outcome.line}")


def _reason(line: str) -> str:
    """The line, cut to the length of a reason in a spec."""
    flat = printable(" ".join(line.split()))
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"


def _write(path: Path, content: str) -> None:
    """Write the whole file or nothing, and never overwrite a file."""
    if os.path.lexists(path):
        raise FileExistsError(0, "the file exists")
    half = path.with_name(f".{path.name}.part")
    try:
        half.write_text(content, encoding="utf-8")
        half.rename(path)
    except OSError:
        half.unlink(missing_ok=True)
        raise


def _not_adopted(target: Target, why: str) -> Adopted:
    return Adopted(target, AdoptionResult.LEFT_OUT, f"not adopted: {why}")
