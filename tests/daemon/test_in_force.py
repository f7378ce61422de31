"""What is in force after a commit with errors: which declarations are taken, and which are kept and why."""

from typing import Any

import pytest
import yaml

from reconciler.daemon.in_force import BrokenCommit, InForce, Origin, RefusedCommit, take_whole
from reconciler.spec.declared import declare
from reconciler.spec.files import File
from reconciler.spec.suspension import Suspension
from tests import build
from tests.build import NOW
from tests.stories.world import FIX, NEW, OLD, SUBSCRIPTION, of_all, spec

Files = dict[str, Any]
FIRST: Origin = ("a1", NOW)
SECOND: Origin = ("b2", NOW)
THIRD: Origin = ("c3", NOW)
BROKEN = "kind: ["


def as_files(content: Files) -> list[File]:
    """A file for each name. Text is its content, a mapping is its only document."""
    texts = {
        name: each if isinstance(each, str) else yaml.safe_dump(each, sort_keys=False)
        for name, each in content.items()
    }
    return [File(f"{name}.yaml", text.encode()) for name, text in texts.items()]


def after(content: Files, before: tuple[InForce, ...], origin: Origin = SECOND) -> tuple[InForce, ...]:
    """What is in force after this commit."""
    declared = declare(as_files(content))
    if not declared.problems:
        return take_whole(declared.scale_sets, origin, before)
    first = str(declared.problems[0])
    refused = RefusedCommit(origin[0], "a change", "Ada", first, len(declared.problems))
    good = {each.key: each.desired for each in before}
    return BrokenCommit(refused, declared, declared.problems, origin).take_part(before, good)


def versions(found: tuple[InForce, ...]) -> dict[str, str]:
    """The version of each scale set in force, with a star if it is behind."""
    return {
        each.desired.name: str(each.desired.image).rsplit(":", 1)[-1] + ("*" if each.behind else "")
        for each in found
    }


IMAGE = {
    "apiVersion": "vmss-reconciler/v1alpha1",
    "kind": "Image",
    "metadata": {"name": "base"},
    "spec": spec(version=NEW)["spec"]["image"],
}
START: Files = {
    "api": spec("api", NEW),
    "web": spec("web", NEW),
    "images": IMAGE,
    "cart": spec("cart", image={"ref": "base"}),
}


def retargeted(name: str, target: str, version: str = FIX) -> dict[str, Any]:
    given = {"subscription": SUBSCRIPTION, "resourceGroup": "shop", "name": target}
    return spec(name, version, target=given)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"web": spec("web", FIX)}, {"api": NEW, "web": FIX, "cart": NEW}, id="no error"),
        pytest.param(
            {"web": spec("web", FIX), "api": spec("api", FIX, wawe=1)},
            {"web": FIX, "cart": NEW, "api": f"{NEW}*"},
            id="an error in the spec of one",
        ),
        pytest.param(
            {"web": spec("web", FIX), "api": BROKEN},
            {"web": FIX, "cart": NEW, "api": f"{NEW}*"},
            id="a file that cannot be parsed",
        ),
        pytest.param(
            {"web": spec("web", FIX), "images": IMAGE | {"spec": {"platform": {}}}},
            {"api": NEW, "web": FIX, "cart": f"{NEW}*"},
            id="an error in an Image keeps the image that was resolved",
        ),
        pytest.param(
            {"web": spec("web", FIX), "fleet": of_all(maxChange="half")},
            {"api": f"{NEW}*", "web": f"{NEW}*", "cart": f"{NEW}*"},
            id="an error in the Fleet keeps all",
        ),
        pytest.param(
            {"web": None, "other": BROKEN},
            {"api": NEW, "cart": NEW, "web": f"{NEW}*"},
            id="nothing counts as removed while a file is broken",
        ),
        pytest.param(
            {"new": spec("new", FIX), "other": BROKEN},
            {"api": NEW, "web": NEW, "cart": NEW, "new": FIX},
            id="a new scale set beside an error is taken",
        ),
        pytest.param(
            {"new": spec("new", FIX, wawe=1)},
            {"api": NEW, "web": NEW, "cart": NEW},
            id="a new scale set with an error is not",
        ),
        pytest.param(
            {
                "new": spec("new", FIX, wawe=1),
                "web": spec("web", FIX, wave=1),
                "api": spec("api", OLD, wave=1),
            },
            {"api": OLD, "cart": NEW, "web": f"{NEW}*"},
            id="what follows a new scale set with an error in a wave is not taken",
        ),
        pytest.param(
            {"web": retargeted("front", "web"), "other": BROKEN},
            {"api": NEW, "front": FIX, "cart": NEW},
            id="a new name for the same target is taken",
        ),
        pytest.param(
            {"web": retargeted("web", "web2"), "other": BROKEN},
            {"api": NEW, "cart": NEW, "web": f"{NEW}*"},
            id="another target under a known name is not taken",
        ),
        pytest.param(
            {"web": retargeted("api", "web"), "api": retargeted("web", "api") | {"kind": "Scaleset"}},
            {"cart": NEW, "api": f"{NEW}*", "web": f"{NEW}*"},
            id="a name that another one keeps is not given away",
        ),
    ],
)
def test_what_is_in_force(changes: Files, expected: dict[str, str]) -> None:
    before = after(START, (), FIRST)
    content = {name: each for name, each in (START | changes).items() if each is not None}
    assert versions(after(content, before)) == expected


