"""`reconciler plan --base`: what a change in git does, compared with an earlier commit."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Azure, azure, reconciler, write_specs
from tests.stories.world import NEW, OLD, of_all, platform, scale_set, spec


@pytest.fixture(scope="module")
def fleet() -> Iterator[Azure]:
    """Two scale sets on OLD, and one on NEW."""
    with azure(
        scale_set("web", capacity=5),
        scale_set("api", capacity=5),
        scale_set("db", capacity=5, image=platform(NEW)),
    ) as served:
        yield served


def git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(directory: Path, *specs: dict[str, Any]) -> str:
    """Commit these specs, and nothing else."""
    directory.mkdir(exist_ok=True)
    if not (directory / ".git").exists():
        git(directory, "init", "--quiet", "--initial-branch=main")
    for old in directory.glob("specs/*"):
        old.unlink()
    write_specs(directory / "specs", *specs)
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", "a change")
    return git(directory, "rev-parse", "HEAD")


def summary(fleet: Azure, directory: Path, *options: str) -> dict[str, Any]:
    done = reconciler("plan", "-o", "json", *options, env=fleet.environment, cwd=directory)
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads("\n".join(done.out))
    return found | {"err": done.err}


def test_a_plan_counts_what_the_change_does_and_names_the_rest(fleet: Azure, tmp_path: Path) -> None:
    before = commit(tmp_path, spec("web", version=OLD), spec("api"), spec("db"))
    write_specs(tmp_path / "specs", spec("web"))
    found = summary(fleet, tmp_path, "--base", "HEAD")
    assert found["base"] == before
    assert {
        key: found["summary"][key] for key in ("changed", "rollingOut", "instances", "otherRollouts")
    } == {
        "changed": 1,
        "rollingOut": 1,
        "instances": 5,
        "otherRollouts": ["api"],
    }
    (change,) = found["summary"]["images"]
    assert (change["shortFrom"], change["shortTo"], change["scaleSets"]) == (OLD, NEW, ["web"])


def test_the_base_is_where_the_branch_began(fleet: Azure, tmp_path: Path) -> None:
    """What was merged meanwhile is no part of the change."""
    began = commit(tmp_path, spec("web", version=OLD), spec("api", version=OLD))
    git(tmp_path, "switch", "--quiet", "--create", "change")
    commit(tmp_path, spec("web"), spec("api", version=OLD))
    git(tmp_path, "switch", "--quiet", "main")
    commit(tmp_path, spec("web", version=OLD), spec("api"))
    git(tmp_path, "switch", "--quiet", "change")
    found = summary(fleet, tmp_path, "--base", "main")
    assert found["base"] == began
    assert [each["name"] for each in found["scaleSets"] if each["changed"]] == ["web"]


def test_specs_that_are_added_and_removed_are_changes(fleet: Azure, tmp_path: Path) -> None:
    commit(tmp_path, spec("api"))
    (tmp_path / "specs" / "api.yaml").unlink()
    write_specs(tmp_path / "specs", spec("web"))
    found = summary(fleet, tmp_path, "--base", "HEAD")["summary"]
    assert (found["changed"], found["removed"], found["rollingOut"]) == (1, ["api"], 1)


def test_settings_alone_upgrade_nothing(fleet: Azure, tmp_path: Path) -> None:
    commit(tmp_path, spec("db"))
    write_specs(tmp_path / "specs", spec("db", rollout={"maxBatch": 2}))
    done = reconciler("plan", "--base", "HEAD", env=fleet.environment, cwd=tmp_path)
    assert done.out[0] == "no scale set rolls out; 1 scale set changed"


def test_errors_at_the_base_are_warnings(fleet: Azure, tmp_path: Path) -> None:
    base = commit(tmp_path, spec("web", interval="soon"))
    write_specs(tmp_path / "specs", spec("web"))
    found = summary(fleet, tmp_path, "--base", "HEAD")
    assert found["summary"]["changed"] == 1
    (warning,) = [line for line in found["err"] if line.startswith("warning: ")]
    assert warning.startswith(f'warning: commit {base[:10]}: specs/web.yaml:12:13: spec.interval: "soon"')


def test_a_linked_work_tree_has_a_base_too(fleet: Azure, tmp_path: Path) -> None:
    (tmp_path / "main").mkdir()
    base = commit(tmp_path / "main", spec("web", version=OLD))
    git(tmp_path / "main", "worktree", "add", "--quiet", "../linked")
    write_specs(tmp_path / "linked" / "specs", spec("web"))
    assert summary(fleet, tmp_path / "linked", "--base", "main")["base"] == base


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        pytest.param(
            ["--base", "nowhere"],
            1,
            "error: nowhere is not a commit of the repository in {here}: fetch it first; in CI, check out the "
            "whole history (`fetch-depth: 0` of actions/checkout)",
            id="a revision that does not exist",
        ),
        pytest.param(
            ["--base", "--upload-pack=touch /tmp/x"],
            1,
            "error: --upload-pack=touch /tmp/x is not a commit of the repository in {here}: fetch it first",
            id="a revision that looks like an option",
        ),
        pytest.param(
            ["--base", "HEAD", "--specs", "/"],
            1,
            "error: / is not in a git repository: --base compares with an earlier commit of it",
            id="a directory outside any repository",
        ),
        pytest.param(
            ["--base", "HEAD", "--git", "file:///tmp/elsewhere"],
            2,
            "error: --base requires --specs: check out the repository, and name its directory",
            id="specs from a remote repository",
        ),
    ],
)
def test_there_is_no_base_for(
    options: list[str], code: int, error: str, fleet: Azure, tmp_path: Path
) -> None:
    commit(tmp_path, spec("web"))
    done = reconciler("plan", *options, env=fleet.environment, cwd=tmp_path)
    assert (done.code, done.out) == (code, [])
    assert done.err[-1].startswith(error.replace("{here}", str(tmp_path))), done.err


def test_a_change_of_the_fleet_concerns_every_scale_set(fleet: Azure, tmp_path: Path) -> None:
    """Both have drifted. Lifting the freeze is what lets them roll out."""
    frozen = of_all(freeze={"reason": "holidays"})
    commit(tmp_path, spec("web"), spec("api"), frozen)
    write_specs(tmp_path / "specs", of_all(maxChange="100%"))
    found = summary(fleet, tmp_path, "--base", "HEAD")["summary"]
    assert (found["changed"], found["rollingOut"], found["otherRollouts"]) == (2, 2, [])


def test_a_base_fetches_nothing_from_a_partial_clone(fleet: Azure, tmp_path: Path) -> None:
    """Fetching would run commands that the configuration of the repository names."""
    commit(tmp_path / "origin", spec("web", version=OLD))
    git(tmp_path / "origin", "config", "uploadpack.allowFilter", "true")
    commit(tmp_path / "origin", spec("web"))
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", f"file://{tmp_path}/origin", "partial")
    marker = tmp_path / "was-run"
    git(tmp_path / "partial", "config", "remote.origin.url", "ssh://nowhere.invalid/x")
    git(tmp_path / "partial", "config", "core.sshCommand", f"touch {marker}; false")
    done = reconciler("plan", "--base", "HEAD~1", env=fleet.environment, cwd=tmp_path / "partial")
    assert (done.code, marker.exists()) == (1, False)
    assert "cannot be read" in done.err[-1]
