"""`reconciler upgrade`: what it shows, asks of the daemon, and waits for."""

import getpass
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Azure, Daemon, Ended, azure, bare, invoke, until, write_specs
from tests.stories.world import BASE, NEW, OLD, of_all, scale_set, spec

NOWHERE = "http://127.0.0.1:1"
APPROVAL = {"approval": "start"}
ME = getpass.getuser()
PROTECTED = "protected from scale set actions"


@pytest.fixture
def world() -> Iterator[Azure]:
    """Five instances on OLD, each in an update domain of its own."""
    with azure(scale_set(capacity=5)) as served:
        yield served


@contextmanager
def waiting(world: Azure, where: Path, *documents: Any) -> Iterator[Daemon]:
    """A daemon whose rollout of NEW to web waits for an approval."""
    write_specs(where / "specs", spec(rollout=APPROVAL), *documents)
    with Daemon(env=world.environment, cwd=where) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Waiting", daemon.log)
        yield daemon


def approve(world: Azure) -> None:
    world.simulator.scale_set("web").set_tags(
        {"vmss-reconciler-approved": f"{':'.join(BASE.values())}:{NEW}"}
    )


def upgrade(daemon: Daemon | None, where: Path, *arguments: str) -> Ended:
    url = daemon.url if daemon else NOWHERE
    return invoke("upgrade", *arguments, "--server", url, env=bare(), cwd=where)


def row(daemon: Daemon) -> Any:
    return daemon.status()["scaleSets"][0]


def test_without_yes_it_shows_what_would_happen_and_what_blocks_it(world: Azure, tmp_path: Path) -> None:
    world.simulator.scale_set("web").instance("1").protect()
    with waiting(world, tmp_path) as daemon:
        done = upgrade(daemon, tmp_path, "web", "--instances", "3,1")
        group = done.out[1].rpartition("group ")[2].partition(",")[0]
        assert (done.code, done.out) == (
            0,
            [
                f"web: 1 instance to be upgraded next to {NEW}",
                f"  3 (update domain 3, placement group {group}, fault domain 3), from {OLD}",
                f"  1 (update domain 1, placement group {group}, fault domain 1), not upgraded: {PROTECTED}",
                f"now: Waiting: AwaitingApproval: {row(daemon)['message']}",
                "ends: run `reconciler approve`",
                "the pick lapses if the rollout stands still for 10m (health.timeout)",
            ],
        )
        assert done.err == ["nothing was done; pass --yes to do it"]
        assert row(daemon)["pick"] is None


def test_with_yes_it_waits_until_the_picked_instances_serve(world: Azure, tmp_path: Path) -> None:
    with waiting(world, tmp_path) as daemon:

        def approve_once_picked() -> None:
            until(lambda: row(daemon)["pick"], daemon.log)
            approve(world)

        meanwhile = threading.Thread(target=approve_once_picked)
        meanwhile.start()
        done = upgrade(daemon, tmp_path, "web", "--domain", "UD 3", "--yes")
        meanwhile.join()
        assert (done.code, done.err) == (0, [])
        assert done.out[-1] == f"web: 1 of 1 runs {NEW}"
        assert any("Upgrading" in line and f"as picked by {ME}" in line for line in done.out)
        first = next(
            each for each in world.simulator.record.requests if each.path.lower().endswith("/manualupgrade")
        )
        assert first.body["instanceIds"] == ["3"]
        assert (
            f"INFO web: to be upgraded next: instance 3 (update domain 3), picked by {ME} at "
            in "\n".join(daemon.log())
        )
        why = invoke("why", "web", "--server", daemon.url, env=bare(), cwd=tmp_path)
        (picked,) = (line for line in why.out if line.startswith("picked "))
        assert picked.startswith(f"picked      instance 3 (update domain 3), picked by {ME} at ")
        assert picked.endswith(f" UTC: 1 of 1 runs {NEW}")


def test_without_waiting_it_returns_as_soon_as_the_daemon_knows(world: Azure, tmp_path: Path) -> None:
    with waiting(world, tmp_path) as daemon:
        assert upgrade(daemon, tmp_path, "web", "--domain", "3", "--yes", "--no-wait").code == 0
        assert row(daemon)["pick"]["instanceIds"] == ["3"]


def test_a_pick_that_another_replaces_is_a_failure(world: Azure, tmp_path: Path) -> None:
    with waiting(world, tmp_path) as daemon:

        def pick_another() -> None:
            until(lambda: row(daemon)["pick"], daemon.log)
            upgrade(daemon, tmp_path, "web", "--domain", "4", "--yes", "--no-wait")

        meanwhile = threading.Thread(target=pick_another)
        meanwhile.start()
        done = upgrade(daemon, tmp_path, "web", "--domain", "3", "--yes")
        meanwhile.join()
        assert (done.code, len(done.err)) == (1, 1)
        assert done.err[0].startswith(
            "error: the pick was replaced by another: instance 4 (update domain 4), picked by "
        )


def test_what_is_refused_is_said(world: Azure, tmp_path: Path) -> None:
    with waiting(world, tmp_path, of_all(barredCommands=["upgrade"])) as daemon:
        done = upgrade(daemon, tmp_path, "web", "--domain", "3")
        assert (done.code, done.err) == (
            1,
            [
                f"error: the daemon at {daemon.url} refused: 409: spec.barredCommands of the Fleet bars "
                "`reconciler upgrade`; merge a commit instead"
            ],
        )
        done = upgrade(daemon, tmp_path, "wbe", "--domain", "3")
        assert (done.code, done.err) == (1, ["error: no spec in force is named 'wbe'; did you mean web?"])


def test_where_nothing_is_left_to_upgrade_it_says_so(world: Azure, tmp_path: Path) -> None:
    world.simulator.scale_set("web").instance("1").protect()
    write_specs(tmp_path / "specs", spec())
    with Daemon(env=world.environment, cwd=tmp_path) as daemon:
        daemon.started()
        until(lambda: daemon.status_of("web") == "Ready", daemon.log)
        done = upgrade(daemon, tmp_path, "web", "--domain", "3", "--yes")
        assert (done.code, done.out[-1]) == (0, "web: nothing to upgrade")
        done = upgrade(daemon, tmp_path, "web", "--instances", "1,3", "--yes")
        assert (done.code, done.err) == (1, ["error: web: no upgrade would reach 1"])


def test_without_a_daemon_it_says_that_it_needs_one(tmp_path: Path) -> None:
    done = upgrade(None, tmp_path, "web", "--domain", "3")
    assert (done.code, done.err) == (
        1,
        [
            f"error: no daemon responds at {NOWHERE}; set --server, or start one with `reconciler run`",
        ],
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(["web"], "pass either --domain or --instances", id="neither a domain nor instances"),
        pytest.param(
            ["web", "--domain", "3", "--instances", "3"], "pass either --domain or --instances", id="both"
        ),
        pytest.param(["web", "--instances", "3,,7"], "separate them by commas", id="an empty id"),
        pytest.param(["web", "--domain", "3", "--no-wait"], "--no-wait needs --yes", id="only --no-wait"),
    ],
)
def test_a_line_that_means_nothing_is_a_usage_error(arguments: list[str], error: str, tmp_path: Path) -> None:
    done = upgrade(None, tmp_path, *arguments)
    assert done.code == 2
    assert error in done.err[-1]
