"""`reconciler snapshot`: the file that it prints, what it says besides, and its options."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.simulator import check_fleet
from tests.cli.program import ROOT, Azure, Ended, azure, reconciler, write_specs
from tests.stories.world import NEW, OLD, SUBSCRIPTION, of_all, platform, scale_set, spec


@pytest.fixture(scope="module")
def fleet() -> Iterator[Azure]:
    """A scale set of which everything can be said, and one whose zone cannot."""
    with azure(
        scale_set("web", capacity=3, tags={"team": "shop"}),
        scale_set("api", capacity=2, orchestration="Flexible"),
        scale_set("odd", capacity=1),
    ) as served:
        served.simulator.scale_set("odd").report_field("zones", ["9"])
        yield served


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snapshot(served: Azure, *options: str) -> Ended:
    done = CliRunner(env=served.environment).invoke(main, ["snapshot", *options], catch_exceptions=False)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def names(done: Ended) -> list[str]:
    return [each["name"] for each in yaml.safe_load("\n".join(done.out))["scaleSets"]]


def test_the_declared_scale_sets_are_printed_with_the_declared_images(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"), spec("api", image=platform(OLD)))
    done = reconciler("snapshot", env=fleet.environment, cwd=tmp_path)
    assert (done.code, done.err) == (0, ["2 scale sets, 5 instances; nothing left out"])
    assert done.out[0].startswith("# 2 scale sets, 5 instances as of 20")
    found = yaml.safe_load("\n".join(done.out))
    assert names(done) == ["api", "web"]
    assert found["images"]["platform"][0]["versions"] == [OLD, NEW]
    assert found["scaleSets"][1]["tags"] == {"team": "shop"}
    (tmp_path / "fleet.yaml").write_text("\n".join(done.out))
    assert check_fleet(tmp_path / "fleet.yaml") == []
    assert fleet.writes() == 0


def test_what_is_left_out_is_counted(fleet: Azure, here: Path) -> None:
    write_specs(here / "specs", spec("web"), spec("odd"))
    done = snapshot(fleet)
    assert (done.code, names(done)) == (0, ["web"])
    assert done.err == [
        'left out: odd: the whole scale set: \'9\' is not a zone: write "1", "2" or "3"',
        "1 scale set, 3 instances; 1 fact left out",
    ]


@pytest.mark.parametrize(
    "options, chosen",
    [
        pytest.param(["web"], ["web"], id="a spec by its name"),
        pytest.param(["*"], ["api", "web"], id="all specs"),
        pytest.param(["w*", "api"], ["api", "web"], id="a pattern and a name"),
        pytest.param(["--subscription", SUBSCRIPTION, "W*"], ["web"], id="a live scale set by a pattern"),
        pytest.param(
            ["--subscription", SUBSCRIPTION, "--resource-group", "SHOP", "api", "web"],
            ["api", "web"],
            id="live scale sets of a resource group",
        ),
    ],
)
def test_scale_sets_are_chosen_by_name(
    options: list[str], chosen: list[str], fleet: Azure, here: Path
) -> None:
    write_specs(here / "specs", spec("web"), spec("api"))
    done = snapshot(fleet, *options)
    assert (done.code, names(done)) == (0, chosen)


@pytest.mark.parametrize(
    "options, code, error",
    [
        pytest.param(
            ["wbe"], 1, "error: no spec in force is named 'wbe'; did you mean web?", id="an unknown spec"
        ),
        pytest.param(
            ["--subscription", SUBSCRIPTION, "wbe"],
            1,
            "error: no scale set is named wbe; correct the name, or omit NAMES for all scale sets",
            id="an unknown scale set",
        ),
        pytest.param(
            ["gone"], 1, "error: gone: Azure has no such scale set", id="a spec without a scale set"
        ),
        pytest.param(
            ["--resource-group", "shop"],
            2,
            "error: --resource-group needs --subscription",
            id="a resource group alone",
        ),
        pytest.param(
            ["--subscription", SUBSCRIPTION, "--specs", "specs"],
            2,
            "error: --specs and --subscription cannot be combined; use only one of them to choose the scale sets",
            id="a subscription and specs",
        ),
        pytest.param(
            ["--subscription", "banana"],
            2,
            "error: Invalid value for '--subscription': 'banana' ",
            id="no subscription",
        ),
    ],
)
def test_an_error_has_one_line(options: list[str], code: int, error: str, fleet: Azure, here: Path) -> None:
    write_specs(here / "specs", spec("web"), spec("gone"))
    done = snapshot(fleet, *options)
    assert done.code == code
    assert [line for line in done.err if line.startswith(error)], done.err


def test_errors_in_specs_end_it(fleet: Azure, here: Path) -> None:
    write_specs(here / "specs", spec("web", wave="first"))
    done = snapshot(fleet)
    assert (done.code, done.out) == (1, [])
    assert done.err[-1] == "error: nothing was read: the specs have errors or cannot be read; fix them first"


def test_specs_without_a_scale_set_are_an_error(fleet: Azure, here: Path) -> None:
    write_specs(here / "specs", of_all(maxChange="100%"))
    done = snapshot(fleet)
    assert (done.code, done.err[-1]) == (1, "error: there is no scale set to read")


def test_the_role_of_a_plan_is_sufficient(tmp_path: Path) -> None:
    role = json.loads((ROOT / "deploy" / "role-plan.json").read_text())
    write_specs(tmp_path / "specs", spec("web"), spec("api"))
    scale_sets = (scale_set("web", capacity=1), scale_set("api", capacity=1, orchestration="Flexible"))
    with azure(*scale_sets, permissions={"actions": role["Actions"]}) as served:
        done = reconciler("snapshot", env=served.environment, cwd=tmp_path)
    assert (done.code, names(done), done.err) == (
        0,
        ["api", "web"],
        ["2 scale sets, 2 instances; nothing left out"],
    )


@pytest.mark.parametrize(
    "verb, last",
    [
        pytest.param("snapshot", "0 scale sets, 0 instances; nothing left out", id="in a snapshot"),
        pytest.param(
            "rehearse",
            "error: nothing was rehearsed: not every declared scale set could be read",
            id="in a rehearsal",
        ),
    ],
)
def test_what_cannot_be_read_is_one_error(verb: str, last: str, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"), spec("api"))
    scale_sets = (scale_set("web", capacity=1), scale_set("api", capacity=1))
    with azure(*scale_sets, permissions={"actions": ["Microsoft.Compute/images/read"]}) as served:
        done = reconciler(verb, env=served.environment, cwd=tmp_path)
    assert done.code == 1
    assert done.err[-1] == last
    assert sum("AuthorizationFailed" in line for line in done.err) == 2


WITHOUT_SIMULATOR = """
import sys
sys.modules["reconciler.simulator"] = None
from reconciler.program import main
sys.argv = ["reconciler", *sys.argv[1:]]
main()
"""


def test_an_installation_without_the_simulator_says_so(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SIMULATOR, "snapshot"],
        env={**os.environ, **fleet.environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        "error: the simulator is not installed; install the full package vmss-reconciler"
    )
