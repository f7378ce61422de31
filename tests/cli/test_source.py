"""A daemon that follows a git repository: what it does when people merge, slip, or cannot be reached."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.azure.token import claims
from reconciler.cli.specs_access import devops_token
from tests.cli.program import Azure, Daemon, bare, command, until, write_specs
from tests.git.forge import Forge, serve
from tests.invariants import at_most_one_domain_is_unavailable
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
    at_most_one_domain_is_unavailable(world.simulator.record, "web")
    assert (shown["sweep"]["commit"], shown["sweep"]["subject"]) == (after, "Move web to the January image")
    assert shown["scaleSets"][0]["commit"] == after


RELOADING = "INFO SIGHUP: reading the specs and their credentials again"
AS_PID_1 = ("unshare", "--map-root-user", "--pid", "--fork", "--kill-child")


@pytest.mark.parametrize(
    "under",
    [
        pytest.param((), id="as any process"),
        pytest.param(AS_PID_1, id="as PID 1 of a container"),
    ],
)
def test_sighup_moves_the_fleet_and_ends_nothing(
    under: Sequence[str], world: Azure, remote: Remote, tmp_path: Path
) -> None:
    """The next sweep would come after an hour."""
    if under and subprocess.run([*under, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody create a namespace")
    before = remote.merge("Begin where we are", spec("web", version=OLD))
    with Daemon(
        "--git", remote.url, "--sweep", "1h", env=world.environment, cwd=tmp_path, under=under
    ) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        pid = _child(daemon.pid) if under else daemon.pid
        after = remote.merge("Move web to the January image", spec("web"))
        assert daemon.status()["sweep"]["commit"] == before
        os.kill(pid, signal.SIGHUP)
        until(lambda: daemon.status()["sweep"]["commit"] == after and world.writes() > 0, daemon.log)
        assert daemon.log().count(RELOADING) == 1
        os.kill(pid, signal.SIGTERM)
        assert daemon.ended() == 0


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


def test_a_commit_with_errors_is_reported_and_changes_nothing(
    world: Azure, remote: Remote, tmp_path: Path
) -> None:
    mistake = 'specs/web.yaml:12:13: spec.interval "soon" is not a duration: write it like 5m, 1h30m or 90s'
    good = remote.merge("Begin where we are", spec("web", version=OLD))
    with Daemon("--git", remote.url, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        bad = remote.merge("Move web, with a slip", spec("web", interval="soon"))
        until(lambda: daemon.status()["sweep"]["errors"], daemon.log)
        shown = daemon.status()
        assert shown["sweep"] | {"at": ""} == {
            "at": "",
            "commit": good,
            "subject": "Begin where we are",
            "errors": [mistake],
            "warnings": [],
            "partial": False,
            "readAt": shown["sweep"]["readAt"],
            "staleSince": None,
            "refused": {
                "commit": bad,
                "subject": "Move web, with a slip",
                "author": "Ada",
                "message": f"commit {bad[:10]} (Move web, with a slip) by Ada",
                "error": mistake,
                "errors": 1,
            },
            "shard": None,
        }
        assert [(row["commit"], row["status"]) for row in shown["scaleSets"]] == [(good, "Ready")]
        assert daemon.get("/readyz") == (200, "ok\n")
        assert daemon.log()[-2:] == [
            f"ERROR {mistake}",
            f"ERROR commit {bad[:10]} (Move web, with a slip) by Ada is refused;"
            f" commit {good[:10]} (Begin where we are) remains in force",
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
        lost = f"branch main of {remote.url} cannot be fetched: {remote.tree} is not a git repository; "
        until(lambda: str(daemon.status()["sweep"]["errors"]).startswith(f"['{lost}"), daemon.log)
        shown = daemon.status()
        assert shown["sweep"]["commit"] == good
        assert [(row["commit"], row["status"]) for row in shown["scaleSets"]] == [(good, "Ready")]
        (error,) = shown["sweep"]["errors"]
        assert daemon.log()[-2:] == [
            f"ERROR {error}",
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


@pytest.fixture
def forge(remote: Remote) -> Iterator[Forge]:
    """A forge that serves the remote by HTTP."""
    with serve(remote.tree.parent) as found:
        yield found


def test_sighups_while_a_fetch_hangs_cause_one_more_and_end_nothing(
    world: Azure, remote: Remote, forge: Forge, tmp_path: Path
) -> None:
    remote.merge("Begin where we are", spec("web", version=OLD))
    options = ("--git", forge.url("fleet.git/.git"), "--git-timeout", "4s", "--sweep", "1h")
    with Daemon(*options, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        after = remote.merge("Move web to the January image", spec("web"))
        asked, forge.delay = len(forge.requests), 100
        daemon.signal(signal.SIGHUP)
        until(lambda: len(forge.requests) > asked, daemon.log)
        forge.delay = 0
        for _ in range(3):
            daemon.signal(signal.SIGHUP)
        until(lambda: daemon.status()["sweep"]["commit"] == after, daemon.log)
        contacts = [path for _, path, _ in forge.requests[asked:] if "/info/refs" in path]
        assert len(contacts) == 3, "one that hangs, and one more: for the id of the commit and for the commit"
        assert RELOADING in daemon.log()
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0


def test_a_stop_ends_a_fetch_that_hangs(world: Azure, remote: Remote, forge: Forge, tmp_path: Path) -> None:
    remote.merge("Begin where we are", spec("web", version=OLD))
    with Daemon("--git", forge.url("fleet.git/.git"), env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        asked = len(forge.requests)
        forge.delay = 100
        until(lambda: len(forge.requests) > asked, daemon.log)
        begun = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.ended() == 0
        assert time.monotonic() - begun < 10
        assert "ERROR" not in "\n".join(daemon.log())


def test_a_stop_ends_a_single_pass_whose_fetch_hangs(
    world: Azure, remote: Remote, forge: Forge, tmp_path: Path
) -> None:
    remote.merge("Begin where we are", spec("web", version=OLD))
    forge.delay = 100
    url = forge.url("fleet.git/.git")
    process = subprocess.Popen(
        command("run", "--once", "--git", url), env=world.environment, cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    until(lambda: forge.requests)
    begun = time.monotonic()
    process.terminate()
    assert process.wait(30) == 128 + signal.SIGTERM
    assert time.monotonic() - begun < 10


def test_a_start_beside_a_remote_that_hangs_uses_what_was_in_force(
    world: Azure, remote: Remote, forge: Forge, tmp_path: Path
) -> None:
    url = forge.url("fleet.git/.git")
    good = remote.merge("Begin where we are", spec("web", version=OLD))
    with Daemon("--git", url, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
    remote.merge("Move web to the January image", spec("web"))
    forge.delay = 100
    with Daemon("--git", url, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        shown = daemon.status()["sweep"]
        assert shown["commit"] == good
        assert shown["errors"] == [f"{url} (main): the fetch is taking more than 10 s"]
        assert daemon.get("/readyz") == (200, "ok\n")


def test_a_restart_beside_a_broken_commit_keeps_the_last_valid_one_in_force(
    world: Azure, remote: Remote, tmp_path: Path
) -> None:
    good = remote.merge("Begin where we are", spec("web", version=OLD))
    with Daemon("--git", remote.url, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
    for number in range(2):
        remote.merge(f"Slip {number}", spec("web", interval=f"soon {number}"))
        with Daemon("--git", remote.url, env=world.environment, cwd=tmp_path) as daemon:
            daemon.started()
            until(lambda: daemon.status_of("web") == "Ready", daemon.log)
            shown = daemon.status()["sweep"]
            assert (shown["commit"], len(shown["errors"])) == (good, 1)


def test_a_first_start_beside_a_broken_commit_finds_the_newest_valid_one(
    world: Azure, remote: Remote, tmp_path: Path
) -> None:
    remote.merge("Begin", spec("web", version=OLD))
    good = remote.merge("Go on", spec("web", version=OLD, interval="4m"))
    remote.merge("Slip", spec("web", interval="soon"))
    with Daemon("--git", remote.url, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        shown = daemon.status()["sweep"]
        assert (shown["commit"], len(shown["errors"])) == (good, 1)
        fixed = remote.merge("Fix the slip", spec("web", version=OLD))
        until(lambda: daemon.status()["sweep"]["commit"] == fixed, daemon.log)


def test_the_identity_for_azure_gets_a_token_for_azure_devops(
    world: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    assert claims(devops_token())
