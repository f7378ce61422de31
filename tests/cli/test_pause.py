"""`reconciler pause` and `reconciler resume`: a stop without a commit."""

import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.rollout.pause import PAUSE, Pause, pause_in
from reconciler.simulator import Status, Throttled
from tests.cli.program import ROOT, Azure, Daemon, Ended, azure, reconciler, until, write_specs
from tests.stories.world import NEW, SUBSCRIPTION, of_all, scale_set, spec

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop"
FLEET = of_all(pauseTag={"subscription": SUBSCRIPTION, "resourceGroup": "shop"})
WRITE = "Tags_UpdateAtScope"
DENIED = Status(403, "AuthorizationFailed", "No.")
NOWHERE = "http://127.0.0.1:1"


def labelled(name: str, **labels: str) -> dict[str, Any]:
    document = spec(name)
    return document | {"metadata": {"name": name, "labels": labels}}


SPECS = [labelled("api", team="web"), labelled("db", team="data"), labelled("web", team="web")]


@pytest.fixture
def world() -> Iterator[Azure]:
    permissions = {"actions": ["*"]}
    with azure(
        *(scale_set(name, capacity=1) for name in ("api", "db", "web")), permissions=permissions
    ) as served:
        yield served


def invoke(
    world: Azure, where: Path, *arguments: str, documents: Any = (FLEET, *SPECS), server: str = NOWHERE
) -> Ended:
    """Run a command from an empty directory with these specs. No daemon responds, unless `server` is one."""
    specs = {
        "VMSS_RECONCILER_SPECS": str(write_specs(where / "specs", *documents)),
        "VMSS_RECONCILER_SERVER": server,
    }
    done = CliRunner().invoke(main, arguments, env=world.environment | specs)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def fleet_tag(world: Azure) -> Pause | None:
    return pause_in(world.simulator.cloud.group(SUBSCRIPTION, "shop").tags)


def paused(world: Azure) -> Mapping[str, str]:
    """The reason of each scale set that is paused."""
    found = {name: pause_in(world.simulator.scale_set(name).tags) for name in ("api", "db", "web")}
    return {name: pause.reason for name, pause in found.items() if pause}


def test_the_fleet_is_paused_and_resumed(world: Azure, tmp_path: Path) -> None:
    done = invoke(
        world, tmp_path, "pause", "--all", "--reason", "checkout; is, down", "--by", "ada", "--until", "2h"
    )
    assert (done.code, done.out) == (0, ["the fleet (resource group shop): paused by ada"])
    assert done.err == [
        f"no daemon responds at {NOWHERE}; a daemon elsewhere reads the tag before each write",
        world.announcement,
    ]
    pause = fleet_tag(world)
    assert pause is not None
    assert (pause.reason, pause.by) == ("checkout; is, down", "ada")
    assert pause.at is not None
    assert pause.until is not None
    assert abs(pause.until - pause.at - timedelta(hours=2)) < timedelta(minutes=1)
    assert paused(world) == {}
    done = invoke(world, tmp_path, "resume", "--all")
    assert done.code == 0
    assert done.out[0].startswith("the fleet (resource group shop): resumed; it was paused by ada at ")
    assert fleet_tag(world) is None
    assert invoke(world, tmp_path, "resume", "--all").out == ["the fleet (resource group shop): not paused"]


def test_without_a_name_the_one_in_the_token_is_written(world: Azure, tmp_path: Path) -> None:
    assert invoke(world, tmp_path, "pause", "--all", "--reason", "x").code == 0
    pause = fleet_tag(world)
    assert pause is not None
    assert pause.by.startswith("application ")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param(["web"], {"web"}, id="a name"),
        pytest.param(["web", "db", "web"], {"db", "web"}, id="names"),
        pytest.param(["-l", "team=web"], {"api", "web"}, id="a label"),
        pytest.param(["-l", "team!=web"], {"db"}, id="another value of a label"),
        pytest.param(["-l", "team"], {"api", "db", "web"}, id="a label with any value"),
        pytest.param(["-l", "team=data", "web"], {"db", "web"}, id="a name and a label"),
    ],
)
def test_scale_sets_are_paused_and_resumed(
    world: Azure, tmp_path: Path, arguments: list[str], names: set[str]
) -> None:
    assert invoke(world, tmp_path, "pause", "--reason", "load test", *arguments).code == 0
    assert paused(world) == dict.fromkeys(names, "load test")
    assert fleet_tag(world) is None
    assert invoke(world, tmp_path, "resume", *arguments).code == 0
    assert paused(world) == {}


