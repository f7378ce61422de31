"""`reconciler status --instances`: every instance, whatever it runs, and an error for what is not read."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.instance_rows import COLUMNS, instance_rows
from tests.build import NEW as NEW_IMAGE
from tests.build import NOW, instance, model, outdated
from tests.build import spec as built
from tests.cli.program import Azure, azure, reconciler, write_specs
from tests.stories.world import NEW, OLD, platform, scale_set, spec


@pytest.fixture(scope="module")
def fleet() -> Iterator[Azure]:
    states = [{"id": "1", "image": platform(NEW)}, {"id": "2", "power": "deallocated"}]
    with azure(scale_set("web", capacity=3, instanceStates=states), scale_set("api", capacity=1)) as served:
        yield served


def test_a_row_for_every_instance_as_csv(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"), spec("api", version=OLD))
    done = reconciler("status", "--instances", "-o", "csv", env=fleet.environment, cwd=tmp_path)
    rows = list(csv.DictReader(done.out))
    assert (done.code, done.err, tuple(rows[0])) == (0, [], COLUMNS)
    assert [(row["instance"], row["image"].rpartition(":")[2], row["upToDate"]) for row in rows] == [
        ("api_0", OLD, "true"),
        ("web_0", OLD, "false"),
        ("web_1", NEW, "true"),
        ("web_2", OLD, "false"),
    ]
    assert {row["declaredImage"].rpartition(":")[2] for row in rows[1:]} == {NEW}
    last = rows[3]
    assert (last["scaleSet"], last["resourceGroup"]) == ("web", "shop")
    assert (last["protected"], last["leftOut"]) == ("false", "deallocated")
    assert (last["provisioningState"], last["powerState"]) == ("succeeded", "deallocated")
    assert int(last["ageSeconds"]) >= 0
    assert last["since"]


@pytest.mark.parametrize(
    "options, names",
    [
        pytest.param(["web"], {"web"}, id="a name"),
        pytest.param(["--image", OLD], {"web", "api"}, id="the image of the model or the declared one"),
        pytest.param(["--image", NEW], {"web"}, id="the declared image"),
        pytest.param(
            ["--subscription", "11111111-1111-1111-1111-111111111111"], {"web", "api"}, id="a place"
        ),
        pytest.param(["--status", "ready"], {"api"}, id="a status, without a daemon"),
    ],
)
def test_the_filters_apply(options: list[str], names: set[str], fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"), spec("api", version=OLD))
    done = reconciler("status", "--instances", "-o", "json", *options, env=fleet.environment, cwd=tmp_path)
    rows = json.loads("\n".join(done.out))
    assert (done.code, {row["scaleSet"] for row in rows}) == (0, names)


def test_a_scale_set_that_cannot_be_read_is_an_error_and_the_others_are_printed(
    fleet: Azure, tmp_path: Path
) -> None:
    write_specs(tmp_path / "specs", spec("web"), spec("gone"))
    done = reconciler("status", "--instances", "-o", "json", env=fleet.environment, cwd=tmp_path)
    assert done.code == 1
    assert len(done.err) == 1
    assert done.err[0].startswith("error: gone: there is no scale set /subscriptions/")
    assert len(json.loads("\n".join(done.out))) == 3


def test_no_scale_set_that_fits_is_an_error(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"))
    line = ("status", "--instances", "-o", "csv", "--image", "1.2.3")
    done = reconciler(*line, env=fleet.environment, cwd=tmp_path)
    assert (done.code, done.out) == (1, [])
    assert done.err == [
        "error: no scale set matches; run `reconciler status` without names or filters to see all of them"
    ]


def test_specs_with_an_error_are_an_error(fleet: Azure, tmp_path: Path) -> None:
    write_specs(tmp_path / "specs", spec("web"))
    (tmp_path / "specs" / "api.yaml").write_text("kind: [")
    done = reconciler("status", "--instances", "-o", "json", env=fleet.environment, cwd=tmp_path)
    assert done.code == 1
    assert done.err[0].startswith("error: specs/api.yaml:")


@pytest.mark.parametrize(
    "found, left_out",
    [
        pytest.param(instance(0), None, id="up to date"),
        pytest.param(outdated(0), None, id="outdated, and an upgrade reaches it"),
        pytest.param(outdated(0, protected=True), "protected from scale set actions", id="protected"),
        pytest.param(outdated(0, power="deallocated"), "deallocated", id="deallocated"),
        pytest.param(outdated(0, image=None), "Azure reports no image", id="without a known image"),
        pytest.param(instance(0, is_attached=True), "attached by hand", id="attached"),
        pytest.param(instance(0, provisioning="deleting"), "being deleted", id="being deleted"),
    ],
)
def test_what_is_left_out_has_its_reason(found: Any, left_out: str | None) -> None:
    (row,) = instance_rows(built(), built(), model(), [found], NOW)
    assert row["leftOut"] == left_out


def test_while_latest_is_unknown_nothing_counts_as_up_to_date_or_not() -> None:
    (row,) = instance_rows(built(), None, model(), [instance(0)], NOW)
    assert (row["upToDate"], row["declaredImage"]) == (None, str(NEW_IMAGE))
