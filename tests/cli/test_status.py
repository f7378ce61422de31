"""`reconciler status`, looking for itself where no daemon runs. Asked of a daemon: tests/cli/test_daemon.py."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Azure, azure, reconciler, write_specs
from tests.stories.world import NEW, OLD, platform, scale_set, spec

NOBODY = ("--server", "http://127.0.0.1:1")
ALONE = "no daemon responds at http://127.0.0.1:1; this is a dry run, steps are shown and not taken"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Azure]:
    states = [{"id": each, "image": platform(OLD)} for each in ("1", "2")]
    with azure(
        scale_set("web", capacity=5), scale_set("api", capacity=3, image=platform(NEW), instanceStates=states)
    ) as served:
        yield served


def test_a_table_of_the_status_of_every_scale_set(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web", suspend=True), spec("api"))
    done = reconciler("status", *NOBODY, env=fleet.environment, cwd=tmp_path)
    heading, *table = done.out
    assert (done.code, done.err, fleet.writes()) == (0, [ALONE], 0)
    assert heading.endswith(" UTC, specs")
    assert table == [
        "SCALE SET  STATUS       UP TO DATE  DOMAINS  WHY",
        f"api        Reconciling  1/3         ●◐○      Upgrading: upgrading 1 instance in update domain 1 to {NEW} (api_1); 1 of 3 up to date",
        "web        Suspended    0/5         ○○○○○    Suspended: spec.suspend is true; nothing will be changed until it is false",
        "2 scale sets: 1 Reconciling, 1 Suspended; 1 of 8 instances up to date",
    ]


def test_the_whole_store_as_json(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"))
    done = reconciler("status", "-o", "json", *NOBODY, env=fleet.environment, cwd=tmp_path)
    shown = json.loads("\n".join(done.out))
    assert (done.code, done.err) == (0, [ALONE])
    assert [(row["name"], row["status"]) for row in shown["scaleSets"]] == [("web", "Reconciling")]
    assert shown["sweep"].pop("readAt")
    assert shown["sweep"] | {"at": ""} == {
        "at": "",
        "commit": "",
        "subject": "specs",
        "errors": [],
        "warnings": [],
        "partial": False,
        "staleSince": None,
        "refused": None,
    }


def test_errors_in_the_specs_are_errors(fleet: Azure, tmp_path: Path) -> None:
    done = reconciler("status", *NOBODY, env=fleet.environment, cwd=tmp_path)
    assert (done.code, done.err) == (
        1,
        [ALONE, "error: specs: no such file or directory: check the path"],
    )
    assert [line.partition(" UTC, ")[2] for line in done.out] == ["no specs in force"]
