"""A daemon that follows a git repository: what it does when people merge, slip, or cannot be reached."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Azure, Daemon, bare, until, write_specs
from tests.invariants import never_two_domains_away
from tests.stories.world import NEW, OLD, spec


@dataclass(frozen=True, slots=True)
class Remote:
    """A git repository that people merge to."""

    tree: Path

    @property
    def url(self) -> str:
        return f"file://{self.tree}"

    def merge(self, subject: str, *documents: Mapping[str, Any]) -> str:
        """Commit these specs to main; the commit's id."""
        write_specs(self.tree / "specs", *documents)
        self._git("add", "specs")
        self._git("commit", "--quiet", "--no-gpg-sign", f"--message={subject}")
        return self._git("rev-parse", "HEAD").strip()

    def initialise(self) -> None:
        self.tree.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")

    def _git(self, *arguments: str) -> str:
        person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        done = subprocess.run(
            ["git", *person, *arguments],
            cwd=self.tree,
            env=bare(),
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    made = Remote(tmp_path / "fleet.git")
    made.initialise()
    return made


def test_a_merge_moves_the_fleet(world: Azure, remote: Remote, tmp_path: Path) -> None:
    before = remote.merge("Begin where we are", spec("web", version=OLD))
    with Daemon("--git", remote.url, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        assert daemon.status()["sweep"]["commit"] == before
        after = remote.merge("Move web to the January image", spec("web"))
        until(lambda: world.images("web") == {NEW} and daemon.status_of("web") == "Ready", daemon.log)
        shown = daemon.status()
    never_two_domains_away(world.simulator.record, "web")
    assert (shown["sweep"]["commit"], shown["sweep"]["subject"]) == (after, "Move web to the January image")
    assert shown["scaleSets"][0]["commit"] == after


def test_a_commit_with_errors_is_reported_and_changes_nothing(
    world: Azure, remote: Remote, tmp_path: Path
) -> None:
    mistake = 'specs/web.yaml:12:13: spec.interval: "soon" is not a duration: write it like 5m, 1h30m or 90s'
    good = remote.merge("Begin where we are", spec("web", version=OLD))
    with Daemon("--git", remote.url, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        remote.merge("Move web, with a slip", spec("web", interval="soon"))
        until(lambda: daemon.status()["sweep"]["errors"], daemon.log)
        shown = daemon.status()
        assert shown["sweep"] | {"at": ""} == {
            "at": "",
            "commit": good,
            "subject": "Begin where we are",
            "errors": [mistake],
        }
        assert [(row["commit"], row["status"]) for row in shown["scaleSets"]] == [(good, "Ready")]
        assert daemon.get("/readyz") == (200, "ok\n")
        assert daemon.log()[-2:] == [
            f"ERROR {mistake}",
            f"ERROR commit {good[:10]} (Begin where we are) remains in force",
        ]
        assert world.writes() == 0

        mended = remote.merge("Mend the slip", spec("web", version=OLD))
        until(lambda: daemon.status()["sweep"]["commit"] == mended, daemon.log)
        assert daemon.status()["sweep"]["errors"] == []


def test_an_unreachable_remote_is_reported_and_changes_nothing(
    world: Azure, remote: Remote, tmp_path: Path
) -> None:
    good = remote.merge("Begin where we are", spec("web", version=OLD))
    away = tmp_path / "away.git"
    with Daemon("--git", remote.url, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        remote.tree.rename(away)
        lost = f"branch main of {remote.url} cannot be fetched: '{remote.tree}' does not appear to be a git repository"
        until(lambda: daemon.status()["sweep"]["errors"] == [lost], daemon.log)
        shown = daemon.status()
        assert shown["sweep"]["commit"] == good
        assert [(row["commit"], row["status"]) for row in shown["scaleSets"]] == [(good, "Ready")]
        assert daemon.log()[-2:] == [
            f"ERROR {lost}",
            f"ERROR commit {good[:10]} (Begin where we are) remains in force",
        ]
        assert daemon.get("/readyz") == (200, "ok\n")

        away.rename(remote.tree)
        until(lambda: not daemon.status()["sweep"]["errors"], daemon.log)
        assert daemon.log()[-1] == "INFO specs and scale set listing recovered"


def test_without_any_commit_it_is_not_ready(world: Azure, remote: Remote, tmp_path: Path) -> None:
    empty = f"{remote.url} is empty: push the specs to its branch main"
    with Daemon("--git", remote.url, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.get("/readyz") == (503, f"{empty}\n"), daemon.log)
        assert daemon.get("/livez") == (200, "ok\n")
        remote.merge("Begin where we are", spec("web", version=OLD))
        until(lambda: daemon.get("/readyz") == (200, "ok\n"), daemon.log)
