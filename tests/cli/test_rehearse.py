"""`reconciler rehearse`, as it is typed: what it prints, how it ends, and that it changes nothing."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.rollout.reason import Reason
from tests.cli.program import ROOT, Ended, azure, reconciler, write_specs
from tests.stories.world import NEW, OLD, fleet, of_all, scale_set, spec

Json = dict[str, Any]

SCHEMA = json.loads((ROOT / "schemas" / "rehearsal.schema.json").read_text())
ALL = of_all(maxChange="100%")
HALT = (
    "HealthCheckFailed: web_0 (unhealthy) in update domain 0 did not become healthy within 10m; the "
    "rollout is on hold until web_0 recovers"
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a fleet of one scale set, and its spec."""
    monkeypatch.chdir(tmp_path)
    write(scale_set(capacity=2))
    write_specs(tmp_path / "specs", ALL, spec())
    return tmp_path


def write(*scale_sets: Mapping[str, Any]) -> None:
    described = fleet(*scale_sets, timings={"upgrade": "130s", "boot": "20s", "health": "30s"})
    Path("fleet.yaml").write_text(yaml.safe_dump(described))


def rehearse(*options: str) -> Ended:
    line = ["rehearse", "--fleet", "fleet.yaml", *options]
    runner = CliRunner(env={"AZURE_TOKEN_CREDENTIALS": "prod"})
    done = runner.invoke(main, line, catch_exceptions=False)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def timeless(lines: list[str]) -> list[str]:
    """Without the moments, which are those of the clock on the wall."""
    moment = re.compile(r"(\w{3} \d{4}-\d\d-\d\d )?\d\d:\d\d( UTC)?")
    length = re.compile(r"\((\d+h)?\d+m\)")  # between two of them, as they are shown
    return [length.sub("(…)", moment.sub("…", line)) for line in lines]


@pytest.mark.usefixtures("here")
def test_a_rehearsal_that_reaches_the_declared_state() -> None:
    done = rehearse()
    assert (done.code, done.err) == (0, [])
    assert timeless(done.out) == [
        f"1 scale set, 2 instances: ubuntu-24_04-lts server {OLD} → {NEW}",
        "As of …, it begins at once and ends about … (…).",
        "At worst, 1 of 2 (50%) unavailable in web at ….",
        "",
        "web: … to … (…); 2 instances in 2 batches of 1, one for each update domain (maxBatch 20% is 1 of 2); at "
        "most 1 of 2 (50%) unavailable; 3m for each batch, as measured",
        f"  …  ModelDrift: changing the model's image from {OLD} to {NEW}",
        f"  …  Upgrading: upgrading 1 instance in update domain 0 (web_0) to {NEW}; 0 of 2 instances up to date",
        f"  …  Upgrading: upgrading 1 instance in update domain 1 (web_1) to {NEW}; 1 of 2 instances up to date",
        f"  …  UpToDate: both instances run {NEW}",
        "",
        "rehearsed 1 scale set for 7m; 1 as declared",
    ]


@pytest.mark.usefixtures("here")
def test_a_rehearsal_that_halts_says_why_and_what_to_do() -> None:
    done = rehearse("--fault", "unhealthy:1%", "--seed", "0")
    assert (done.code, done.err) == (1, [])
    shown = timeless(done.out)
    assert shown[1:5] == [
        "As of …, it begins at once and does not complete: its last batch begins about ….",
        "At worst, 1 of 2 (50%) unavailable in web at ….",
        "",
        f"! web: {HALT}; next step: {Reason.HEALTH_CHECK_FAILED.meaning.remedy}",
    ]
    assert any(line.startswith(f"  …  {HALT}") for line in shown)
    assert shown[-2:] == [
        "unhealthy:1%: web_0",
        "rehearsed 1 scale set for 3h14m; 0 as declared; 1 not: 1 HealthCheckFailed",
    ]


@pytest.mark.usefixtures("here")
def test_a_fix_that_the_message_names_is_not_repeated() -> None:
    write(scale_set(capacity=2, mode="Automatic"))
    done = rehearse()
    assert done.code == 1
    (line,) = [each for each in done.out if each.startswith("! ")]
    assert line.endswith("as the model changes; set upgradePolicy.mode to Manual")


@pytest.mark.usefixtures("here")
def test_a_fault_that_finds_too_few_instances_says_so() -> None:
    assert "stuck:99: only 2 of 99: web_0, web_1" in rehearse("--fault", "stuck:99").out


