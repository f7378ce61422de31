"""A merge and all that may go wrong with it: webhook, broken file, kill -9 at every step, and a revert.

The program is real, and so is the repository, which is served over HTTP.
"""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.simulator import Exchange, Reset, Slow
from reconciler.simulator.faults import Fault
from tests.cli.program import Azure, Daemon, Ended, azure, reconciler, until
from tests.exchanges import PATCH, UPGRADE, image_of, named_instances, scale_set_of
from tests.git.forge import Forge, serve
from tests.git.remote import Remote
from tests.git.standin import Moment, StandIn
from tests.invariants import every_write_changes_something, no_step_is_repeated_at_once
from tests.stories.world import FIX, NEW, OLD, scale_set, spec

SECRET = "a secret"
SLIP = {"intervall": "1h"}
ERROR = "specs/api.yaml:12:3: spec.intervall is not a known field: did you mean interval?"


@pytest.fixture
def forge(empty: Remote) -> Iterator[Forge]:
    """A forge that serves the remote over HTTP."""
    with serve(empty.bare.parent) as found:
        yield found


@pytest.fixture
def world() -> Iterator[Azure]:
    """Three scale sets of one instance each."""
    with azure(*(scale_set(name, capacity=1) for name in BEFORE)) as served:
        yield served


def merge(remote: Remote, subject: str, *documents: Mapping[str, Any]) -> str:
    for each in documents:
        remote.write(f"specs/{each['metadata']['name']}.yaml", yaml.safe_dump(each))
    return remote.push(subject)


def revert(remote: Remote, sha: str) -> str:
    remote.git("revert", "--no-edit", sha)
    return remote.push()


def are_on(world: Azure, daemon: Daemon, **versions: str) -> bool:
    """Whether these scale sets run these versions, and nothing more happens to them."""
    on = {name: world.images(name) == {version} for name, version in versions.items()}
    return all(on.values()) and {daemon.status_of(name) for name in versions} == {"Ready"}


def follow(world: Azure, daemon: Daemon, commit: str, **versions: str) -> None:
    """Wait until the daemon knows the commit and the scale sets run these versions."""
    until(lambda: has_read(daemon, commit), daemon.log)
    until(lambda: are_on(world, daemon, **versions), daemon.log)


def has_read(daemon: Daemon, commit: str) -> bool:
    """Whether this is the newest commit that the daemon knows, in force or refused."""
    sweep = daemon.status()["sweep"]
    return bool(sweep) and (sweep["refused"] or sweep)["commit"] == commit


# No scale set waits for another one, because at most one at a time is new to its image.
BEFORE = {"api": OLD, "db": OLD, "web": OLD}
GOOD = {"api": NEW, "db": OLD, "web": FIX}
PARTLY = {"api": NEW, "db": FIX, "web": NEW}


