"""A forecast in words, and its waits."""

from typing import Any

import pytest

from reconciler.cli.acts.why import explanation
from reconciler.cli.forecast import headline
from reconciler.cli.plan_group import Group, waits
from reconciler.rollout.reason import Status, reasons_where
from tests.cli.test_why import ROW

SEEN = "2026-01-05T09:00:00+00:00"


def batch(number: int, minute: int, instances: int = 4, **changes: Any) -> dict[str, Any]:
    return {
        "domain": f"update domain {number}",
        "instances": instances,
        "at": f"2026-01-05T{9 + minute // 60:02}:{minute % 60:02}:00+00:00",
        "canary": False,
    } | changes


def row(*batches: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A scale set of 20 that is to change, done at 09:21:30."""
    forecast: dict[str, Any] = {
        "batches": list(batches),
        "worstLoss": {"instances": 4, "of": 20},
        "maxBatch": {"declared": "20%", "instances": 4},
        "patches": 1,
        "begins": SEEN,
        "ends": "2026-01-05T09:21:30+00:00",
        "seconds": 1290,
        "assumedBatchSeconds": 180,
        "isMeasured": False,
        "healthTimeoutSeconds": 600,
        "waits": [],
        "endsWith": "UpToDate",
    }
    return {"name": "web", "at": SEEN, "forecast": forecast | changes}


def hold(reason: str, at: str, until: str | None = None) -> dict[str, Any]:
    return {"reason": reason, "at": f"2026-01-05T{at}:00+00:00", "until": until and f"{until}:00+00:00"}


FIVE = [batch(number, 3 * number) for number in range(5)]
APPROVAL = hold("AwaitingApproval", "09:05")
END = "at most 4 of 20 (20%) unavailable; 1 patch, 5 upgrades (assuming 3m for each batch)"


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        pytest.param(row(*FIVE), f"20 instances in 5 batches, about 22m, done by 09:22 UTC; {END}", id="a whole rollout"),
        pytest.param(
            row(*FIVE, ends="2026-01-10T02:21:00+00:00"),
            f"20 instances in 5 batches, about 22m, done by Sat 2026-01-10 02:21 UTC; {END}",
            id="an end on another day",
        ),
        pytest.param(
            row(*FIVE, ends=None, waits=[APPROVAL]),
            f"20 instances in 5 batches, about 22m; {END}",
            id="an unknown end",
        ),
        pytest.param(
            row(*FIVE, waits=[
                hold("Soaking", "09:03", "2026-01-05T09:08"),
                hold("Soaking", "09:09", "2026-01-05T09:14"),
                hold("Baking", "09:15", "2026-01-05T09:16"),
            ]),
            f"20 instances in 5 batches, about 22m (11m of it soak), done by 09:22 UTC; {END}",
            id="a rollout with soak",
        ),
        pytest.param(
            row(
                batch(0, 0, 1), batch(1, 3, 1), batch(2, 6, 1),
                worstLoss={"instances": 1, "of": 3}, maxBatch={"declared": "20%", "instances": 1},
            ),
            "3 instances in 3 batches (maxBatch 20% is 1 of 3), about 22m, done by 09:22 UTC; "
            "at most 1 of 3 (33%) unavailable; 1 patch, 3 upgrades (assuming 3m for each batch)",
            id="the value of a percentage for few instances",
        ),
        pytest.param(
            row(*FIVE, maxBatch={"declared": "4", "instances": 4}, patches=0, isMeasured=True),
            "20 instances in 5 batches, about 22m, done by 09:22 UTC; at most 4 of 20 (20%) unavailable; "
            "5 upgrades (3m for each batch, as measured)",
            id="measured batches",
        ),
        pytest.param(
            row(seconds=40),
            "no instance to upgrade, about 40s, done by 09:22 UTC; 1 patch (assuming 3m for each batch)",
            id="no batches",
        ),
        pytest.param(
            row(batch(0, 0, 1), endsWith="InstancesLeftOut", patches=2),
            "1 instance in 1 batch, about 22m, done by 09:22 UTC; at most 4 of 20 (20%) unavailable; "
            "2 patches, 1 upgrade; then InstancesLeftOut (assuming 3m for each batch)",
            id="instances that are left out",
        ),
        pytest.param(
            row(*FIVE, endsWith="DeadlineExceeded"),
            "20 instances in 5 batches, about 22m, blocked from 09:22 UTC; at most 4 of 20 (20%) unavailable; "
            "1 patch, 5 upgrades; then DeadlineExceeded (assuming 3m for each batch)",
            id="an end that is not success",
        ),
        pytest.param(
            row(*FIVE, endsWith=None, ends=None, seconds=7 * 86_400),
            "20 instances in 5 batches, about 7 days; at most 4 of 20 (20%) unavailable; 1 patch, 5 upgrades; "
            "nothing is forecast after these batches (assuming 3m for each batch)",
            id="no end in sight",
        ),
    ],
)  # fmt: skip
def test_the_headline(shown: dict[str, Any], told: str) -> None:
    assert headline(shown) == told


def test_why_includes_the_forecast() -> None:
    told = explanation(ROW | row(*FIVE)).splitlines()
    assert f"forecast    20 instances in 5 batches, about 22m, done by 09:22 UTC; {END}" in told


@pytest.mark.parametrize("reason", sorted(reasons_where(lambda meaning: meaning.status is Status.WAITING)))
def test_every_wait_has_a_line(reason: str) -> None:
    (told,) = waits(Group((row(waits=[hold(reason, "09:00")]),)), SEEN)
    assert told.startswith("begins ")


def test_unknown_reasons_of_a_newer_daemon_are_ignored() -> None:
    new = hold("NotKnownYet", "09:00", "2026-01-05T10:00")
    shown = row(*FIVE, waits=[new], endsWith="NotKnownEither")
    assert waits(Group((shown,)), SEEN) == waits(Group((row(*FIVE),)), SEEN) == []
    assert headline(shown) == (
        "20 instances in 5 batches, about 22m, blocked from 09:22 UTC; at most 4 of 20 (20%) unavailable; "
        "1 patch, 5 upgrades; then NotKnownEither (assuming 3m for each batch)"
    )