def test_many_scale_sets_are_grouped_like_a_plan(here: Path) -> None:
    names = [f"s{number:02}" for number in range(12)]
    write(*(scale_set(name, capacity=1) for name in names))
    write_specs(here / "specs", *(spec(name, wave=number // 6) for number, name in enumerate(names)))
    (here / "specs" / "web.yaml").unlink()
    done = rehearse()
    assert done.code == 0
    groups = [line for line in done.out if " scale sets, " in line and "; each " in line]
    assert len(groups) < len(names)
    assert done.out[-1].endswith("; 12 as declared")
    assert done.out[4].startswith("WAVE ")


@pytest.mark.usefixtures("here")
def test_a_rehearsal_as_a_comment_on_a_pull_request() -> None:
    done = rehearse("-o", "markdown", "--fault", "stuck:1")
    assert done.code == 1
    assert done.out[0].startswith("**rehearsed 1 scale set for ")
    assert "<details><summary>web: " in "\n".join(done.out)
    assert "| Time | What |" in done.out


@pytest.mark.usefixtures("here")
def test_a_rehearsal_as_json() -> None:
    done = rehearse("-o", "json", "--fault", "unhealthy:1%", "--fault", "throttle", "--seed", "7")
    found: Json = json.loads("\n".join(done.out))
    jsonschema.validate(found, SCHEMA)
    assert done.code == 1
    assert (found["seed"], found["isAsDeclared"], found["stoppedAfter"]) == (7, False, None)
    assert [each["fault"] for each in found["faults"]] == ["unhealthy:1%", "throttle"]
    assert found["summary"]["halted"] == 1
    assert [(each["reason"], each["scaleSets"]) for each in found["halts"]] == [
        ("HealthCheckFailed", ["web"])
    ]
    (row,) = found["scaleSets"]
    assert (row["name"], row["isAsDeclared"]) == ("web", False)
    assert row["timeline"][-1]["kind"] == "halt"


def test_an_approval_and_skipped_checks_are_named(here: Path) -> None:
    check = {"name": "errors", "http": {"url": "https://example.com/ok"}}
    write_specs(here / "specs", spec(rollout={"approval": "start", "checks": [check]}))
    done = rehearse()
    assert done.code == 0
    assert done.out[-3:-1] == ["approvals given at once: web", "skipped: check errors"]


@pytest.mark.parametrize(
    "options, error",
    [
        pytest.param(
            ["--fault", "fire"],
            "error: Invalid value for '--fault': 'fire' is not a fault; choose one of unhealthy:2%, throttle, "
            "stuck:1, evict:1",
            id="an unknown fault",
        ),
        pytest.param(
            ["--fault", "unhealthy:200%"],
            "error: Invalid value for '--fault': 'unhealthy:200%' is more than all instances; write at most "
            "unhealthy:100%",
            id="more than a hundred percent",
        ),
        pytest.param(
            ["--fault", "stuck:1", "--fault", "stuck:2"],
            "error: --fault stuck is given twice; give it once, with the total amount",
            id="a fault twice",
        ),
        pytest.param(
            ["--fault", "evict:1"],
            "error: --fault evict:1: no scale set of the fleet has Spot instances",
            id="an eviction without Spot instances",
        ),
        pytest.param(
            ["--seed", "x"],
            "error: Invalid value for '--seed': 'x' is not a valid integer.",
            id="a seed that is no number",
        ),
        pytest.param(
            ["--fleet", "nowhere.yaml"],
            "error: nowhere.yaml: No such file or directory; pass a fleet file that can be read",
            id="a fleet file that does not exist",
        ),
        pytest.param(["--fleet", ""], "error: --fleet is empty; set a value, or omit it", id="an empty path"),
        pytest.param(
            ["--fleet", "specs/web.yaml"],
            "specs/web.yaml:1:1: apiVersion is not a known field: ",
            id="a file that is no fleet",
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_wrong_usage_ends_with_2(options: list[str], error: str) -> None:
    done = rehearse(*options)
    assert (done.code, done.out) == (2, [])
    assert any(error in line for line in done.err), done.err


def test_errors_in_specs_end_it(here: Path) -> None:
    write_specs(here / "specs", spec(wave="first"))
    done = rehearse()
    assert (done.code, done.out) == (1, [])
    assert (
        done.err[-1]
        == "error: nothing was rehearsed: the specs have errors or cannot be read; fix them first"
    )


def test_specs_without_a_scale_set_need_no_rehearsal(here: Path) -> None:
    (here / "specs" / "web.yaml").unlink()
    assert rehearse() == Ended(0, ["no scale set is declared"], [])


def test_the_live_fleet_is_rehearsed_and_left_as_it_is(tmp_path: Path) -> None:
    with azure(scale_set(capacity=2)) as served:
        write_specs(tmp_path / "specs", ALL, spec(), spec("gone"))
        done = reconciler("rehearse", "-o", "json", env=served.environment, cwd=tmp_path)
        assert done.code == 1
        assert done.announced == served.announcement
        assert done.err == [
            "error: gone: Azure has no such scale set",
            "1 scale set, 2 instances; nothing left out",
        ]
        rows = {each["name"]: each for each in json.loads("\n".join(done.out))["scaleSets"]}
        assert (rows["web"]["reason"], rows["gone"]["reason"]) == ("UpToDate", "NotFound")
        assert (served.images("web"), served.writes()) == ({OLD}, 0)


def test_a_snapshot_is_rehearsed_like_the_live_fleet(tmp_path: Path) -> None:
    with azure(scale_set(capacity=2)) as served:
        write_specs(tmp_path / "specs", ALL, spec())
        printed = reconciler("snapshot", env=served.environment, cwd=tmp_path)
        (tmp_path / "fleet.yaml").write_text("\n".join(printed.out))
        live = reconciler("rehearse", env=served.environment, cwd=tmp_path)
        copy = reconciler("rehearse", "--fleet", "fleet.yaml", env=served.environment, cwd=tmp_path)
    assert timeless(copy.out) == timeless(live.out)
    assert (copy.code, copy.announced) == (0, "")


WITHOUT_SIMULATOR = """
import sys
sys.modules["reconciler.simulator"] = None
from reconciler.program import main
sys.argv = ["reconciler", *sys.argv[1:]]
main()
"""


@pytest.mark.usefixtures("here")
def test_an_installation_without_the_simulator_says_so() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SIMULATOR, "rehearse", "--fleet", "fleet.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the simulator is not installed; install the full package vmss-reconciler\n"