@pytest.mark.parametrize(
    ("changes", "image", "error"),
    [
        pytest.param({"web": spec("web", FIX, wawe=1)}, build.FIX, "web.yaml:", id="another field is wrong"),
        pytest.param({"web": spec("web", "x")}, None, "web.yaml:", id="the image is wrong"),
        pytest.param({"web": BROKEN}, None, "web.yaml:2:1", id="the file cannot be parsed"),
        pytest.param({"web": None, "z": BROKEN}, build.NEW, "z.yaml:2:1", id="no file mentions it"),
    ],
)
def test_what_is_known_of_a_scale_set_that_is_behind(changes: Files, image: object, error: str) -> None:
    before = after(START, (), FIRST)
    content = {name: each for name, each in (START | changes).items() if each is not None}
    (behind,) = (each.behind for each in after(content, before) if each.behind)
    assert (behind.image, behind.origin, behind.refused.commit) == (image, SECOND, "b2")
    assert behind.error.startswith(error)


def test_only_a_declaration_that_differs_is_newer() -> None:
    before = after(START, (), FIRST)
    found = after(START | {"web": spec("web", FIX), "api": BROKEN}, before)
    assert {each.desired.name: (each.commit, each.is_newer) for each in found} == {
        "web": ("b2", True),
        "cart": ("b2", False),
        "api": ("a1", False),
    }


def test_a_fix_in_a_second_commit_counts_for_the_first() -> None:
    found = after(START, (), FIRST)
    found = after(START | {"web": spec("web", FIX), "api": BROKEN}, found, SECOND)
    found = after(START | {"web": spec("web", OLD), "api": spec("api", FIX)}, found, THIRD)
    assert {each.desired.name: each.origin for each in found} == {"web": THIRD, "api": SECOND, "cart": THIRD}
    assert not any(each.behind for each in found)


def test_a_fleet_that_may_be_in_an_unreadable_file_is_not_removed() -> None:
    start = START | {"fleet": of_all(maxConcurrentRollouts=1)}
    found = after(start | {"web": spec("web", FIX), "fleet": BROKEN}, after(start, (), FIRST))
    assert versions(found) == {"api": f"{NEW}*", "web": f"{NEW}*", "cart": f"{NEW}*"}
    assert {each.desired.fleet.name for each in found} == {"fleet"}


def test_a_hold_of_a_document_with_errors_counts_and_a_valid_document_lifts_it() -> None:
    found = after(START, (), FIRST)
    stopped = spec("web", FIX, suspend={"reason": "outage"}, wawe=1)
    found = after(START | {"web": stopped}, found)
    assert {each.desired.name: each.desired.suspend for each in found}["web"] == Suspension("outage")
    found = after(START | {"api": BROKEN}, found)
    assert {each.desired.name: each.desired.suspend for each in found}["web"] is None


def test_a_freeze_of_a_document_with_errors_counts_for_all() -> None:
    found = after(START | {"fleet": of_all(freeze=True, maxChange="half")}, after(START, (), FIRST))
    assert {each.desired.fleet.freeze for each in found} == {Suspension()}
