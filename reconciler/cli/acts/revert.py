"""`reconciler revert`: declare the last good image of a scale set again, in its spec file."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import click

from reconciler.acts.tagging import TagUnchanged, declared_model
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure
from reconciler.azure.session import Session
from reconciler.cli.announcement import announce
from reconciler.cli.failure import fail
from reconciler.cli.named import unknown_name
from reconciler.cli.tagging import scale_sets_in_force
from reconciler.daemon.specs import Directory, Specs
from reconciler.rollout.wording import list_names
from reconciler.spec.image import Image, at_version, same, version
from reconciler.spec.scale_set import ScaleSet


def act(*, name: str, specs: Path, session: Session) -> None:
    """Declare the last good image of a scale set again, in its spec file."""
    in_force = scale_sets_in_force(Specs(Directory(specs)), "reverted")
    desired = in_force[name] if name in in_force else fail(unknown_name(name, in_force))
    announce(session)
    try:
        good = declared_model(desired, Compute(session)).persisted.last_good
    except (AzureFailure, TagUnchanged) as why:
        fail(f"{name}: {why}")
    if good is None:
        fail(
            f"{name}: there is no known good image to return to; `git log` shows the images that were "
            "declared before"
        )
    if same(good, desired.image):
        click.echo(f"{name}: unchanged: the spec already declares {good}")
        return
    changed = _rewrite(desired, good)
    if not changed:
        fail(f"{name}: {good} differs from {desired.image} in more than its version; declare it by hand")
    for place in changed:
        click.echo(f"{place}: {version(desired.image)} is now {version(good)}")
    others = [each.name for each in in_force.values() if each.image_lines & desired.image_lines]
    if also := [each for each in others if each != name]:
        click.echo(f"this also reverts {list_names(also)}, which refer to the same image", err=True)


def _rewrite(desired: ScaleSet, good: Image) -> Sequence[str]:
    """Replace the version in the lines that declare the image. Returns the places of the changed lines.

    Nothing changes if the two images differ in more than their version.
    """
    before, after = version(desired.image), version(good)
    if not before or not after or not same(at_version(desired.image, after), good):
        return ()
    lines = defaultdict[str, list[int]](list)
    for path, line in sorted(desired.image_lines):
        lines[path].append(line)
    changed = []
    for path, numbers in lines.items():
        text = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
        found = [number for number in numbers if before in text[number - 1]]
        for number in found:
            text[number - 1] = text[number - 1].replace(before, after)
        if found:
            Path(path).write_text("".join(text), encoding="utf-8")
        changed += [f"{path}:{number}" for number in found]
    return changed