def test_a_fleet_without_a_pause_tag_is_paused_by_each_scale_set(world: Azure, tmp_path: Path) -> None:
    done = invoke(world, tmp_path, "pause", "--all", "--reason", "x", "--by", "ada", documents=SPECS)
    assert (done.code, done.out) == (0, [f"{name}: paused by ada" for name in ("api", "db", "web")])
    assert invoke(world, tmp_path, "resume", "--all", documents=SPECS).code == 0
    assert paused(world) == {}


def test_the_pause_tag_is_found_although_the_specs_are_broken(world: Azure, tmp_path: Path) -> None:
    """Whoever stops a fleet in an emergency must not have to fix its specs first."""
    broken = [*SPECS, spec("bad", image={"platform": {}})]
    done = invoke(world, tmp_path, "pause", "--all", "--reason", "x", documents=broken)
    assert done.code == 1
    assert done.err[-1].endswith("pass its id with --pause-tag")
    done = invoke(world, tmp_path, "pause", "--all", "--reason", "x", "--pause-tag", GROUP, documents=broken)
    assert (done.code, fleet_tag(world) is not None) == (0, True)


def test_a_tag_that_is_refused_is_named_and_the_others_are_written(world: Azure, tmp_path: Path) -> None:
    world.simulator.faults.arm(WRITE, DENIED, when=lambda request: "/db/" in request.path)
    done = invoke(world, tmp_path, "pause", "--reason", "x", "-l", "team")
    assert (done.code, set(paused(world))) == (1, {"api", "web"})
    assert [line for line in done.err if "db" in line] == [
        'error: db: Azure returned AuthorizationFailed ("No")'
    ]
    assert done.err[-1] == "error: not every tag was written; run the command again"


def test_a_throttled_write_is_repeated(world: Azure, tmp_path: Path) -> None:
    world.simulator.faults.arm(WRITE, Throttled(timedelta(seconds=1)))
    done = invoke(world, tmp_path, "pause", "--all", "--reason", "x", "--by", "ada")
    assert (done.code, done.out) == (0, ["the fleet (resource group shop): paused by ada"])
    assert any("Azure is throttling; retrying in 1 s" in line for line in done.err)


def test_a_pause_that_somebody_has_ordered_meanwhile_stays(world: Azure, tmp_path: Path) -> None:
    """The tag is removed with its value, so that only the pause that was read is lifted."""
    assert invoke(world, tmp_path, "pause", "web", "--reason", "first").code == 0
    web = world.simulator.scale_set("web")
    handle = world.simulator.handle

    def replaced(request: Any) -> Any:
        if request.method == "PATCH":
            web.set_tags({PAUSE: "second"})
        return handle(request)

    world.simulator.handle = replaced  # type: ignore[method-assign]
    assert invoke(world, tmp_path, "resume", "web").code == 0
    assert paused(world) == {"web": "second"}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param(["pause", "--reason", "x"], "pass names, --selector, or --all for the whole fleet", id="nothing"),
        pytest.param(["pause", "web"], "Missing option '--reason'.", id="no reason"),
        pytest.param(
            ["pause", "--all", "web", "--reason", "x"], "--all cannot be combined with names or --selector", id="both"
        ),
        pytest.param(["pause", "web", "--reason", "x" * 200], "at most 100 characters", id="a long reason"),
        pytest.param(["pause", "web", "--reason", "x", "--until", "never"], "neither a duration such as 2h", id="an end that is no time"),
        pytest.param(["pause", "web", "--reason", "x", "--until", "2020-01-01T00:00Z"], "is in the past", id="an end in the past"),
        pytest.param(["resume", "web", "--pause-tag", GROUP], "--pause-tag needs --all", id="a pause tag for a name"),
        pytest.param(["pause", "--all", "--reason", "x", "--pause-tag", "shop"], "not the id of a resource group", id="a name of a group"),
        pytest.param(["pause", "wbe", "--reason", "x"], "did you mean web?", id="an unknown name"),
        pytest.param(["pause", "-l", "team=x", "--reason", "x"], "no scale set has labels that match", id="no label fits"),
        pytest.param(["pause", "-l", "=x", "--reason", "x"], "write it like team=web", id="a selector without a label"),
    ],
)  # fmt: skip
def test_bad_input(world: Azure, tmp_path: Path, arguments: list[str], error: str) -> None:
    done = invoke(world, tmp_path, *arguments)
    assert done.code != 0
    assert error in done.err[-1]
    assert world.writes() == 0


