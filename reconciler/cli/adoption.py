"""Writes the specs for `reconciler adopt`: one for each scale set, declaring it as it is now.

Each spec is first proposed, and evaluated as the daemon would evaluate it. Then it is written in full or not
at all.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from reconciler.azure.inventory import Live
from reconciler.azure.session import Session
from reconciler.cli.modeline import spec_schema
from reconciler.cli.observation import observe_fleet
from reconciler.cli.sharing import ImageKey, shared_images
from reconciler.daemon.outcome import Outcome
from reconciler.rollout.reason import Reason
from reconciler.spec.declaration import image_text, minimal_scale_set, scale_set_text
from reconciler.spec.declared import Declared, NamedImage, declare
from reconciler.spec.files import File, is_spec
from reconciler.spec.image import at_version, follows_latest, key
from reconciler.spec.naming import names
from reconciler.spec.problem import Place
from reconciler.spec.scale_set import ScaleSet, Target
from reconciler.spec.shape import fields
from reconciler.spec.suspension import Suspension
from reconciler.spec.wording import count, printable

_SETS_IMAGE = "which sets its image"
_LONGEST = int(fields("ScaleSet")["spec", "suspend", "reason"]["maxLength"])


class AdoptionResult(StrEnum):
    """The result of adopting a scale set."""

    ADOPTED = "adopted"
    SUSPENDED = "adopted suspended"
    KNOWN = "already adopted"
    OWNED = "owned by others"
    LEFT_OUT = "not adopted"


@dataclass(frozen=True, slots=True)
class Adopted:
    """A scale set, the result of adopting it, and a line that explains the result."""

    target: Target
    result: AdoptionResult
    line: str


@dataclass(frozen=True, slots=True)
class Adoption:
    """The result for each scale set, and a line for each document of kind Image that new specs refer to."""

    results: tuple[Adopted, ...]
    images: tuple[str, ...]


def adopt(
    live: Sequence[Live],
    existing: Declared,
    to: Path,
    session: Session,
    *,
    by_group: bool,
    is_sharing: bool,
) -> Adoption:
    """Write a spec for each scale set that `existing` does not declare, in the fleet of `existing`.

    If `is_sharing`, specs with the same image refer to one document of kind Image, which is written first.
    """
    known = {each.target.key: each for each in existing.scale_sets}
    results = [each for each in (_without_spec(each, known) for each in live) if each]
    new = [each for each in live if each.target.key not in known and not each.owner]
    # File names are taken too, whatever the files declare: no file is overwritten.
    files = {path.stem.casefold() for path in to.iterdir() if is_spec(path.name)}
    spec_names = names((each.target for each in new), {spec.name for spec in known.values()} | files)
    proposed: list[ScaleSet] = []
    for each in new:
        spec_or_why = _propose(each, spec_names[each.target], existing.fleet)
        if isinstance(spec_or_why, ScaleSet):
            proposed.append(spec_or_why)
        else:
            results.append(_not_adopted(each.target, spec_or_why))
    ready: list[tuple[ScaleSet, Outcome]] = []
    for state in observe_fleet(proposed, session, by_group=by_group).states:
        if state.outcome and (obstacle := _obstacle(state.outcome)):
            results.append(_not_adopted(state.desired.target, obstacle))
        elif state.outcome:
            ready.append((state.desired, state.outcome))
    images: dict[ImageKey, NamedImage] = {}
    if is_sharing:
        taken = files | set(spec_names.values())
        used = [spec.image for spec, _ in ready]
        images = shared_images(used, existing.images, lambda name: _image_file(name) not in taken)
    written, image_lines = _write_all(ready, images, to)
    return Adoption((*results, *written), image_lines)


def _without_spec(live: Live, known: Mapping[str, ScaleSet]) -> Adopted | None:
    """The result for a scale set that needs no spec, or None if the scale set needs one.

    No spec is needed if the scale set already has one, or if another controller sets its image.
    """
    if spec := known.get(live.target.key):
        return Adopted(live.target, AdoptionResult.KNOWN, f"already declared in {spec.place.file}")
    if live.owner:
        line = f"not adopted: it belongs to {live.owner}, {_SETS_IMAGE}"
        return Adopted(live.target, AdoptionResult.OWNED, line)
    return None


def _propose(live: Live, name: str, fleet: str) -> ScaleSet | str:
    """A valid spec for the scale set as it is, or the reason why there can be none."""
    if live.model is None:
        return live.error
    if not live.model.has_profile:
        return "it has no virtualMachineProfile; its virtual machines were attached manually"
    if live.model.image is None:
        return "its model has no supported image"
    image = live.model.image
    declared = at_version(image, "latest") if follows_latest(image) else image
    spec = minimal_scale_set(name, live.target, declared, Place(""))
    problems = declare([File("", scale_set_text(spec).encode())]).problems
    of_all = replace(spec.fleet, name=fleet)
    return "; ".join(f"{each.field} {each.message}" for each in problems) or replace(spec, fleet=of_all)


def _obstacle(outcome: Outcome) -> str:
    """Why a scale set gets no spec, or "" if it gets one."""
    if outcome.is_error or outcome.reason == Reason.NOT_FOUND:
        return outcome.line
    if outcome.reason == Reason.AZURE_UPDATING:
        return f"{outcome.line}; run `reconciler adopt` again when Azure has finished"
    return ""


def _write_all(
    ready: Sequence[tuple[ScaleSet, Outcome]], images: Mapping[ImageKey, NamedImage], to: Path
) -> tuple[list[Adopted], tuple[str, ...]]:
    """Write the documents of kind Image, then the specs. Returns the results and a line per document."""
    schema = spec_schema(to)
    numbers = Counter(key(spec.image) for spec, _ in ready)
    failures: dict[ImageKey, str] = {}
    lines: list[str] = []
    for of, named in sorted(images.items(), key=lambda each: each[1].name):
        path = named.place.file or str(to / f"{_image_file(named.name)}.yaml")
        try:
            if not named.place.file:
                _write(Path(path), image_text(named.name, named.image, schema=schema))
            users = count(numbers[of], "scale set")
            lines.append(f"image {named.name}: {path} declares {named.image} for {users}")
        except OSError as error:
            failures[of] = f"cannot write {path}: {error.strerror}"
    written: list[Adopted] = []
    for spec, outcome in ready:
        of = key(spec.image)
        if of in failures:
            written.append(_not_adopted(spec.target, failures[of]))
        else:
            written.append(_write_spec(spec, outcome, to, schema, images.get(of)))
    return written, tuple(lines)


def _write_spec(spec: ScaleSet, outcome: Outcome, to: Path, schema: str, image: NamedImage | None) -> Adopted:
    """Write one spec, which is suspended unless the daemon would have nothing to do."""
    path = to / f"{spec.name}.yaml"
    settled = outcome.reason == Reason.UP_TO_DATE
    why = None if settled else Suspension(_reason(outcome.line), by="reconciler adopt")
    name = image.name if image else ""
    try:
        _write(path, scale_set_text(replace(spec, suspend=why), image=name, schema=schema))
    except OSError as error:
        return _not_adopted(spec.target, f"cannot write {path}: {error.strerror}")
    line = f"{path} refers to the image {name}" if name else f"{path} declares {spec.image}"
    if settled:
        return Adopted(spec.target, AdoptionResult.ADOPTED, line)
    return Adopted(spec.target, AdoptionResult.SUSPENDED, f"{line}, suspended: {outcome.line}")


def _image_file(name: str) -> str:
    """The name of the file for an Image, without extension. The prefix avoids clashes with scale sets."""
    return f"image-{name}"


def _reason(line: str) -> str:
    """The line, cut to the maximum length of a reason in a spec."""
    flat = printable(" ".join(line.split()))
    return flat if len(flat) <= _LONGEST else f"{flat[: _LONGEST - 1]}…"


def _write(path: Path, content: str) -> None:
    """Write the whole file or nothing. Raises FileExistsError instead of overwriting a file."""
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
