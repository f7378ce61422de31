"""`reconciler why`: of one scale set, from the daemon's board or from a look of its own."""

from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.why import explained
from tests.cli.program import azure, reconciler, write_specs
from tests.stories.world import NEW, OLD, platform, scale_set, spec

ROW: dict[str, Any] = {
    "name": "web",
    "standing": "Failing",
    "reason": "HealthCheckFailed",
    "message": "update domain 0: web_0 (unhealthy)",
    "image": "Canonical:ubuntu:server:1.2.3",
    "commit": "91eab1ad9c53",
    "at": "2026-01-05T09:00:00+00:00",
    "instances": {
        "total": 4,
        "upToDate": 1,
        "away": 1,
        "domains": [
            {"domain": "update domain 0", "total": 1, "upToDate": 1, "away": 1},
            {"domain": "update domain 1", "total": 2, "upToDate": 0, "away": 0},
            {"domain": "update domain 2", "total": 1, "upToDate": 1, "away": 0},
        ],
    },
}


def test_one_scale_set_is_explained_in_a_few_lines() -> None:
    assert explained(ROW).splitlines() == [
        "web: Failing",
        "HealthCheckFailed: update domain 0: web_0 (unhealthy)",
        "because   instances that were upgraded are not back and healthy within `health.timeout`, so no other is touched",
        "goes on   by itself, once they are healthy; or merge a fix, which goes to the sick first and at once",
        "declared  Canonical:ubuntu:server:1.2.3, by commit 91eab1ad9c",
        "instances 1 of 4 up to date, 1 away",
        "          update domain 0: 1 of 1 up to date, 1 away",
        "          update domain 1: 0 of 2 up to date, 0 away",
        "seen      2026-01-05 09:00:00 UTC",
    ]


def test_one_that_was_not_looked_at_yet() -> None:
    row = ROW | {"standing": None, "reason": None, "instances": None, "at": None, "commit": ""}
    assert explained(row).splitlines() == [
        "web: not looked at yet",
        "declared  Canonical:ubuntu:server:1.2.3",
    ]


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        pytest.param("web", 0, "UpToDate: all 2 instances run ", id="one that is there"),
        pytest.param("wbe", 1, "error: no spec in force is named 'wbe': did you mean web?", id="a slip"),
        pytest.param(
            "x", 1, "error: no spec in force is named 'x': `reconciler status` lists them", id="no name"
        ),
    ],
)
def test_without_a_daemon_it_looks_itself(tmp_path: Path, name: str, code: int, told: str) -> None:
    write_specs(tmp_path / "specs", spec("web", NEW), spec("api", OLD))
    with azure(scale_set("web", capacity=2, image=platform(NEW)), scale_set("api", capacity=2)) as served:
        done = reconciler("why", name, "--server", "http://127.0.0.1:9", env=served.environment, cwd=tmp_path)
    assert done.code == code
    assert any(line.startswith(told) for line in (*done.out, *done.err)), done
