"""What a sweep logs about the fleet: each thing once when it begins, and once when it ends."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from reconciler.azure.failure import Unreachable
from reconciler.daemon.in_force import Behind, InForce, RefusedCommit
from reconciler.daemon.interfaces import DeclaredSpecs
from reconciler.daemon.orphan import Orphan
from reconciler.daemon.store import Sweep
from reconciler.daemon.sweep_lines import Line, commit_lines, orphan_lines, sweep_lines
from reconciler.rollout.pause import FleetPause, Pause
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.shard import Shard
from tests.build import NOW, spec

INFO, WARNING, ERROR = logging.INFO, logging.WARNING, logging.ERROR
CALM = Sweep(NOW, "a1", "merge 1")
BAD = RefusedCommit("b2b2b2b2b2b2", "merge 2", "ada", "web.yaml:3: no", 1)


@dataclass(frozen=True)
class Declared:
    """Specs in force. `behind` has the names of the scale sets that keep an earlier declaration."""

    commit: str = "a1"
    subject: str = "merge 1"
    names: tuple[str, ...] = ("db", "web")
    behind: tuple[str, ...] = ()
    in_force_since: datetime | None = NOW
    refused: RefusedCommit | None = None
    shard: Shard | None = None
    total: int = 2

    @property
    def scale_sets(self) -> tuple[ScaleSet, ...]:
        return tuple(map(spec, self.names))

    @property
    def in_force(self) -> tuple[InForce, ...]:
        late = Behind(BAD, BAD.error, 1, None, (BAD.commit, NOW))
        origin = (self.commit, NOW)
        return tuple(
            InForce(spec(each), self.commit, origin, late if each in self.behind else None)
            for each in self.names
        )

    def __str__(self) -> str:
        return f"commit {self.commit} ({self.subject})"


def specs(**changes: Any) -> DeclaredSpecs:
    return cast(DeclaredSpecs, Declared(**changes))


def sweep(**changes: Any) -> Sweep:
    return replace(CALM, **changes)


@pytest.mark.parametrize(
    ("changes", "before", "lines"),
    [
        pytest.param({}, None, ["commit a1 (merge 1) in force: 2 scale sets"], id="at the start"),
        pytest.param({}, CALM, [], id="the same commit"),
        pytest.param(
            {},
            sweep(commit="00"),
            ["commit a1 (merge 1) in force: 2 scale sets"],
            id="another commit",
        ),
        pytest.param(
            {},
            sweep(subject="merge 0"),
            ["commit a1 (merge 1) in force: 2 scale sets"],
            id="another subject",
        ),
        pytest.param({"in_force_since": None}, None, [], id="none is in force yet"),
        pytest.param(
            {"names": ("web",), "shard": Shard("emea", subscriptions=("1111",))},
            None,
            ["commit a1 (merge 1) in force: 1 scale set of 2, by shard emea (subscription 1111)"],
            id="in a shard",
        ),
    ],
)
def test_a_commit_is_logged_when_it_comes_into_force(
    changes: dict[str, Any], before: Sweep | None, lines: list[str]
) -> None:
    assert list(commit_lines(specs(**changes), before)) == [Line(INFO, each) for each in lines]


ORPHAN = Orphan("old", "s/g/old", "1.2.3", NOW, 1, 2, NOW)
LOST = Line(WARNING, f"old: Orphaned: {ORPHAN.message}")
FOUND = Line(INFO, "old: no longer Orphaned")


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        pytest.param(None, (ORPHAN,), [LOST], id="at the start"),
        pytest.param((), (ORPHAN,), [LOST], id="a new one"),
        pytest.param((ORPHAN,), (replace(ORPHAN, up_to_date=2),), [], id="a known one"),
        pytest.param((ORPHAN,), (), [FOUND], id="one that ended"),
        pytest.param(None, (), [], id="none"),
    ],
)
def test_an_orphan_is_logged_when_it_begins_and_when_it_ends(
    before: tuple[Orphan, ...] | None, now: tuple[Orphan, ...], lines: list[Line]
) -> None:
    known = None if before is None else sweep(orphans=before)
    assert list(orphan_lines(sweep(orphans=now), known)) == lines


LIST = {"subscription s": Unreachable("the request was lost")}
UNREAD = ("web.yaml:3: no",)
STAYS = Line(ERROR, "commit a1 (merge 1) remains in force")


@pytest.mark.parametrize(
    ("before", "now", "declared", "lines"),
    [
        pytest.param(CALM, CALM, {}, [], id="nothing is wrong"),
        pytest.param(CALM, {"spec_errors": UNREAD}, {}, [Line(ERROR, UNREAD[0]), STAYS], id="a new error"),
        pytest.param({"spec_errors": UNREAD}, {"spec_errors": UNREAD}, {}, [], id="a known error"),
        pytest.param(
            None,
            {"spec_errors": UNREAD},
            {"in_force_since": None},
            [Line(ERROR, UNREAD[0])],
            id="nothing is in force",
        ),
        pytest.param(
            CALM, {"lists": LIST}, {}, [Line(ERROR, f"subscription s: {LIST['subscription s']}")], id="a list"
        ),
        pytest.param(
            {"spec_errors": UNREAD, "lists": LIST},
            {"lists": LIST},
            {},
            [],
            id="a list still fails",
        ),
        pytest.param(
            {"lists": LIST},
            CALM,
            {},
            [Line(INFO, "specs and scale set listing recovered")],
            id="all recovered",
        ),
        pytest.param(
            CALM,
            {"spec_errors": UNREAD},
            {"refused": BAD, "behind": ("web",)},
            [
                Line(ERROR, UNREAD[0]),
                Line(
                    ERROR,
                    "commit b2b2b2b2b2 (merge 2) by ada is refused for web; its last good declaration remains "
                    "in force",
                ),
            ],
            id="a commit refused in part",
        ),
        pytest.param(
            CALM,
            {"spec_errors": UNREAD},
            {"refused": BAD, "names": ("a", "db", "web"), "behind": ("db", "web")},
            [
                Line(ERROR, UNREAD[0]),
                Line(
                    ERROR,
                    "commit b2b2b2b2b2 (merge 2) by ada is refused for db, web; their last good "
                    "declarations remain in force",
                ),
            ],
            id="a commit refused for two",
        ),
        pytest.param(
            CALM,
            {"spec_errors": UNREAD},
            {"refused": replace(BAD, commit=""), "behind": ("db", "web")},
            [
                Line(ERROR, UNREAD[0]),
                Line(ERROR, "the newest specs in merge 2 are refused; commit a1 (merge 1) remains in force"),
            ],
            id="specs refused whole",
        ),
        pytest.param(
            CALM,
            {"spec_errors": UNREAD},
            {"refused": BAD},
            [
                Line(ERROR, UNREAD[0]),
                Line(
                    ERROR,
                    "commit b2b2b2b2b2 (merge 2) by ada is in force except for the documents with errors",
                ),
            ],
            id="a commit that concerns no scale set in force",
        ),
        pytest.param(
            {"refused": BAD},
            {"spec_errors": UNREAD, "refused": BAD},
            {"refused": BAD, "behind": ("web",)},
            [Line(ERROR, UNREAD[0]), STAYS],
            id="a new error beside a commit that was refused before",
        ),
        pytest.param(
            {"warnings": ("old",)}, {"warnings": ("new", "old")}, {}, [Line(WARNING, "new")], id="a warning"
        ),
        pytest.param(
            CALM,
            {"stale_since": NOW},
            {},
            [
                Line(
                    ERROR,
                    "the specs have been unreadable since 2026-01-05 09:00 UTC; no rollout will begin until "
                    "they can be read again",
                )
            ],
            id="stale specs",
        ),
        pytest.param({"stale_since": NOW}, {"stale_since": NOW}, {}, [], id="still stale"),
    ],
)
def test_an_error_is_logged_when_it_begins_and_when_it_ends(
    before: Sweep | dict[str, Any] | None,
    now: Sweep | dict[str, Any],
    declared: dict[str, Any],
    lines: list[Line],
) -> None:
    known = sweep(**before) if isinstance(before, dict) else before
    found = sweep(**now) if isinstance(now, dict) else now
    assert list(sweep_lines(found, known, specs(**declared))) == lines


FREE, HELD = FleetPause(), FleetPause(Pause("incident", "ada"))
UNKNOWN, UNREADABLE = FleetPause(unknown="Azure is down"), FleetPause(unread_since=NOW)
PAUSED = Line(WARNING, "the fleet is paused by ada (incident)")


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        pytest.param(None, FREE, [], id="not paused at the start"),
        pytest.param(FREE, HELD, [PAUSED], id="paused"),
        pytest.param(HELD, HELD, [], id="still paused"),
        pytest.param(HELD, FREE, [Line(INFO, "the fleet is no longer paused")], id="resumed"),
        pytest.param(
            FREE,
            UNKNOWN,
            [Line(ERROR, "the fleet counts as paused, because Azure is down")],
            id="never read",
        ),
        pytest.param(UNKNOWN, UNKNOWN, [], id="still never read"),
        pytest.param(UNKNOWN, HELD, [PAUSED], id="read at last, and paused"),
        pytest.param(UNKNOWN, FREE, [Line(INFO, "the pause tag can be read again")], id="read at last"),
        pytest.param(
            FREE,
            UNREADABLE,
            [
                Line(
                    ERROR,
                    "the pause tag has been unreadable since 2026-01-05 09:00 UTC; no serving instance will "
                    "be upgraded until it can be read again",
                )
            ],
            id="unreadable",
        ),
        pytest.param(
            UNREADABLE, replace(UNREADABLE, unread_since=NOW + timedelta(hours=1)), [], id="still unreadable"
        ),
        pytest.param(UNREADABLE, FREE, [Line(INFO, "the pause tag can be read again")], id="readable again"),
    ],
)
def test_a_pause_of_the_fleet_is_logged_when_it_begins_and_when_it_ends(
    before: FleetPause | None, now: FleetPause, lines: list[Line]
) -> None:
    known = None if before is None else sweep(fleet_pause=before)
    assert list(sweep_lines(sweep(fleet_pause=now), known, specs())) == lines
