"""`reconciler diff` and `reconciler revert`: what is declared beside what is there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.simulator import Status
from tests.cli.program import Azure, Ended, azure, write_specs
from tests.stories.world import BASE, NEW, OLD, platform, scale_set, spec

URN = ":".join(BASE.values())
GOOD = {"vmss-reconciler-state": f"v1;good={URN}:{OLD}"}


@pytest.fixture
def world() -> Iterator[Azure]:
    """web is behind, half has one instance on the old image, same is as declared."""
    old = [{"id": "0", "image": platform(OLD)}]
    with azure(
        scale_set("half", capacity=3, image=platform(NEW), instanceStates=old),
        scale_set("same", capacity=1, image=platform(NEW), tags=GOOD),
        scale_set("web", capacity=2),
    ) as served:
        yield served


def invoke(world: Azure, where: Path, *arguments: str, documents: Any = None) -> Ended:
    given = documents or [spec(name) for name in ("half", "same", "web")]
    env = {**world.environment, "VMSS_RECONCILER_SPECS": str(write_specs(where / "specs", *given))}
    done = CliRunner().invoke(main, arguments, env=env)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def test_scale_sets_are_compared_by_label(world: Azure, tmp_path: Path) -> None:
    web = spec("web") | {"metadata": {"name": "web", "labels": {"team": "web"}}}
    done = invoke(world, tmp_path, "diff", "-l", "team=web", documents=[spec("half"), web])
    assert [line.rpartition("/")[2] for line in done.out if line.startswith("---")] == ["web"]


def test_the_images_that_differ_are_shown(world: Azure, tmp_path: Path) -> None:
    done = invoke(world, tmp_path, "diff")
    assert done.code == 1
    assert [line for line in done.out if line[:3] not in {"---", "+++"}] == [
        f"-1 instance: {URN}:{OLD}",
        f"+1 instance: {URN}:{NEW}",
        f"-image: {URN}:{OLD}",
        f"+image: {URN}:{NEW}",
        f"-2 instances: {URN}:{OLD}",
        f"+2 instances: {URN}:{NEW}",
    ]
    assert [line.rpartition("/")[2] for line in done.out if line.startswith("---")] == ["half", "web"]


def test_no_difference_is_no_output(world: Azure, tmp_path: Path) -> None:
    done = invoke(world, tmp_path, "diff", "same")
    assert (done.code, done.out) == (0, [])


def test_one_that_cannot_be_compared_is_named_and_the_others_are_shown(world: Azure, tmp_path: Path) -> None:
    world.simulator.faults.arm(
        "*", Status(403, "AuthorizationFailed", "No."), when=lambda each: "/half" in each.path
    )
    done = invoke(world, tmp_path, "diff")
    assert done.code == 2
    assert done.err[-1] == 'error: half: Azure returned AuthorizationFailed ("No")'
    assert f"+image: {URN}:{NEW}" in done.out


def test_a_scale_set_that_is_not_there_differs(world: Azure, tmp_path: Path) -> None:
    done = invoke(world, tmp_path, "diff", documents=[spec("gone")])
    assert (done.code, done.out[-1]) == (1, "+the scale set, which Azure does not have")


def test_the_last_good_image_is_declared_again(world: Azure, tmp_path: Path) -> None:
    done = invoke(world, tmp_path, "revert", "same")
    assert (done.code, len(done.out)) == (0, 1)
    assert done.out[0].endswith(f": {NEW} is now {OLD}")
    path = tmp_path / "specs" / "same.yaml"
    assert OLD in path.read_text()
    assert NEW not in path.read_text()
    assert NEW in (tmp_path / "specs" / "web.yaml").read_text()
    assert world.writes() == 0


def test_scale_sets_with_the_same_image_document_are_named(world: Azure, tmp_path: Path) -> None:
    image = {
        "apiVersion": "vmss-reconciler/v1alpha1",
        "kind": "Image",
        "metadata": {"name": "base"},
        "spec": platform(NEW),
    }
    documents = [image, *(spec(name, image={"ref": "base"}) for name in ("half", "same", "web"))]
    done = invoke(world, tmp_path, "revert", "same", documents=documents)
    assert done.code == 0
    assert done.err[-1] == "this also reverts half and web, which refer to the same image"
    assert OLD in (tmp_path / "specs" / "base.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(
            ["revert", "web"], "there is no known good image to return to", id="nothing to go back to"
        ),
        pytest.param(["revert", "wbe"], "did you mean web?", id="an unknown name"),
        pytest.param(["diff", "wbe"], "did you mean web?", id="an unknown name to compare"),
    ],
)
def test_bad_input(world: Azure, tmp_path: Path, arguments: list[str], error: str) -> None:
    done = invoke(world, tmp_path, *arguments)
    assert (done.code, error in done.err[-1]) == (1, True)


def test_an_image_of_another_definition_is_left_to_the_person(tmp_path: Path) -> None:
    tags = {"vmss-reconciler-state": "v1;good=Canonical:ubuntu-22_04-lts:server:22.04.1"}
    with azure(scale_set("web", capacity=1, tags=tags)) as world:
        done = invoke(world, tmp_path, "revert", "web", documents=[spec("web")])
    assert done.code == 1
    assert "Canonical:ubuntu-22_04-lts:server:22.04.1 differs from" in done.err[-1]
    assert NEW in (tmp_path / "specs" / "web.yaml").read_text()
