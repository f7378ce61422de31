"""`reconciler dismiss`: a person ends the rollout of an orphan, by its tag."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.rollout.persisted import Fingerprint
from reconciler.simulator import Status
from reconciler.spec.image import PlatformImage
from tests.cli.program import Azure, Daemon, Ended, azure, reconciler, until, write_specs
from tests.stories.world import BASE, NEW, OLD, SUBSCRIPTION, of_all, platform, scale_set, spec

STATE = "vmss-reconciler-state"
URN = ":".join(BASE.values())
PROD = of_all() | {"metadata": {"name": "prod"}}
BEGUN = f"began=2026-01-05T09:00:00+00:00,{Fingerprint.of(PlatformImage(**BASE, version=NEW)).digest},{NEW}"
GOOD = f"good={URN}:{OLD}"
ROLLOUT = f"its rollout to {NEW}"
DISMISSED = f"{ROLLOUT}, begun at 2026-01-05 09:00 UTC, is dismissed; the scale set stays as it is, and is no longer Orphaned after the next sweep"
REFUSED = Status(403, "AuthorizationFailed", "no")
MOVED = Status(412, "PreconditionFailed", "Etag provided in if-match header does not match.")


def tagged(fleet: str = "fleet=prod;", begun: str = f"{BEGUN};") -> dict[str, str]:
    return {"team": "web", STATE: f"v1;{fleet}{begun}{GOOD}"}


@pytest.fixture
def world() -> Iterator[Azure]:
    """api is declared. web and shop were left half-way by prod, and done at the end. Others left the rest."""
    with azure(
        scale_set("api", capacity=1),
        scale_set("done", capacity=1, image=platform(NEW), tags=tagged()),
        scale_set("other", capacity=1, tags=tagged("fleet=other;")),
        scale_set("shop", capacity=1, tags=tagged()),
        scale_set("unclaimed", capacity=1, tags=tagged("")),
        scale_set("web", capacity=1, tags=tagged()),
    ) as served:
        for name in ("other", "shop", "unclaimed", "web"):
            served.simulator.scale_set(name).set_image(f"{URN}:{NEW}")
        yield served


ALL = [PROD, spec("api", OLD)]


def dismiss(world: Azure, where: Path, *names: str, documents: Any = ALL) -> Ended:
    """In this process, which spares each case the start of another."""
    env = {**world.environment, "VMSS_RECONCILER_SPECS": str(write_specs(where / "specs", *documents))}
    done = CliRunner().invoke(main, ["dismiss", *names], env=env)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def test_a_scale_set_of_another_shard_keeps_its_rollout(tmp_path: Path) -> None:
    """It has moved there, and the tag still names the shard that it was in."""
    moved = spec("web", NEW) | {"metadata": {"name": "web", "labels": {"region": "apac"}}}
    shard = ("--shard", "emea", "--shard-selector", "region!=apac")
    with azure(
        scale_set("api", capacity=1), scale_set("web", capacity=1, tags=tagged("fleet=prod/emea;"))
    ) as world:
        world.simulator.scale_set("web").set_image(f"{URN}:{NEW}")
        before = state(world, "web")
        done = dismiss(world, tmp_path, *shard, "web", documents=[PROD, spec("api", OLD), moved])
        assert (done.code, world.writes(), state(world, "web")) == (1, 0, before)
        assert done.err[0].startswith("error: no orphan is named 'web'")
        removed = dismiss(world, tmp_path / "removed", *shard, "web", documents=[PROD, spec("api", OLD)])
    assert removed == Ended(0, [f"web: {DISMISSED}"], [])


def state(world: Azure, name: str) -> str:
    return world.simulator.scale_set(name).tags[STATE]


def test_it_writes_the_tag_and_nothing_else(world: Azure, tmp_path: Path) -> None:
    assert dismiss(world, tmp_path, "web") == Ended(0, [f"web: {DISMISSED}"], [])
    (written,) = [each for each in world.simulator.record.requests if each.method != "GET"]
    assert written.body == {"tags": {"team": "web", STATE: f"v1;fleet=prod;{GOOD}"}}
    assert world.images("web") == {OLD}


@pytest.mark.parametrize(
    ("names", "out", "err", "dismissed"),
    [
        pytest.param(
            ["web", "shop"], [f"web: {DISMISSED}", f"shop: {DISMISSED}"], [], ["shop", "web"], id="several"
        ),
        pytest.param(["web", "web"], [f"web: {DISMISSED}"], [], ["web"], id="one that is named twice"),
        pytest.param(
            ["done"], [f"done: unchanged: {ROLLOUT} has ended"], [], [], id="one whose rollout has ended"
        ),
        pytest.param(
            ["wbe", "shop"],
            [f"shop: {DISMISSED}"],
            ["error: no orphan is named 'wbe'; did you mean web?"],
            ["shop"],
            id="one with a typing error beside a good one",
        ),
        pytest.param(
            ["db"],
            [],
            ["error: no orphan is named 'db'; run `reconciler status` to see the names"],
            [],
            id="a name that nothing has",
        ),
        pytest.param(
            ["api"],
            [],
            ["error: api is declared, so it is not an orphan; run `reconciler why api`"],
            [],
            id="one that is declared",
        ),
        pytest.param(
            ["other"],
            [],
            ["error: no orphan is named 'other'; run `reconciler status` to see the names"],
            [],
            id="one of another fleet",
        ),
        pytest.param(
            ["unclaimed"],
            [],
            ["error: no orphan is named 'unclaimed'; run `reconciler status` to see the names"],
            [],
            id="one that no fleet has claimed",
        ),
    ],
)
def test_the_result_for_each_name(
    world: Azure, tmp_path: Path, *, names: list[str], out: list[str], err: list[str], dismissed: list[str]
) -> None:
    assert dismiss(world, tmp_path, *names) == Ended(bool(err), out, err)
    assert [each for each in ("done", "shop", "web") if BEGUN not in state(world, each)] == dismissed
    assert world.writes() == len(dismissed)


def test_in_a_fleet_without_a_name_it_ends_what_no_fleet_has_claimed(world: Azure, tmp_path: Path) -> None:
    done = dismiss(world, tmp_path, "unclaimed", "web", documents=[spec("api", OLD)])
    assert done.out == [f"unclaimed: {DISMISSED}"]
    assert done.err == ["error: no orphan is named 'web'; run `reconciler status` to see the names"]


def test_another_writer_costs_one_more_try(world: Azure, tmp_path: Path) -> None:
    world.simulator.faults.arm("VirtualMachineScaleSets_Update", MOVED)
    assert dismiss(world, tmp_path, "web") == Ended(0, [f"web: {DISMISSED}"], [])


def test_a_refused_write_is_an_error(world: Azure, tmp_path: Path) -> None:
    world.simulator.faults.arm("VirtualMachineScaleSets_Update", REFUSED, times=None)
    done = dismiss(world, tmp_path, "web")
    assert (done.code, done.out, done.err) == (
        1,
        [],
        ['error: web: Azure returned AuthorizationFailed ("no")'],
    )


def test_a_list_that_fails_is_an_error(world: Azure, tmp_path: Path) -> None:
    world.simulator.faults.arm("VirtualMachineScaleSets_ListAll", REFUSED, times=None)
    assert dismiss(world, tmp_path, "web") == Ended(
        1, [], [f'error: subscription {SUBSCRIPTION}: Azure returned AuthorizationFailed ("no")']
    )


def test_with_errors_in_the_specs_nothing_is_dismissed(world: Azure, tmp_path: Path) -> None:
    """A document that cannot be read may declare it."""
    done = dismiss(world, tmp_path, "web", documents=[PROD, spec("api", OLD, intervall="5m")])
    assert (done.code, done.out) == (1, [])
    assert done.err[-1] == (
        "error: nothing was dismissed: the specs have errors or cannot be read; fix them first"
    )
    assert world.writes() == 0


def test_an_orphan_from_the_removal_of_its_spec_to_its_dismissal(tmp_path: Path) -> None:
    with azure(scale_set("api", capacity=1), scale_set("web", capacity=3)) as world:
        specs = write_specs(tmp_path / "specs", PROD, spec("api", OLD), spec("web"))
        with Daemon(env=world.environment, cwd=tmp_path) as daemon:
            until(lambda: world.images("web") == {OLD, NEW}, daemon.log)
            (specs / "web.yaml").unlink()
            until(lambda: any("web: Orphaned: " in line for line in daemon.log()), daemon.log)
        with Daemon(env=world.environment, cwd=tmp_path) as daemon:
            daemon.started()
            until(lambda: [each["name"] for each in daemon.status()["orphans"]] == ["web"], daemon.log)
            ask = ("--server", daemon.url)
            status = reconciler("status", *ask, env=world.environment, cwd=tmp_path).out
            assert [line.split()[:2] for line in status if line.startswith("web")] == [["web", "Orphaned"]]
            why = reconciler("why", "web", *ask, env=world.environment, cwd=tmp_path).out
            assert why[0] == "web: Orphaned"
            assert "or run `reconciler dismiss web`" in why[1]
            done = reconciler("dismiss", "web", env=world.environment, cwd=tmp_path)
            assert (done.code, done.err) == (0, [])
            until(lambda: daemon.status()["orphans"] == [], daemon.log)
            assert daemon.log()[-1] == "INFO web: no longer Orphaned"
