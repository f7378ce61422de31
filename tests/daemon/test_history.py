"""The history: which rollouts are recorded, from the outcomes of reconciles and their steps."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.daemon.history import Ending, History, RolloutRecord, history_after
from reconciler.daemon.outcome import Outcome
from reconciler.rollout.counts import DomainCounts, InstanceCounts
from reconciler.rollout.domains import Domain
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import PatchModel, Step, Upgrade
from reconciler.spec.image import Image, at_version
from reconciler.spec.scale_set import ScaleSet
from tests.build import FIX, NEW, NOW, OLD, model, spec

MINUTE = timedelta(minutes=1)
LATEST = at_version(NEW, "latest")


class Process:
    """A process that reconciles every minute, and its history."""

    def __init__(self, desired: ScaleSet | None = None, **persisted: Any) -> None:
        self.desired = desired or spec()
        self.seen: Model = model(persisted=PersistedState(**persisted))
        self.history = History()
        self.reason: Reason | None = None
        self.at = NOW - MINUTE

    def reconcile(self, reason: str, up_to_date: int | None = None, taken: Step | None = None) -> "Process":
        """A reconcile that counted this many of ten as up to date, None if it counted none."""
        self.at += MINUTE
        counted = None if up_to_date is None else counts(up_to_date)
        status = Reason(reason).meaning.status
        outcome = Outcome("web", "a1", self.at, Reason(reason), "", status, taken, counted)
        self.history = history_after(
            self.history, self.desired, self.seen, outcome, taken, before=self.reason
        )
        self.reason = self.reason if outcome.is_error else outcome.reason
        return self

    def patch(self, image: Image = NEW, was: Image = OLD, reason: str = Reason.MODEL_DRIFT) -> "Process":
        self.seen = model(image=was, persisted=self.seen.persisted)
        self.reconcile(reason, None, PatchModel(image, '"1"'))
        self.seen = model(image=image, persisted=self.seen.persisted)
        return self

    def upgrade(self, *ids: str, up_to_date: int = 0, image: Image = NEW) -> "Process":
        return self.reconcile(Reason.UPGRADING, up_to_date, Upgrade(ids, image))

    def declare(self, image: Image) -> "Process":
        self.desired = spec(image=image)
        return self

    @property
    def told(self) -> list[str]:
        return [each.message for each in self.history.records]

    @property
    def record(self) -> RolloutRecord:
        """The only one there is."""
        (record,) = self.history.records
        return record


def counts(up_to_date: int) -> InstanceCounts:
    return InstanceCounts((DomainCounts(Domain("", "", 0, "update domain"), 10, up_to_date, up_to_date, 0),))


OLDER, NEWER = OLD.version, NEW.version


@pytest.mark.parametrize(
    ("process", "told"),
    [
        pytest.param(Process().reconcile(Reason.UP_TO_DATE, 10), [], id="no rollout"),
        pytest.param(
            Process().patch().upgrade("0", "1").reconcile(Reason.WAITING_FOR_INSTANCES, 2),
            [f"{OLDER} to {NEWER}: in progress; 2 instances in 1 batch"],
            id="a rollout in progress",
        ),
        pytest.param(
            Process()
            .patch()
            .upgrade("0", "1")
            .reconcile(Reason.WAITING_FOR_INSTANCES, 2)
            .reconcile(Reason.WAITING_FOR_INSTANCES, 2)
            .upgrade("2", up_to_date=2)
            .reconcile(Reason.UP_TO_DATE, 10),
            [f"{OLDER} to {NEWER}: succeeded in 5m; 3 instances in 2 batches, longest batch 3m"],
            id="a successful rollout, with its slowest batch",
        ),
        pytest.param(
            Process().patch().upgrade("0").reconcile(Reason.INSTANCES_LEFT_OUT, 9),
            [f"{OLDER} to {NEWER}: succeeded in 2m; 1 instance in 1 batch, longest batch 1m"],
            id="instances that are left out do not delay the end",
        ),
        pytest.param(
            Process()
            .patch()
            .upgrade("0")
            .reconcile(Reason.SOAKING, 1)
            .reconcile(Reason.SOAKING, 1)
            .reconcile(Reason.UP_TO_DATE, 1),
            [f"{OLDER} to {NEWER}: succeeded in 4m; 1 instance in 1 batch, longest batch 1m"],
            id="a soak is not part of a batch",
        ),
        pytest.param(
            Process()
            .patch()
            .upgrade("0")
            .reconcile(Reason.NO_EFFECT, 0)
            .upgrade("0")
            .reconcile(Reason.OPERATION_FAILED, 0)
            .reconcile(Reason.AZURE_UPDATING)
            .reconcile(Reason.UP_TO_DATE, 10),
            [f"{OLDER} to {NEWER}: succeeded in 6m; 1 instance in 1 batch, longest batch 5m"],
            id="a retried batch counts once",
        ),
        pytest.param(
            Process()
            .patch()
            .upgrade("0")
            .reconcile("Unreachable")
            .reconcile("Throttled")
            .reconcile("Refused")
            .reconcile("Conflict")
            .reconcile("Bug"),
            [f"{OLDER} to {NEWER}: in progress; 1 instance in 1 batch"],
            id="failed calls end no rollout",
        ),
        pytest.param(
            Process().patch().upgrade("0").declare(FIX).reconcile(Reason.IMAGE_NOT_FOUND),
            [f"{OLDER} to {NEWER}: superseded in 2m; 1 instance in 1 batch, longest batch 1m"],
            id="another image is declared while nothing has failed",
        ),
        pytest.param(
            Process()
            .patch()
            .upgrade("0")
            .reconcile(Reason.HEALTH_CHECK_FAILED, 1)
            .declare(FIX)
            .patch(FIX, NEW),
            [
                f"{NEWER} to {FIX.version}: in progress",
                f"{OLDER} to {NEWER}: failed in 3m; 1 instance in 1 batch, longest batch 2m",
            ],
            id="another image is declared after a failure",
        ),
        pytest.param(
            Process()
            .patch()
            .upgrade("0")
            .reconcile(Reason.HEALTH_CHECK_FAILED, 1)
            .upgrade("1", up_to_date=1)
            .declare(FIX)
            .patch(FIX, NEW),
            [
                f"{NEWER} to {FIX.version}: in progress",
                f"{OLDER} to {NEWER}: superseded in 4m; 2 instances in 2 batches, longest batch 2m",
            ],
            id="a failure that has recovered does not count",
        ),
        pytest.param(
            Process(spec(image=LATEST)).patch().upgrade("0").patch(FIX, NEW),
            [
                f"{NEWER} to {FIX.version}: in progress",
                f"{OLDER} to {NEWER}: superseded in 2m; 1 instance in 1 batch, longest batch 1m",
            ],
            id="latest means another version",
        ),
        pytest.param(
            Process(failed=Fingerprint.of(NEW), last_good=OLD)
            .patch()
            .upgrade("0")
            .patch(OLD, NEW, Reason.GIVING_UP)
            .upgrade("0", image=OLD)
            .reconcile(Reason.ROLLOUT_FAILED, 0),
            [f"{OLDER} to {NEWER}: given up in 2m; 1 instance in 1 batch, longest batch 1m"],
            id="aborted: the rollback is not a rollout of its own",
        ),
        pytest.param(
            Process(failed=Fingerprint.of(NEW), last_good=OLD)
            .upgrade("0", image=OLD)
            .reconcile(Reason.ROLLOUT_FAILED, 0),
            [],
            id="aborted by another process: the rollback is not a rollout of its own",
        ),
        pytest.param(
            Process(spec(image=OLD), failed=Fingerprint.of(NEW), last_good=OLD).upgrade("0", image=OLD),
            [f"to {OLDER}: in progress; 1 instance in 1 batch"],
            id="a revert to the last good image after an abort is a rollout",
        ),
        pytest.param(
            Process().patch().upgrade("0").patch(NEW, FIX).upgrade("1", up_to_date=1),
            [f"{OLDER} to {NEWER}: in progress; 2 instances in 2 batches, longest batch 2m"],
            id="another writer changes the model during a rollout",
        ),
        pytest.param(
            Process().reconcile(Reason.UP_TO_DATE, 10).patch(NEW, FIX).reconcile(Reason.UP_TO_DATE, 10),
            [f"{FIX.version} to {NEWER}: succeeded in 1m"],
            id="another writer changes the model of a settled scale set",
        ),
        pytest.param(
            Process().patch().upgrade("0").reconcile(Reason.MODEL_DRIFT, 1).reconcile(Reason.SOAKING, 1),
            [f"{OLDER} to {NEWER}: in progress; 1 instance in 1 batch, longest batch 2m"],
            id="another writer does not end the current batch",
        ),
        pytest.param(
            Process().reconcile(Reason.WAITING_FOR_INSTANCES, 3).upgrade("3", up_to_date=3),
            [f"to {NEWER}: in progress; 1 instance in 1 batch since the daemon started"],
            id="in progress at the first observation, and then a batch",
        ),
        pytest.param(
            Process().reconcile(Reason.WAITING_FOR_INSTANCES, 10),
            [],
            id="first observation, all on the image, one restarting",
        ),
        pytest.param(
            Process().reconcile(Reason.OUTSIDE_WINDOW, 0),
            [],
            id="first observation, none on the image",
        ),
        pytest.param(
            Process().reconcile(Reason.MODEL_DRIFT).reconcile(Reason.MODEL_DRIFT),
            [],
            id="a dry run is not a rollout",
        ),
    ],
)
def test_what_is_recorded(process: Process, told: list[str]) -> None:
    assert process.told == told


MARKED = NOW - timedelta(hours=3)


@pytest.mark.parametrize(
    ("process", "began"),
    [
        pytest.param(Process().patch(), NOW, id="this process set the model"),
        pytest.param(
            Process().reconcile(Reason.UP_TO_DATE, 10).upgrade("0", up_to_date=4),
            NOW + MINUTE,
            id="the model was right, and the scale set was settled before",
        ),
        pytest.param(
            Process().upgrade("0", up_to_date=0),
            NOW,
            id="the model was right, and no instance was on the image",
        ),
        pytest.param(
            Process().upgrade("0", up_to_date=4), None, id="in progress when the process began: unknown"
        ),
        pytest.param(
            Process(began=Mark.of(MARKED, NEW)).upgrade("0", up_to_date=4),
            MARKED,
            id="in progress when the process began, recorded on the tag",
        ),
        pytest.param(
            Process(began=Mark.of(MARKED, OLD)).upgrade("0", up_to_date=4),
            None,
            id="the tag records another image: unknown",
        ),
        pytest.param(
            Process(began=Mark.of(MARKED, NEW)).reconcile(Reason.SOAKING, 4),
            MARKED,
            id="in progress and in its soak when the process began",
        ),
        pytest.param(
            Process(began=Mark.of(MARKED, NEW)).reconcile("Unreachable").reconcile(Reason.SOAKING, 4),
            MARKED,
            id="in progress when the process began, and the first observation failed",
        ),
    ],
)
def test_when_it_began(process: Process, began: datetime | None) -> None:
    assert process.record.began == began


def test_an_unhealthy_or_new_instance_after_a_rollout_is_not_a_rollout() -> None:
    process = Process().reconcile(Reason.UP_TO_DATE, 10).reconcile(Reason.WAITING_FOR_INSTANCES, 9)
    assert process.reconcile(Reason.HEALTH_CHECK_FAILED, 9).told == []


def test_a_rollout_with_an_unknown_begin_has_no_duration() -> None:
    process = Process().upgrade("0", up_to_date=4).reconcile(Reason.UP_TO_DATE, 10)
    assert (process.record.ended, process.record.length) == (NOW + MINUTE, None)
    assert process.told == [
        f"to {NEWER}: succeeded; 1 instance in 1 batch since the daemon started, longest batch 1m"
    ]


def test_five_are_kept_and_all_are_counted() -> None:
    process = Process()
    for _ in range(4):
        process.declare(NEW).patch(NEW, OLD).upgrade("0").reconcile(Reason.UP_TO_DATE, 10)
        process.declare(OLD).patch(OLD, NEW)
    assert [each.image for each in process.history.records] == [OLD, NEW, OLD, NEW, OLD]
    assert process.history.endings == {Ending.SUCCEEDED: 4, Ending.SUPERSEDED: 3}
    assert process.history.last == process.history.records[1]


def test_the_ids_of_upgraded_instances_are_dropped_at_the_end() -> None:
    process = Process().patch().upgrade("0", "1")
    assert process.record.upgraded == {"0", "1"}
    assert process.reconcile(Reason.UP_TO_DATE, 10).record.upgraded == frozenset()
