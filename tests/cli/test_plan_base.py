"""`reconciler plan --base`: what a change in git does, compared with an earlier commit."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Azure, azure, invoke, write_specs
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
    git(directory, "commit", "--quiet", "--allow-empty", "--message", "a change")
    return git(directory, "rev-parse", "HEAD")


def summary(fleet: Azure, directory: Path, *options: str) -> dict[str, Any]:
    done = invoke("plan", "-o", "json", *options, env=fleet.environment, cwd=directory)
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
    done = invoke("plan", "--base", "HEAD", env=fleet.environment, cwd=tmp_path)
    assert done.out[-1] == "no scale set rolls out; 1 scale set changed"


def test_errors_at_the_base_are_warnings(fleet: Azure, tmp_path: Path) -> None:
    base = commit(tmp_path, spec("web", interval="soon"))
    write_specs(tmp_path / "specs", spec("web"))
    found = summary(fleet, tmp_path, "--base", "HEAD")
    assert found["summary"]["changed"] == 1
    (warning,) = [line for line in found["err"] if line.startswith("warning: ")]
    assert warning.startswith(f'warning: commit {base[:10]}: specs/web.yaml:12:13: spec.interval "soon" is')


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
            "error: nowhere is not a commit in the repository: fetch it first. `git fetch --unshallow`, or "
            "`fetch-depth: 0` of actions/checkout in CI, fetches the whole history",
            id="a revision that does not exist",
        ),
        pytest.param(
            ["--base", "--upload-pack=touch /tmp/x"],
            1,
            "error: '--upload-pack=touch /tmp/x' must name exactly one commit: write a branch, a tag or a commit id",
            id="a revision that looks like an option",
        ),
        pytest.param(
            ["--base", "HEAD", "--specs", "/"],
            1,
            "error: / is not in a git repository, so --base has no earlier commit to compare with",
            id="a directory outside any repository",
        ),
        pytest.param(
            ["--base", "HEAD", "--specs", "specs/web.yaml"],
            1,
            "error: specs/web.yaml is a file, but --base compares directories of specs",
            id="a file in place of a directory",
        ),
        *(
            pytest.param(
                ["--base", revision],
                1,
                f"error: {revision!r} must name exactly one commit: write a branch, a tag or a commit id",
                id=name,
            )
            for revision, name in {
                "^HEAD": "everything but a commit",
                "HEAD~1..HEAD": "a range",
                "HEAD^@": "all parents",
                "HEAD^!": "a commit without its parents",
                "HEAD HEAD": "two commits",
                "HEAD:specs": "a directory of a commit",
                ":/a change": "a search",
            }.items()
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
    done = invoke("plan", *options, env=fleet.environment, cwd=tmp_path)
    assert (done.code, done.out) == (code, [])
    assert done.err[-1].startswith(error), done.err


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
    done = invoke("plan", "--base", "HEAD~1", env=fleet.environment, cwd=tmp_path / "partial")
    assert (done.code, marker.exists()) == (1, False)
    assert "cannot be read" in done.err[-1]


def test_a_shallow_clone_says_that_it_does_not_know_where_the_branch_began(
    fleet: Azure, tmp_path: Path
) -> None:
    origin = tmp_path / "origin"
    commit(origin, spec("web", version=OLD), spec("api", version=OLD))
    git(origin, "switch", "--quiet", "--create", "change")
    commit(origin, spec("web"), spec("api", version=OLD))
    git(origin, "switch", "--quiet", "main")
    tip = commit(origin, spec("web", version=OLD), spec("api"))
    clone = ("clone", "--quiet", "--depth=1", "--no-single-branch", "--branch=change")
    git(tmp_path, *clone, f"file://{origin}", "shallow")
    done = invoke(
        "plan", "--base", "origin/main", "-o", "markdown", env=fleet.environment, cwd=tmp_path / "shallow"
    )
    text = (
        "git cannot find where HEAD branched off from origin/main, because the clone is shallow; the comparison "
        "is with origin/main itself, so later merges there look like part of the change. "
        "`git fetch --unshallow`, or `fetch-depth: 0` of actions/checkout in CI, fetches the whole history"
    )
    assert (done.code, done.err[0]) == (0, f"warning: {text}")
    assert (
        "- git cannot find where HEAD branched off from origin/main, because the clone is shallow"
        in "\n".join(done.out)
    )
    assert f"Compared with commit {tip[:10]}" in "\n".join(done.out)
    assert "in common with" not in "\n".join(done.out)


def test_a_branch_without_a_commit_in_common_says_so(fleet: Azure, tmp_path: Path) -> None:
    commit(tmp_path, spec("web", version=OLD))
    git(tmp_path, "switch", "--quiet", "--orphan", "other")
    commit(tmp_path, spec("web"))
    warning, *_ = summary(fleet, tmp_path, "--base", "main")["err"]
    assert "from main, because they have no commit in common; the comparison is with main itself" in warning
    assert "shallow" not in warning


def test_the_base_is_named_in_the_table(fleet: Azure, tmp_path: Path) -> None:
    base = commit(tmp_path, spec("web", version=OLD), spec("api"))
    write_specs(tmp_path / "specs", spec("web"))
    done = invoke("plan", "--base", "HEAD", env=fleet.environment, cwd=tmp_path)
    common = f"Compared with commit {base[:10]}, the last one in common with HEAD"
    assert f"{common}; 1 scale set outside the change: api" in done.out


@pytest.mark.parametrize("earlier", ["no directory", "a directory without specs"])
def test_specs_that_are_all_new_are_no_mistake(earlier: str, fleet: Azure, tmp_path: Path) -> None:
    if earlier == "a directory without specs":
        (tmp_path / "specs").mkdir(parents=True)
        (tmp_path / "specs" / ".gitkeep").touch()
        git(tmp_path, "init", "--quiet", "--initial-branch=main")
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", "--message", "nothing")
    else:
        commit(tmp_path)
        (tmp_path / "specs").rmdir()
    write_specs(tmp_path / "specs", spec("web"))
    found = summary(fleet, tmp_path, "--base", "HEAD")
    assert (found["summary"]["changed"], found["summary"]["removed"]) == (1, [])
    assert "the base has no specs in specs, so every spec counts as added" in found["err"]
    assert not [line for line in found["err"] if line.startswith("warning: ")]


@pytest.mark.parametrize("output", ["table", "markdown"])
def test_a_commit_that_removes_the_last_spec_shows_the_removal(
    output: str, fleet: Azure, tmp_path: Path
) -> None:
    """The directory remains, with a document that declares no scale set."""
    commit(tmp_path, spec("web"), of_all(maxChange="100%"))
    (tmp_path / "specs" / "web.yaml").unlink()
    done = invoke("plan", "--base", "HEAD", "-o", output, env=fleet.environment, cwd=tmp_path)
    assert done.code == 0, done.err
    assert done.out[-1 if output == "table" else 0].strip("*") == "no scale set rolls out; 1 spec removed"
    assert any("web: spec removed: unchanged in Azure, and no longer managed" in line for line in done.out)


@pytest.mark.parametrize("output", ["table", "markdown", "json"])
def test_specs_with_errors_are_not_removed(output: str, fleet: Azure, tmp_path: Path) -> None:
    """None of them is in force, and the daemon keeps those of the commit before."""
    commit(tmp_path, spec("web"), spec("api"))
    write_specs(tmp_path / "specs", spec("web", interval="soon"))
    done = invoke("plan", "--base", "HEAD", "-o", output, env=fleet.environment, cwd=tmp_path)
    assert (done.code, [line for line in done.out if "removed" in line and "[]" not in line]) == (1, [])
    assert any(line.startswith("error: specs/web.yaml:") for line in done.err)


def test_a_directory_of_specs_that_is_gone_is_an_error(fleet: Azure, tmp_path: Path) -> None:
    """The daemon takes it for one, too, and keeps the specs of the commit before."""
    commit(tmp_path, spec("web"))
    (tmp_path / "specs" / "web.yaml").unlink()
    (tmp_path / "specs").rmdir()
    done = invoke("plan", "--base", "HEAD", env=fleet.environment, cwd=tmp_path)
    assert (done.code, done.out) == (1, [])
    assert done.err[-1].startswith(f"error: specs does not exist ({tmp_path}/specs): ")


def test_a_git_file_with_odd_bytes_is_an_error(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"))
    (tmp_path / ".git").write_bytes(b"gitdir: \xff\x00\n")
    done = invoke("plan", "--base", "HEAD", env=fleet.environment, cwd=tmp_path)
    assert (done.code, done.out, len(done.err)) == (1, [], 1)
    assert done.err[0].startswith("error: ")


def test_a_repository_of_another_user_is_refused_as_git_refuses_it(fleet: Azure, tmp_path: Path) -> None:
    """Its configuration may name commands. GIT_TEST_ASSUME_DIFFERENT_OWNER is the switch of git's own tests."""
    commit(tmp_path, spec("web"))
    env = {**fleet.environment, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    done = invoke("plan", "--base", "HEAD", env=env, cwd=tmp_path)
    assert (done.code, done.out) == (1, [])
    assert "run `git config --global --add safe.directory " in done.err[-1]


def test_specs_in_a_directory_with_an_odd_name_have_a_base(fleet: Azure, tmp_path: Path) -> None:
    place = tmp_path / "ünïcode: a b\n"
    base = commit(place, spec("web", version=OLD))
    write_specs(place / "specs", spec("web"))
    assert summary(fleet, place, "--base", "HEAD")["base"] == base
