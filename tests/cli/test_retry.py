"""`reconciler retry`: a person has an image tried again, by a tag of its scale sets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.rollout.persisted import Fingerprint
from reconciler.rollout.tags import persisted_state
from reconciler.spec.image import PlatformImage
from tests.cli.program import Azure, Ended, azure, write_specs
from tests.stories.world import BASE, NEW, OLD, platform, scale_set, spec

STATE = "vmss-reconciler-state"
IMAGE = PlatformImage(**BASE, version=NEW)
FAILED = f"v1;failed={Fingerprint.of(IMAGE).digest},{NEW};good={':'.join(BASE.values())}:{OLD}"
SEES = "takes effect at the next sweep"
AGAIN = (
    f"earlier failures of {NEW} no longer count, and do not keep other scale sets from beginning it; "
    f"instances that are still unhealthy on it count again; {SEES}"
)


@pytest.fixture
def world() -> Iterator[Azure]:
    """In web the new image failed and was rolled back, full has no room for a tag, later has a tag of a later version."""
    with azure(
        scale_set("full", capacity=1, tags={f"t{number}": "" for number in range(50)}),
        scale_set("later", capacity=1, tags={STATE: "v2;x"}),
        scale_set("search", capacity=1, image=platform(NEW)),
        scale_set("web", capacity=1, tags={"team": "web", STATE: FAILED}),
    ) as served:
        yield served


ALL = [spec(name) for name in ("full", "later", "search", "web")]


def retry(world: Azure, where: Path, *options: str, documents: Any = ALL) -> Ended:
    env = {**world.environment, "VMSS_RECONCILER_SPECS": str(write_specs(where / "specs", *documents))}
    done = CliRunner().invoke(main, ["retry", *options], env=env)
    return Ended.of(done.exit_code, done.stdout, done.stderr)


def test_it_writes_the_tag_and_nothing_else(world: Azure, tmp_path: Path) -> None:
    assert retry(world, tmp_path, "web") == Ended(0, [f"web: {AGAIN}"], [])
    (written,) = [each for each in world.simulator.record.requests if each.method != "GET"]
    assert set(written.body) == {"tags"}
    assert written.body["tags"]["team"] == "web"
    persisted = persisted_state(written.body["tags"])
    assert persisted.failed is None
    assert persisted.retry is not None
    assert persisted.retry.image == Fingerprint.of(IMAGE)
    assert persisted.last_good == PlatformImage(**BASE, version=OLD)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(
            ["full"],
            Ended(
                1,
                [],
                [
                    "error: full: the scale set has no room for another tag: Azure allows 50; remove one",
                ],
            ),
            id="no room for a tag",
        ),
        pytest.param(
            ["later"],
            Ended(
                1,
                [],
                [
                    f"error: later: its tag {STATE} has an unknown format; run the later version that wrote it, "
                    "or remove the tag if none did"
                ],
            ),
            id="a tag of a later version",
        ),
        pytest.param(
            ["wbe"],
            Ended(1, [], ["error: no spec in force is named 'wbe'; did you mean web?"]),
            id="an unknown name",
        ),
        pytest.param(["--image", NEW], Ended(0, [f"web: {AGAIN}"], []), id="an image by its version"),
        pytest.param(
            ["--image", f"{':'.join(BASE.values())}:{NEW}".upper()],
            Ended(0, [f"web: {AGAIN}"], []),
            id="an image by its full name in other letters",
        ),
        pytest.param(
            ["--image", "1.2.3"],
            Ended(
                1, [], ["error: no spec in force declares 1.2.3; run `reconciler status` to see the images"]
            ),
            id="an image that no spec declares",
        ),
    ],
)
def test_the_result_of_a_retry(world: Azure, tmp_path: Path, options: list[str], expected: Ended) -> None:
    assert retry(world, tmp_path, *options) == expected
    assert world.writes() == (expected.code == 0)


def test_where_nothing_waits_nothing_is_written(world: Azure, tmp_path: Path) -> None:
    done = retry(world, tmp_path, "search")
    assert done == Ended(0, [f"search: nothing to retry: every instance runs {NEW} and is serving"], [])
    assert not world.writes()


def test_scale_sets_are_retried_by_label(world: Azure, tmp_path: Path) -> None:
    web = spec("web") | {"metadata": {"name": "web", "labels": {"team": "web"}}}
    done = retry(world, tmp_path, "-l", "team=web", documents=[spec("search"), web])
    assert (done.code, done.err) == (0, [])
    assert [line.partition(":")[0] for line in done.out] == ["web"]
    assert world.writes() == 1


def test_an_image_that_failed_nowhere(world: Azure, tmp_path: Path) -> None:
    documents = [spec("search"), spec("web", OLD)]
    done = retry(world, tmp_path, "--image", OLD, documents=documents)
    assert done == Ended(0, [f"{OLD} has not failed in any scale set; nothing to retry"], [])
    assert world.writes() == 0


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="neither NAME nor --image"),
        pytest.param(["web", "--image", NEW], id="NAME and --image"),
        pytest.param(["-l", "team=web", "--image", NEW], id="--selector and --image"),
    ],
)
def test_exactly_one_of_name_and_image_is_required(world: Azure, tmp_path: Path, options: list[str]) -> None:
    done = retry(world, tmp_path, *options)
    assert done.code == 2
    assert done.err[-1] == "error: pass NAMES, --selector or --image IMAGE"


def test_for_latest_the_failed_version_is_retried(tmp_path: Path) -> None:
    latest = spec("web", "latest")
    with azure(
        scale_set("web", capacity=1, tags={STATE: FAILED}),
        images={"platform": [{**BASE, "versions": [OLD, NEW]}]},
    ) as served:
        assert retry(served, tmp_path, "web", documents=[latest]) == Ended(0, [f"web: {AGAIN}"], [])
