"""What the tags say of an image that failed under `hold`, and when that is written."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.rollout.blame import is_retried
from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import ReadTime
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.rollout.progress import Progress
from reconciler.rollout.step import Attempt, PatchModel, TagWrite, Upgrade
from reconciler.rollout.tags import with_state
from reconciler.spec.scale_set import OnFailure
from tests.build import FIX, NEW, NOW, OLD, decided, fleet, instance, model, observed, spec
from tests.messages import Says, says

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FAILED = says("HealthCheckFailed", "update domain 0", "web_0 (unhealthy)", "10m")
BEGAN = Mark.of(NOW - 2 * HOUR, NEW)
KNOWN = PersistedState(last_good=OLD, failed=Fingerprint.of(FIX), began=BEGAN, others=("pilot=yes",))
MARKED = replace(KNOWN, failed=Fingerprint.of(NEW))
LASTING = Progress(waiting_since=NOW - MINUTE)
NOTING = "the failure is being recorded in a tag"
REFUSAL = "a lock prevents it"


def failing(persisted: PersistedState, progress: Progress, **tags: str) -> Decision:
    """One that was upgraded has been unhealthy for an hour."""
    all_tags = with_state(tags, persisted)
    seen = observed(
        model=model(persisted=persisted, tags=all_tags),
        instances=fleet(instance(0, health="unhealthy", since=NOW - HOUR)),
        progress=progress,
    )
    return decided(spec(on_failure=OnFailure.HOLD), seen)


def asked(ago: timedelta, tries: int = 1, refusal: str = "", of: Any = NEW) -> Progress:
    """The progress of a process that has asked for the write before."""
    write = TagWrite(of and Fingerprint.of(of), NOW - ago, tries, refusal)
    return replace(LASTING, tag_write=write)


@pytest.mark.parametrize(
    ("persisted", "progress", "fact", "written"),
    [
        pytest.param(KNOWN, LASTING, NOTING, MARKED, id="the tags do not tell yet: all else there stays"),
        pytest.param(
            PersistedState(),
            replace(LASTING, is_under_way=True),
            NOTING,
            PersistedState(failed=Fingerprint.of(NEW), began=Mark.of(NOW, NEW)),
            id="another writer set the model, and this process goes on",
        ),
        pytest.param(PersistedState(), LASTING, "", None, id="nobody knows of a rollout to it"),
        pytest.param(MARKED, LASTING, "", None, id="the tags tell already"),
        pytest.param(KNOWN, Progress(), "", None, id="it was seen unhealthy once: perhaps it is well soon"),
        pytest.param(KNOWN, asked(MINUTE), "", None, id="accepted a minute ago, and not to be seen yet"),
        pytest.param(KNOWN, asked(5 * MINUTE), "", MARKED, id="accepted five minutes ago, and not to be seen"),
        pytest.param(KNOWN, asked(HOUR, tries=4), "", None, id="accepted four times, and never to be seen"),
        pytest.param(KNOWN, asked(4 * MINUTE, refusal=REFUSAL), REFUSAL, None, id="refused four minutes ago"),
        pytest.param(KNOWN, asked(5 * MINUTE, refusal=REFUSAL), REFUSAL, MARKED, id="refused five minutes ago"),
        pytest.param(KNOWN, asked(9 * MINUTE, 2, REFUSAL), REFUSAL, None, id="refused twice: ten minutes between"),
        pytest.param(KNOWN, asked(40 * MINUTE, 9, REFUSAL), REFUSAL, MARKED, id="refused nine times: every 40 minutes"),
        pytest.param(KNOWN, asked(MINUTE, of=None), NOTING, MARKED, id="what was written last was another thing"),
        pytest.param(
            replace(KNOWN, retry=Mark.of(NOW - MINUTE, NEW)),
            LASTING,
            "",
            None,
            id="a person requested a retry, and no step followed yet",
        ),
        pytest.param(
            replace(KNOWN, retry=Mark.of(NOW - HOUR, NEW)),
            replace(LASTING, attempt=Attempt(Upgrade(("0",), NEW), NOW - HOUR / 2)),
            NOTING,
            MARKED,
            id="a person requested a retry, and it failed again",
        ),
    ],
)  # fmt: skip
def test_a_failure_under_hold_is_recorded_once(
    persisted: PersistedState, progress: Progress, fact: str, written: PersistedState | None
) -> None:
    found = failing(persisted, progress)
    assert (found.line, found.step, found.to_persist) == (FAILED.and_names(fact), None, written)


def test_without_room_the_line_says_what_a_restart_will_not_know() -> None:
    seen = observed(
        model=model(tags={f"owner-{number}": "x" for number in range(50)}),
        instances=fleet(instance(0, health="unhealthy", since=NOW - HOUR)),
        progress=replace(LASTING, is_under_way=True),
    )
    found = decided(spec(), seen)
    assert found.line == FAILED
    assert found.to_persist is None


def test_nothing_is_recorded_from_a_list_that_took_too_long() -> None:
    """The next reconcile records it."""
    seen = observed(
        model=model(persisted=KNOWN),
        instances=fleet(instance(0, health="unhealthy", since=NOW - HOUR)),
        instances_read=ReadTime(NOW - 2 * MINUTE, NOW - MINUTE / 60),
        progress=replace(LASTING, is_under_way=True),
    )
    found = decided(spec(), seen)
    assert (found.reason, found.to_persist) == ("HealthCheckFailed", None)


def test_without_evidence_nothing_is_recorded() -> None:
    """A database that all of them share, perhaps."""
    everyone = (
        instance(0, health="unhealthy", since=NOW - HOUR),
        *(replace(each, health="unhealthy") for each in fleet()[1:]),
    )
    found = decided(spec(), observed(model=model(persisted=KNOWN), instances=everyone, progress=LASTING))
    assert (found.reason, found.to_persist) == ("HealthCheckFailed", None)


@pytest.mark.parametrize(
    ("persisted", "instances", "written"),
    [
        pytest.param(
            MARKED, fleet(rest="upgraded"), replace(MARKED, failed=None), id="all are on it and well"
        ),
        pytest.param(KNOWN, fleet(rest="upgraded"), None, id="what failed was another image"),
        pytest.param(MARKED, (), None, id="no instance proves it"),
    ],
)
def test_an_image_that_becomes_healthy_is_no_longer_recorded_as_failed(
    persisted: PersistedState, instances: Any, written: PersistedState | None
) -> None:
    seen = observed(model=model(persisted=persisted, capacity=len(instances)), instances=instances)
    found = decided(spec(), seen)
    assert (found.reason, found.step, found.to_persist) == ("UpToDate", None, written)


def test_while_it_bakes_the_failure_of_its_image_stays_on_the_tags() -> None:
    seen = observed(model=model(persisted=MARKED), instances=fleet(rest="upgraded"))
    found = decided(spec(bake_time=HOUR), seen)
    assert (found.reason, found.to_persist) == ("Baking", None)


WELL = says("UpToDate", "10", "24.04.202601140")


@pytest.mark.parametrize(
    ("write", "line"),
    [
        pytest.param(None, WELL, id="it is written first"),
        pytest.param(
            TagWrite(None, NOW - MINUTE, refusal=REFUSAL),
            WELL.and_names(REFUSAL),
            id="Azure has refused it",
        ),
    ],
)
def test_that_an_image_is_well_after_all_is_told(write: TagWrite | None, line: Says) -> None:
    seen = observed(
        model=model(persisted=MARKED), instances=fleet(rest="upgraded"), progress=Progress(tag_write=write)
    )
    assert decided(spec(), seen).line == line


RETRIED = Mark.of(NOW - HOUR, NEW)


def taken(ago: timedelta, image: Any = NEW) -> Attempt:
    return Attempt(Upgrade(("0",), image), NOW - ago)


@pytest.mark.parametrize(
    ("retry", "attempt", "is_again"),
    [
        pytest.param(None, None, False, id="nobody had an image tried again"),
        pytest.param(Mark.of(NOW - HOUR, FIX), None, False, id="another image is tried again"),
        pytest.param(RETRIED, None, True, id="nothing was taken by this process"),
        pytest.param(RETRIED, taken(2 * HOUR), True, id="it was taken before that alone"),
        pytest.param(RETRIED, taken(HOUR), False, id="it was taken in the same second"),
        pytest.param(RETRIED, taken(MINUTE), False, id="it was taken since"),
        pytest.param(RETRIED, taken(MINUTE, FIX), True, id="another image was taken since"),
        pytest.param(
            RETRIED,
            Attempt(PatchModel(NEW, '"4"'), NOW - MINUTE),
            False,
            id="the model was set to it since",
        ),
    ],
)
def test_whether_a_person_has_it_tried_again(
    retry: Mark | None, attempt: Attempt | None, *, is_again: bool
) -> None:
    assert is_retried(retry, attempt, Fingerprint.of(NEW)) is is_again
