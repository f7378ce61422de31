"""`reconciler upgrade`: what it shows, asks of the daemon, and waits for."""

import getpass
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from reconciler.cli.access import FleetAccess, open_session
from reconciler.cli.acts.upgrade_alone import upgrade_alone
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.specs import Directory, Specs
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
        assert any("Upgrading" in line and f"picked by {ME}" in line for line in done.out)
        first = next(
            each for each in world.simulator.record.requests if each.path.lower().endswith("/manualupgrade")
        )
        assert first.body["instanceIds"] == ["3"]
        assert (
            f"INFO web: picked for the next upgrade: instance 3 (update domain 3), picked by {ME} at "
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


def test_where_nothing_is_left_to_upgrade_it_says_so(tmp_path: Path) -> None:
    with azure(scale_set(capacity=2)) as world:
        world.simulator.scale_set("web").instance("1").protect()
        write_specs(tmp_path / "specs", spec())
        with Daemon(env=world.environment, cwd=tmp_path) as daemon:
            daemon.started()
            until(lambda: daemon.status_of("web") == "Ready", daemon.log)
            done = upgrade(daemon, tmp_path, "web", "--domain", "0", "--yes")
            assert (done.code, done.out[-1]) == (0, "web: nothing to upgrade")
            done = upgrade(daemon, tmp_path, "web", "--instances", "0,1", "--yes")
            assert (done.code, done.err) == (1, ["error: web: no upgrade reaches 1"])


def without_daemon(world: Azure, where: Path, *arguments: str) -> Ended:
    """The command where no daemon responds."""
    return invoke("upgrade", *arguments, "--server", NOWHERE, env=world.environment, cwd=where)


def with_model(world: Azure) -> None:
    """A daemon has set the model."""
    web = world.simulator.scale_set("web")
    web.set_image(f"{':'.join(BASE.values())}:{NEW}")
    until(lambda: web.provisioning_state == "Succeeded", lambda: web.provisioning_state)


def in_haste(world: Azure, where: Path, request: PickRequest) -> Ended:
    """The command with --yes where no daemon responds. A minute lasts a second."""

    @click.command()
    def command() -> None:
        fleet = FleetAccess(Specs(Directory(where / "specs")), open_session(world.server.url, ()), False)
        upgrade_alone(fleet, request, NOWHERE, is_trial=False, sleep=lambda seconds: time.sleep(seconds / 60))

    done = CliRunner(env=world.environment).invoke(command)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


SOON = (datetime.now(UTC) + timedelta(minutes=30)).replace(microsecond=0)
ITSELF = f"no daemon responds at {NOWHERE}; this command upgrades the instances itself"


@pytest.mark.parametrize("arguments", [[], ["--yes"]], ids=["a trial", "with --yes"])
def test_without_a_daemon_it_sets_no_model(arguments: list[str], world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec())
    done = without_daemon(world, tmp_path, "web", "--domain", "3", *arguments)
    assert (done.code, done.out, done.err[-1]) == (
        1,
        [],
        f"error: web: the model is on {OLD}, and the spec declares {NEW}; merge the spec and let a daemon set it",
    )
    assert world.writes() == 0


def test_without_a_daemon_it_shows_the_same_and_writes_nothing(world: Azure, tmp_path: Path) -> None:
    with_model(world)
    write_specs(tmp_path / "specs", spec(rollout=APPROVAL))
    done = without_daemon(world, tmp_path, "web", "--domain", "3")
    assert (done.code, done.out[0], done.out[-2]) == (
        0,
        f"web: 1 instance to be upgraded next to {NEW}",
        "ends: run `reconciler approve`",
    )
    assert done.err == [ITSELF, "nothing was done; pass --yes to do it"]
    assert world.writes() == 0


def test_without_a_daemon_it_upgrades_the_picked_instances_and_no_others(
    world: Azure, tmp_path: Path
) -> None:
    write_specs(tmp_path / "specs", spec())
    with_model(world)
    done = in_haste(world, tmp_path, PickRequest("web", "ada", "3"))
    assert (done.code, done.err) == (0, [ITSELF])
    assert done.out[-1] == f"web: 1 of 1 runs {NEW}"
    (claimed,) = (line for line in done.out if "claimed until" in line)
    assert claimed.endswith("waiting 1m for unreachable daemons to see the claim")
    images = world.simulator.record.images("web")
    assert [id_ for id_, image in images.items() if image.endswith(NEW)] == ["3"]
    assert "vmss-reconciler-claim" not in {
        name for name, value in world.simulator.scale_set("web").tags.items() if value
    }


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        pytest.param(
            {"vmss-reconciler-claim": f"holder=1;by=bob;until={SOON.isoformat()}"},
            "error: web: no instance of web has been listed yet (Claimed: bob is running `reconciler upgrade`, "
            "which has claimed the scale set until "
            f"{SOON:%Y-%m-%d %H:%M} UTC); try again in a moment",
            id="another has claimed it",
        ),
        pytest.param(
            {f"tag-{number}": "x" for number in range(50)},
            "error: web: there is no room for the tag vmss-reconciler-claim: Azure allows 50; remove one",
            id="there is no room for the claim",
        ),
    ],
)
def test_without_a_claim_it_upgrades_nothing(tags: Any, error: str, world: Azure, tmp_path: Path) -> None:
    world.simulator.scale_set("web").set_tags(tags)
    with_model(world)
    write_specs(tmp_path / "specs", spec())
    done = in_haste(world, tmp_path, PickRequest("web", "ada", "3"))
    assert (done.code, done.err[-1]) == (1, error)
    assert world.writes() == 0


def test_with_errors_in_the_specs_it_upgrades_nothing(world: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec(), spec("bad", image={"platform": {}}))
    done = without_daemon(world, tmp_path, "web", "--domain", "3", "--yes")
    assert (done.code, done.err[-1]) == (
        1,
        "error: nothing was upgraded: the specs have errors or cannot be read; fix them first",
    )
    assert world.writes() == 0


def test_without_a_daemon_nobody_can_go_on_after_the_command(world: Azure, tmp_path: Path) -> None:
    done = without_daemon(world, tmp_path, "web", "--domain", "3", "--yes", "--no-wait")
    assert (done.code, done.err) == (
        1,
        [f"error: no daemon responds at {NOWHERE}, so --no-wait is not possible; omit it, or set --server"],
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