def test_a_webhook_moves_the_fleet_and_a_revert_heals_a_broken_commit(
    empty: Remote, forge: Forge, world: Azure, tmp_path: Path
) -> None:
    """The next sweep would come after an hour, so each commit is followed because of its webhook."""
    merge(empty, "Begin where we are", *(spec(name, version) for name, version in BEFORE.items()))
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    hooks = ("--webhook-listen", "127.0.0.1:0", "--webhook-secret-file", "secret", "--sweep", "1h")
    options = ("--git", forge.url(), *hooks)

    with Daemon(*options, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: are_on(world, daemon, **BEFORE), daemon.log)
        good = merge(empty, "Move the fleet", *(spec(name, version) for name, version in GOOD.items()))
        assert push(daemon, "wrong") == HTTPStatus.UNAUTHORIZED
        assert push(daemon) == HTTPStatus.ACCEPTED
        follow(world, daemon, good, **GOOD)
        assert writes(world) == {"api": [NEW, {"0"}], "web": [FIX, {"0"}]}
        assert SECRET not in "\n".join(daemon.log())

        asked = len(world.simulator.record.requests)
        bad = merge(empty, "Move on", spec("api", FIX, **SLIP), spec("db", FIX), spec("web", NEW))
        assert push(daemon) == HTTPStatus.ACCEPTED
        follow(world, daemon, bad, **PARTLY)
        _show_what_is_refused(world, daemon, tmp_path, good, bad)
        daemon.signal(signal.SIGKILL)
        is_killed(daemon)
    assert writes(world, asked) == {"db": [FIX, {"0"}], "web": [NEW, {"0"}]}
    asked = len(world.simulator.record.requests)

    with Daemon(*options, env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        follow(world, daemon, bad, **PARTLY)
        assert refused(daemon) == (bad, "Ada Löwe", ERROR)
        assert writes(world, asked) == {}
        healed = revert(empty, bad)
        assert push(daemon) == HTTPStatus.ACCEPTED
        follow(world, daemon, healed, **GOOD)
        assert (refused(daemon), daemon.status()["sweep"]["errors"]) == (None, [])
        metrics = daemon.get("/metrics")[1].splitlines()
        assert 'vmss_reconciler_behind{name="api"} 0.0' in metrics
        assert not any(line.startswith("vmss_reconciler_refused_commit_info{") for line in metrics)
    assert writes(world, asked) == {"db": [OLD, {"0"}], "web": [FIX, {"0"}]}
    every_write_changes_something(world.simulator.record)


def push(daemon: Daemon, token: str = SECRET) -> int:
    """Post a push as GitLab does. Returns the status of the response."""
    (url,) = until(
        lambda: [line.split(" on ")[1] for line in daemon.log() if "receiving webhooks on " in line],
        daemon.log,
    )
    headers = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": token}
    request = urllib.request.Request(f"{url}gitlab", b"{}", headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _show_what_is_refused(world: Azure, daemon: Daemon, cwd: Path, good: str, bad: str) -> None:
    """`why`, `status` and the metrics name the part of the commit that is not in force."""
    commit = f"commit {bad[:10]} (Move on) by Ada Löwe"

    def ask(*arguments: str) -> Ended:
        return reconciler(*arguments, "--server", daemon.url, env=world.environment, cwd=cwd)

    kept = f"ERROR {commit} is refused for api; its last good declaration remains in force"
    assert kept in daemon.log()
    why = ask("why", "api").out
    assert f"behind      {commit}: it has errors, and is not in force here until they are fixed" in why
    assert f"error       {ERROR}" in why
    assert any(line.startswith("declared  ") and good[:10] in line for line in why)
    why = ask("why", "web").out
    assert not any(line.startswith(("behind", "error")) for line in why)
    assert any(line.startswith("declared  ") and bad[:10] in line for line in why)
    status = ask("status")
    assert (status.code, status.err) == (1, [f"error: {ERROR}"])
    assert status.out[0].endswith(f"commit {bad[:10]} (Move on); 1 error in {commit}")
    (row,) = [line for line in status.out if line.startswith("api ")]
    assert row.endswith(f"; behind commit {bad[:10]}, which has errors: {ERROR}")
    metrics = daemon.get("/metrics")[1].splitlines()
    assert f'vmss_reconciler_commit_info{{commit="{bad}",in_force="partly"}} 1.0' in metrics
    assert f'vmss_reconciler_refused_commit_info{{author="Ada Löwe",commit="{bad}"}} 1.0' in metrics
    for name in BEFORE:
        assert f'vmss_reconciler_behind{{name="{name}"}} {float(name == "api")}' in metrics


def refused(daemon: Daemon) -> tuple[str, str, str] | None:
    """The refused commit, its author and its first error."""
    found = daemon.status()["sweep"]["refused"]
    return (found["commit"], found["author"], found["error"]) if found else None


Writes = Mapping[str, list[object]]


def writes(world: Azure, since: int = 0) -> Writes:
    """What Azure carried out for each scale set after so many requests: an image, or the instances upgraded."""
    found: dict[str, list[object]] = {}
    for each in world.simulator.record.requests[since:]:
        if each.method != "GET" and _was_carried_out(each):
            what = image_of(each).rpartition(":")[2] if each.operation == PATCH else named_instances(each)
            found.setdefault(scale_set_of(each)[2], []).append(what)
    return found


def _was_carried_out(exchange: Exchange) -> bool:
    return exchange.status != 0


@dataclass(frozen=True, slots=True)
class AtGit:
    """A kill at a call of git. The state on disk after one call is that before the next one."""

    call: str
    moment: Moment = "before"

    def arm(self, daemon: Daemon, standin: StandIn, _world: Azure) -> Callable[[], None]:
        """Returns what waits until the daemon is dead."""
        standin.kill_at(self.call, self.moment)
        return lambda: is_killed(daemon)


@dataclass(frozen=True, slots=True)
class AtAzure:
    """A kill at a write. The fault keeps the answer from the daemon until it is dead."""

    operation: str
    fault: Fault

    def arm(self, daemon: Daemon, _standin: StandIn, world: Azure) -> Callable[[], None]:
        """Returns what waits for the write, and then kills the daemon."""
        simulator, seen = world.simulator, len(world.simulator.record.requests)
        simulator.faults.arm(self.operation, self.fault, times=None)

        def strike() -> None:
            until(lambda: any(each.fault for each in simulator.record.requests[seen:]), daemon.log)
            daemon.signal(signal.SIGKILL)
            is_killed(daemon)
            simulator.faults.disarm()

        return strike


def is_killed(daemon: Daemon) -> None:
    assert daemon.ended() == -signal.SIGKILL


MARK = "update-ref refs/reconciler-valid/"
NOT_CARRIED_OUT, NOT_ANSWERED = Reset(), Slow(timedelta(minutes=1))
# Each step, and the commits of which it is one.
KILLS = [
    pytest.param(kill, at, id=f"killed {when}")
    for when, kill, at in (
        ("before git asks for the newest commit", AtGit("ls-remote "), "both"),
        ("before git fetches the commit", AtGit("source +refs/heads/main:"), "both"),
        ("before git lists its files", AtGit("ls-tree -r "), "both"),
        (
            "before git fetches its files",
            AtGit("--stdin source "),
            "the slip",
        ),  # those of the revert are known
        ("before git reads its files", AtGit("cat-file --batch "), "both"),
        ("before git marks it as in force", AtGit(MARK), "the revert"),  # one with an error is not marked
        ("after git marks it as in force", AtGit(MARK, "after"), "the revert"),
        ("before Azure carries the first PATCH out", AtAzure(PATCH, NOT_CARRIED_OUT), "both"),
        ("before Azure answers the first PATCH", AtAzure(PATCH, NOT_ANSWERED), "both"),
        ("before Azure carries the first upgrade out", AtAzure(UPGRADE, NOT_CARRIED_OUT), "both"),
        ("before Azure answers the first upgrade", AtAzure(UPGRADE, NOT_ANSWERED), "both"),
    )
]
# Every fourth in the suite; `make stories` kills at every one.
STRIDE = 1 if int(os.environ.get("EXPLORE_SEEDS", "1")) >= 4 else 4


@pytest.mark.parametrize(("kill", "at"), KILLS[::STRIDE])
def test_a_kill_at_any_step_of_a_commit_changes_nothing_in_the_end(
    empty: Remote, forge: Forge, tmp_path: Path, kill: AtGit | AtAzure, at: str
) -> None:
    """The daemon is killed while it takes over a commit with one broken file, and again at its revert."""
    standin = StandIn.make(tmp_path / "bin")
    with azure(*(scale_set(name, capacity=1) for name in ("api", "web"))) as world:
        record = world.simulator.record
        environment = {**world.environment, "PATH": standin.path}

        def start() -> Daemon:
            return Daemon("--git", forge.url(), env=environment, cwd=tmp_path)

        def kill_during(daemon: Daemon, act: Callable[[], str], *, kills: bool) -> str:
            strike = kill.arm(daemon, standin, world) if kills else lambda: None
            commit = act()
            strike()
            return commit

        good = merge(empty, "Begin where we are", spec("api", OLD), spec("web", OLD))
        slip = spec("api", NEW, **SLIP)
        with start() as daemon:
            follow(world, daemon.started(), good, api=OLD, web=OLD)
            bad = kill_during(
                daemon, lambda: merge(empty, "Move both", slip, spec("web", NEW)), kills=at != "the revert"
            )
        with start() as daemon:
            follow(world, daemon.started(), bad, api=OLD, web=NEW)
            healed = kill_during(daemon, lambda: revert(empty, bad), kills=at != "the slip")
        with start() as daemon:
            follow(world, daemon.started(), healed, api=OLD, web=OLD)
            assert refused(daemon) is None
        assert writes(world) == {"web": [NEW, {"0"}, OLD, {"0"}]}
    no_step_is_repeated_at_once(record)
    every_write_changes_something(record)