def test_a_running_daemon_stops_at_once_and_continues(tmp_path: Path) -> None:
    """Also while every write of a tag is throttled."""
    with azure(scale_set(capacity=4), permissions={"actions": ["*"]}) as world:
        where = write_specs(tmp_path / "specs", FLEET, spec())
        with Daemon(
            "--specs", where, "--sweep", "1h", env=world.environment, cwd=tmp_path
        ).started() as daemon:
            until(lambda: world.upgrades() or None, daemon.log)
            world.simulator.faults.arm(WRITE, DENIED, times=None)
            options = ("--server", daemon.url, "--specs", where)
            done = reconciler(
                "pause", "--all", "--reason", "x", *options, env=world.environment, cwd=tmp_path
            )
            assert done.code == 1
            assert done.out == [f"daemon at {daemon.url}: paused"]
            assert (
                f"the daemon at {daemon.url} is paused, but forgets the pause when it restarts"
                in done.err[-1]
            )
            until(lambda: daemon.status()["scaleSets"][0]["reason"] == "Paused" or None, daemon.log)
            upgrades = world.upgrades()
            done = reconciler("status", *options, env=world.environment, cwd=tmp_path)
            assert "Paused" in "\n".join(done.out)
            assert world.upgrades() == upgrades
            world.simulator.faults.disarm()
            assert reconciler("resume", "--all", *options, env=world.environment, cwd=tmp_path).code == 0
            until(lambda: world.images("web") == {NEW} or None, daemon.log)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(["approve", "web"], id="approve"),
        pytest.param(["retry", "web"], id="retry"),
        pytest.param(["resume", "web"], id="resume one"),
        pytest.param(["resume", "--all"], id="resume the fleet"),
        pytest.param(["resume", "--all", "--pause-tag", GROUP], id="resume the fleet by its tag"),
    ],
)
def test_what_loosens_is_refused_where_the_fleet_bars_it(
    line: list[str], world: Azure, tmp_path: Path
) -> None:
    barred = of_all(barredCommands=["approve", "resume", "retry"], pauseTag=FLEET["spec"]["pauseTag"])
    done = invoke(world, tmp_path, *line, documents=(barred, *SPECS))
    why = f"spec.barredCommands of the Fleet bars `reconciler {line[0]}`; merge a commit instead"
    assert done == Ended(1, [], [f"error: {why}"])
    assert not world.writes()
    assert invoke(world, tmp_path, "pause", "--all", "--reason", "down", documents=(barred, *SPECS)).code == 0


def test_every_pause_that_a_text_names_can_be_copied() -> None:
    """Pages and messages name the option that the command requires."""
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "reconciler").rglob("*.py")]
    found = [line for text in texts for line in re.findall(r"`(reconciler pause [^`]+)`", text.read_text())]
    assert 'reconciler pause --all --reason "..."' in found
    assert [line for line in found if "--reason" not in shlex.split(line)] == []
