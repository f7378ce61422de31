"""`reconciler run` that ends by itself: --once and --until-settled."""

import json
import logging
import re
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest

from reconciler.cli.log_lines import log_lines
from reconciler.simulator import Status
from tests.cli.program import Azure, Ended, azure, reconciler, write_specs
from tests.invariants import at_most_one_domain_is_unavailable
from tests.stories.world import BAD, NEW, OLD, platform, scale_set, spec

SECONDS = ("--sweep", "1s", "--requeue-after", "1s")
REFUSED = (
    "NotManualMode: the upgrade mode is Automatic, so Azure would upgrade instances by itself as soon as "
    "the model changes; set upgradePolicy.mode to Manual"
)


def run(world: Azure, where: Path, *options: str) -> Ended:
    return reconciler("run", *SECONDS, *options, env=world.environment, cwd=where)


def events(done: Ended) -> list[str]:
    """The log without times, after the line that announces Azure."""
    announced, *rest = [line.partition(" ")[2] for line in done.err]
    assert announced.startswith("INFO Azure Resource Manager: https://127.0.0.1:")
    return rest


def test_until_settled_rolls_one_domain_at_a_time_and_skips_the_suspended(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"), spec("later", suspend=True))
    with azure() as world:
        done = run(world, tmp_path, "--until-settled", "--timeout", "50s")
        assert world.images("web") == {NEW}
        at_most_one_domain_is_unavailable(world.simulator.record, "web")
        assert world.upgrades() == 3
    upgrades = [
        f"INFO web: Upgrading: upgrading 1 instance in update domain {each} (web_{each}) to {NEW}; {each} of 3 instances up to date"
        for each in range(3)
    ]
    assert [line for line in events(done) if "web" in line and "Waiting" not in line] == [
        f"INFO web: ModelDrift: changing the model's image from {OLD} to {NEW}",
        *upgrades,
        f"INFO web: UpToDate: all 3 instances run {NEW}",
    ]
    assert done.code == 0
    assert [" ".join(re.sub(r" [0-9]+s ", " 0s ", line).split()) for line in done.out[1:]] == [
        "SCALE SET STATUS FOR UP TO DATE DOMAINS MODEL DECLARED LEFT WHY",
        f"later Suspended 0s - - {NEW} - Suspended: spec.suspend is true; no changes until it is false",
        f"web Ready 0s 3/3 ●●● {NEW} {NEW} - UpToDate: all 3 instances run {NEW}",
        "2 scale sets: 1 Suspended, 1 Ready; 3 of 3 instances up to date, 1 scale set not counted",
    ]


def test_once_takes_one_step_for_each_scale_set(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", dependsOn=["search"]), spec("search"), spec("batch"))
    with azure(
        scale_set("web", capacity=5),
        scale_set("search", capacity=5, image=platform(NEW)),
        scale_set("batch", capacity=5, mode="Automatic"),
    ) as world:
        done = run(world, tmp_path, "--once")
        assert world.writes() == 1
        assert (world.simulator.scale_set("web").image, world.upgrades()) == (
            f"Canonical:ubuntu-24_04-lts:server:{NEW}",
            0,
        )
    assert done.code == 1, "not every set is as declared yet"
    assert sorted(events(done)) == [
        f"INFO search: UpToDate: all 5 instances run {NEW}",
        "INFO specs in force: 3 scale sets",
        f"INFO web: ModelDrift: changing the model's image from {OLD} to {NEW}",
        f"WARNING batch: {REFUSED}",
    ]
    assert [" ".join(re.sub(r" [0-9]+s ", " 0s ", line).split()) for line in done.out[1:]] == [
        "SCALE SET STATUS FOR UP TO DATE DOMAINS MODEL DECLARED LEFT WHY",
        f"batch Stalled 0s - {OLD} {NEW} - {REFUSED}",
        f"web Reconciling 0s - {OLD} {NEW} 15m ModelDrift: changing the model's image from {OLD} to {NEW}",
        f"search Ready 0s 5/5 ●●●●● {NEW} {NEW} - UpToDate: all 5 instances run {NEW}",
        "3 scale sets: 1 Stalled, 1 Reconciling, 1 Ready; 5 of 5 instances up to date, 2 scale sets not counted",
    ]


def test_a_stalled_scale_set_is_settled_with_exit_code_1(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("batch"))
    with azure(scale_set("batch", capacity=5, mode="Automatic")) as world:
        done = run(world, tmp_path, "--until-settled")
        assert world.writes() == 0
    assert (done.code, done.out[-1]) == (1, "1 scale set: 1 Stalled")


def test_it_exits_at_its_timeout(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", version=BAD))
    with azure() as world:
        done = run(world, tmp_path, "--until-settled", "--timeout", "2s")
        assert world.upgrades() <= 1, "no second domain is touched while the first is ill"
    assert done.code == 1
    assert "ERROR not settled within 2s; exiting" in events(done)


def test_errors_in_the_first_specs_are_logged_and_end_it(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", interval="soon"))
    with azure() as world:
        done = run(world, tmp_path, "--until-settled")
        assert world.simulator.record.requests == ()
    assert (done.code, events(done)) == (
        1,
        [
            'ERROR specs/web.yaml:12:13: spec.interval "soon" is not a duration: write it like 5m, 1h30m or 90s'
        ],
    )
    assert [line.partition(" UTC, ")[2] for line in done.out] == ["no specs in force"]


def test_a_log_of_json_has_an_object_a_line_with_the_scale_set_and_its_reason(tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("batch"))
    with azure(scale_set("batch", capacity=5, mode="Automatic")) as world:
        done = run(world, tmp_path, "--once", "--log-format", "json")
    lines = [json.loads(line) for line in done.err]
    assert all(datetime.fromisoformat(line.pop("ts")).tzinfo for line in lines)
    assert lines[1:] == [
        {"level": "info", "msg": "specs in force: 1 scale set"},
        {
            "level": "warning",
            "msg": f"batch: {REFUSED}",
            "scaleSet": "batch",
            "status": "Stalled",
            "reason": "NotManualMode",
        },
    ]


def test_a_log_of_json_has_the_ids_of_a_write_and_of_a_failure(tmp_path: Path) -> None:
    """The daemon says on which request a line rests, in the words of Azure's own record."""
    write_specs(tmp_path / "specs", spec("api"), spec("web"))
    with azure(scale_set("api", capacity=3), scale_set("web", capacity=3)) as world:
        no = Status(403, "AuthorizationFailed", "no")
        world.simulator.faults.arm("VirtualMachineScaleSets_Update", no, times=1)
        done = run(world, tmp_path, "--once", "--log-format", "json")
    lines = [json.loads(line) for line in done.err]
    ids = [line for line in lines if "azureRequestId" in line]
    assert sorted((line["level"], line["reason"]) for line in ids) == [
        ("info", "ModelDrift"),
        ("warning", "Refused"),
    ]
    for line in ids:
        assert len({UUID(line[name]) for name in ("clientRequestId", "azureRequestId")}) == 2
        assert UUID(line["azureCorrelationId"])
    assert len({line["azureRequestId"] for line in ids}) == 2


@pytest.mark.parametrize("level, expected", [("info", 3), ("warning", 1), ("error", 0)])
def test_the_log_has_the_lines_of_the_level_and_above(level: str, expected: int, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("batch"))
    with azure(scale_set("batch", capacity=5, mode="Automatic")) as world:
        done = run(world, tmp_path, "--once", "--log-level", level)
    assert len(done.err) + bool(done.announced) == expected


def test_the_traceback_of_a_bug_is_in_the_json_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.Logger("test")
    log.addHandler(log_lines("json"))
    try:
        raise RuntimeError("two\nlines")
    except RuntimeError:
        log.exception("a bug")
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert (found["level"], found["msg"]) == ("error", "a bug")
    assert found["exception"].endswith("RuntimeError: two\nlines")
