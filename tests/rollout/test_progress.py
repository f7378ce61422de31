"""What one process knows of a rollout: the whole of it, after a decision and after a change of the spec."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.rollout.contest import Contest
from reconciler.rollout.persisted import Fingerprint, PersistedState
from reconciler.rollout.progress import Progress, progress_after
from reconciler.rollout.reason import Reason
from reconciler.rollout.step import Attempt, PatchModel, Step, TagWrite, Upgrade
from reconciler.rollout.wait import Wait
from tests.build import FIX, NEW, NOW, OLD

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
UPGRADE = Upgrade(("1", "2"), NEW, not_serving=frozenset({"2", "7"}))
PATCH = PatchModel(NEW, '"4"', not_serving=frozenset({"7"}))
ATTEMPT = Attempt(UPGRADE, NOW - HOUR, "https://management.azure.com/operations/1", tries=3)

# In the middle of a rollout, with something to be known of everything.
KNOWN = Progress(
    passes=2,
    waiting_since=NOW - 9 * MINUTE,
    back=3,
    is_under_way=True,
    attempt=ATTEMPT,
    last_reason=Reason.SOAKING,
    holds_slot=True,
    has_acquired=True,
    wait=Wait(Reason.NO_EFFECT, NOW - MINUTE),
    taken=frozenset({"1", "4"}),
    not_serving=frozenset({"1", "4", "8"}),
    relapses=1,
    most_healthy=4,
    seen_at=NOW - MINUTE,
    time_on_hold=HOUR,
    was_under_way=False,
    blamed=Fingerprint.of(FIX),
    wrote_last_good=Fingerprint.of(FIX),
    has_soaked=True,
    has_seen_all_steps=True,
)


def after(
    before: Progress,
    reason: Reason,
    back: int | None = None,
    step: Step | None = None,
    at: datetime = NOW,
) -> Progress:
    return progress_after(before, reason, back, at, step)


@pytest.mark.parametrize(
    ("reason", "back", "changes"),
    [
        pytest.param(Reason.AZURE_UPDATING, None, {}, id="no look at the instances: all stays as it was"),
        pytest.param(
            Reason.SUSPENDED,
            None,
            {"on_hold_since": NOW},
            id="a hold: since when it is, is known from then on",
        ),
        pytest.param(
            Reason.PARTIAL_READ,
            None,
            {"partial_since": NOW},
            id="an incomplete list: since when lists are incomplete, is known from then on",
        ),
        pytest.param(
            Reason.WAITING_FOR_INSTANCES,
            4,
            {"passes": 0, "waiting_since": NOW, "back": 4, "seen_at": NOW},
            id="one more is healthy than before: the wait begins again",
        ),
        pytest.param(
            Reason.WAITING_FOR_INSTANCES,
            3,
            {"passes": 0, "relapses": 2, "seen_at": NOW},
            id="fewer are back than were, which is a relapse",
        ),
        pytest.param(
            Reason.NO_EFFECT,
            3,
            {"seen_at": NOW},
            id="a step without effect: the wait continues, and the others stay confirmed",
        ),
        pytest.param(
            Reason.OPERATION_FAILED,
            4,
            {"waiting_since": NOW, "back": 4, "seen_at": NOW},
            id="a failed step while one more is healthy than before: the wait begins again",
        ),
        pytest.param(
            Reason.BAKING,
            3,
            {"passes": 3, "waiting_since": None, "back": 0, "most_healthy": 3, "seen_at": NOW},
            id="nothing is waited for, and fewer are back than there were: some were scaled in",
        ),
        pytest.param(
            Reason.BAKING,
            5,
            {"passes": 3, "waiting_since": None, "back": 0, "most_healthy": 5, "seen_at": NOW},
            id="nothing is waited for, and more are back than there ever were",
        ),
        pytest.param(
            Reason.UP_TO_DATE,
            5,
            {
                "passes": 3,
                "waiting_since": None,
                "back": 0,
                "most_healthy": 5,
                "seen_at": NOW,
                "is_under_way": False,
                "relapses": 0,
            },
            id="it is over",
        ),
        pytest.param(
            Reason.UP_TO_DATE,
            None,
            {"relapses": 0},
            id="it is over, and nothing had to be counted",
        ),
        pytest.param(
            Reason.ROLLOUT_FAILED,
            4,
            {"passes": 3, "waiting_since": None, "back": 0, "seen_at": NOW, "is_under_way": False},
            id="it failed, and what was to blame is so still",
        ),
    ],
)
def test_a_decision_that_takes_no_step(reason: Reason, back: int | None, changes: dict[str, Any]) -> None:
    assert after(KNOWN, reason, back) == replace(KNOWN, last_reason=reason, **changes)


@pytest.mark.parametrize(
    ("reason", "since"),
    [
        pytest.param(Reason.PARTIAL_READ, NOW - HOUR, id="one more incomplete list"),
        pytest.param(Reason.WAITING_FOR_INSTANCES, None, id="a complete list"),
    ],
)
def test_since_when_every_list_was_incomplete(reason: Reason, since: datetime | None) -> None:
    assert after(replace(KNOWN, partial_since=NOW - HOUR), reason).partial_since == since


@pytest.mark.parametrize(
    ("before", "back", "relapses"),
    [
        pytest.param(
            Progress(passes=0, most_healthy=4), 3, 0, id="it was unavailable at the observation before, too"
        ),
        pytest.param(
            Progress(passes=1, most_healthy=4), 3, 1, id="all were back at one look, and one is not now"
        ),
        pytest.param(Progress(passes=1, most_healthy=4), 4, 0, id="as many are back as ever"),
        pytest.param(Progress(passes=2, most_healthy=4, relapses=2), 3, 3, id="relapses are counted"),
    ],
)
def test_what_counts_as_a_relapse(before: Progress, back: int, relapses: int) -> None:
    assert after(before, Reason.WAITING_FOR_INSTANCES, back) == Progress(
        waiting_since=NOW,
        back=back,
        last_reason=Reason.WAITING_FOR_INSTANCES,
        relapses=relapses,
        most_healthy=4,
        seen_at=NOW,
    )


ANEW = {
    "passes": 0,
    "most_healthy": 0,
    "is_under_way": True,
    "waiting_since": None,
    "back": 0,
    "relapses": 0,
}


@pytest.mark.parametrize(
    ("before", "reason", "back", "step", "changes"),
    [
        pytest.param(
            KNOWN,
            Reason.UPGRADING,
            4,
            UPGRADE,
            ANEW | {"taken": frozenset({"1", "2", "4"}), "not_serving": frozenset({"2", "4", "8"})},
            id="a batch: it is known which did not serve when they were taken first, nor do now",
        ),
        pytest.param(
            replace(KNOWN, has_seen_all_steps=False),
            Reason.UPGRADING,
            4,
            UPGRADE,
            ANEW | {"taken": frozenset({"1", "2", "4"}), "not_serving": frozenset({"4", "8"})},
            id="a batch of a rollout that was found half-way: it may not serve because of a step before",
        ),
        pytest.param(
            replace(KNOWN, has_seen_all_steps=False),
            Reason.UPGRADING,
            None,
            Upgrade(("8", "9"), NEW, not_serving=frozenset({"8", "9"})),
            ANEW | {"taken": frozenset({"1", "4", "8", "9"}), "not_serving": frozenset({"1", "4", "8"})},
            id="a batch of two: one did not serve as the rollout began, and of the other nobody knows",
        ),
        pytest.param(
            KNOWN,
            Reason.UPGRADING,
            4,
            Upgrade(("4",), NEW, not_serving=frozenset({"4"})),
            ANEW,
            id="a batch once more: what did not serve when it was taken first does not serve now",
        ),
        pytest.param(
            KNOWN,
            Reason.UPGRADING,
            3,
            UPGRADE,
            {"taken": frozenset({"1", "2", "4"}), "not_serving": frozenset({"2", "4", "8"})},
            id="a batch without effect: the wait continues, and the others stay confirmed",
        ),
        pytest.param(
            KNOWN,
            Reason.UPGRADING,
            None,
            Upgrade(("8", "9"), NEW, not_serving=frozenset({"9"})),
            ANEW | {"taken": frozenset({"1", "4", "8", "9"}), "not_serving": frozenset({"1", "4", "9"})},
            id="a batch with one that serves now and did not as the rollout began",
        ),
        pytest.param(KNOWN, Reason.MODEL_DRIFT, 3, PATCH, ANEW, id="a change of the model on the way"),
        pytest.param(
            replace(KNOWN, is_under_way=None),
            Reason.MODEL_DRIFT,
            3,
            PATCH,
            ANEW | {"time_on_hold": timedelta()},
            id="a change of the model, after a fix: what was taken down before stays our loss",
        ),
        pytest.param(
            replace(KNOWN, is_under_way=False),
            Reason.MODEL_DRIFT,
            3,
            PATCH,
            ANEW | {"taken": frozenset(), "not_serving": frozenset({"7"}), "time_on_hold": timedelta()},
            id="a change of the model after the rollout before was over",
        ),
        pytest.param(
            replace(KNOWN, taken=frozenset()),
            Reason.MODEL_DRIFT,
            3,
            PATCH,
            ANEW | {"taken": frozenset(), "not_serving": frozenset({"7"})},
            id="a change of the model before anything was taken",
        ),
        pytest.param(
            KNOWN,
            Reason.GIVING_UP,
            3,
            PatchModel(OLD, '"4"', PersistedState(last_good=OLD), good=Fingerprint.of(OLD)),
            ANEW | {"wrote_last_good": Fingerprint.of(OLD)},
            id="a change of the model that notes a good image",
        ),
        pytest.param(
            KNOWN,
            Reason.GIVING_UP,
            3,
            PatchModel(OLD, '"4"', PersistedState(last_good=OLD)),
            ANEW,
            id="a change of the model that passes on what a tag says",
        ),
        pytest.param(
            KNOWN,
            Reason.GIVING_UP,
            3,
            PatchModel(OLD, '"4"', PersistedState()),
            ANEW,
            id="a change of the model that notes none",
        ),
        pytest.param(KNOWN, Reason.UPGRADING, 4, None, ANEW, id="a step that is not reported"),
    ],
)
def test_a_step_that_is_taken(
    before: Progress, reason: Reason, back: int | None, step: Step | None, changes: dict[str, Any]
) -> None:
    assert after(before, reason, back, step) == replace(before, last_reason=reason, **changes)


@pytest.mark.parametrize(
    ("before", "reason", "step", "has_soaked"),
    [
        pytest.param(
            Progress(taken=frozenset({"1"})), Reason.UPGRADING, UPGRADE, True, id="a second batch goes"
        ),
        pytest.param(
            Progress(taken=frozenset({"1"}), attempt=Attempt(Upgrade(("1",), NEW), NOW)),
            Reason.UPGRADING,
            UPGRADE,
            True,
            id="a second batch goes that is another than the last",
        ),
        pytest.param(
            Progress(taken=frozenset({"1"}), attempt=ATTEMPT),
            Reason.UPGRADING,
            UPGRADE,
            False,
            id="the same batch goes once more",
        ),
        pytest.param(Progress(), Reason.UPGRADING, UPGRADE, False, id="the first batch goes"),
        pytest.param(
            Progress(taken=frozenset({"1"})),
            Reason.UPGRADING,
            None,
            False,
            id="a batch that is not reported goes",
        ),
        pytest.param(
            Progress(taken=frozenset({"1"})),
            Reason.GIVING_UP,
            PATCH,
            False,
            id="the model is set back: that is no batch",
        ),
        pytest.param(
            Progress(taken=frozenset({"1"})), Reason.UP_TO_DATE, None, True, id="all are on the image"
        ),
        pytest.param(
            Progress(taken=frozenset({"1"})), Reason.ROLLOUT_FAILED, None, False, id="the image failed"
        ),
    ],
)
def test_the_first_batch_has_soaked_once_another_goes_or_all_is_done(
    before: Progress, reason: Reason, step: Step | None, has_soaked: bool
) -> None:
    assert after(before, reason, 1, step).has_soaked is has_soaked


@pytest.mark.parametrize("back", [pytest.param(0, id="none is"), pytest.param(None, id="nobody knows")])
def test_if_nothing_of_the_first_batch_is_healthy_the_next_is_the_first_again(back: int | None) -> None:
    assert not after(Progress(taken=frozenset({"1"})), Reason.UPGRADING, back, UPGRADE).has_soaked


@pytest.mark.parametrize(
    ("before", "back", "has_soaked"),
    [
        pytest.param(Progress(), 1, True, id="an instance runs it and serves"),
        pytest.param(Progress(), 0, False, id="there is none"),
        pytest.param(Progress(has_soaked=True), 0, True, id="there is none any more"),
    ],
)
def test_a_rollout_that_is_done_has_soaked_where_an_instance_ran_it(
    before: Progress, back: int, has_soaked: bool
) -> None:
    assert after(before, Reason.UP_TO_DATE, back).has_soaked is has_soaked


@pytest.mark.parametrize(
    ("seen_at", "waiting_since", "known_since"),
    [
        pytest.param(NOW - 6 * MINUTE, NOW - HOUR, NOW - HOUR, id="six minutes are no gap"),
        pytest.param(NOW - 7 * MINUTE, NOW - HOUR, NOW - 53 * MINUTE, id="seven minutes are given back"),
        pytest.param(None, NOW - HOUR, NOW - HOUR, id="the instances were never counted"),
        pytest.param(
            NOW - 7 * MINUTE,
            NOW - MINUTE,
            NOW,
            id="no wait begins in time to come, though a clock was set back",
        ),
    ],
)
def test_a_gap_without_observation_extends_the_wait(
    seen_at: datetime | None, waiting_since: datetime, known_since: datetime
) -> None:
    before = Progress(waiting_since=waiting_since, back=3, seen_at=seen_at)
    assert after(before, Reason.WAITING_FOR_INSTANCES, 3) == Progress(
        waiting_since=known_since, back=3, last_reason=Reason.WAITING_FOR_INSTANCES, seen_at=NOW
    )


def test_a_gap_in_which_nothing_was_waited_for_is_none() -> None:
    before = Progress(seen_at=NOW - HOUR)
    assert after(before, Reason.WAITING_FOR_INSTANCES, 3) == Progress(
        waiting_since=NOW, back=3, last_reason=Reason.WAITING_FOR_INSTANCES, seen_at=NOW
    )


BRAKED = Progress(time_on_hold=HOUR, on_hold_since=NOW - 5 * MINUTE)


@pytest.mark.parametrize(
    ("before", "reason", "then"),
    [
        pytest.param(
            Progress(time_on_hold=HOUR),
            Reason.FROZEN,
            Progress(time_on_hold=HOUR, on_hold_since=NOW),
            id="a hold is put on",
        ),
        pytest.param(BRAKED, Reason.SUSPENDED, BRAKED, id="a hold stays on, though it be another"),
        pytest.param(
            BRAKED,
            Reason.AZURE_UPDATING,
            Progress(time_on_hold=HOUR + 5 * MINUTE),
            id="a hold is taken off: it is counted",
        ),
        pytest.param(
            Progress(time_on_hold=HOUR),
            Reason.AZURE_UPDATING,
            Progress(time_on_hold=HOUR),
            id="there was no hold",
        ),
    ],
)
def test_for_how_long_it_was_on_hold(before: Progress, reason: Reason, then: Progress) -> None:
    assert after(before, reason) == replace(then, last_reason=reason)


@pytest.mark.parametrize(
    ("progress", "until"),
    [
        pytest.param(BRAKED, HOUR + 5 * MINUTE, id="time_on_hold now, and before"),
        pytest.param(Progress(time_on_hold=HOUR), HOUR, id="time_on_hold before"),
        pytest.param(Progress(), timedelta(), id="never time_on_hold"),
    ],
)
def test_a_hold_counts_while_it_lasts(progress: Progress, until: timedelta) -> None:
    assert progress.hold_until(NOW) == until


@pytest.mark.parametrize(
    ("progress", "step", "is_it"),
    [
        pytest.param(Progress(), UPGRADE, False, id="none was taken"),
        pytest.param(Progress(attempt=ATTEMPT), UPGRADE, True, id="this one was taken"),
        pytest.param(Progress(attempt=ATTEMPT), PATCH, False, id="another one was taken"),
    ],
)
def test_whether_a_step_was_taken_last(progress: Progress, step: Step, is_it: bool) -> None:
    assert progress.is_waiting_for(step) is is_it


@pytest.mark.parametrize(
    ("progress", "has_slot"),
    [
        pytest.param(Progress(), None, id="this process cannot tell"),
        pytest.param(Progress(holds_slot=False), False, id="it holds none"),
        pytest.param(Progress(holds_slot=True), True, id="it holds one"),
        pytest.param(Progress(has_acquired=True), True, id="the observation under way took one"),
        pytest.param(Progress(holds_slot=False, has_acquired=True), True, id="it held none before that"),
    ],
)
def test_whether_it_counts_against_the_cap(progress: Progress, has_slot: bool | None) -> None:
    assert progress.has_slot is has_slot


LOOKS = {"passes": 0, "waiting_since": None, "back": 0, "wait": None, "relapses": 0, "most_healthy": 0}


@pytest.mark.parametrize(
    ("before", "is_same_image", "changes"),
    [
        pytest.param(
            KNOWN,
            True,
            LOOKS | {"attempt": replace(ATTEMPT, tries=1)},
            id="of the same image the rollout goes on",
        ),
        pytest.param(
            KNOWN,
            False,
            LOOKS
            | {
                "attempt": replace(ATTEMPT, tries=1),
                "is_under_way": None,
                "was_under_way": True,
                "has_soaked": False,
            },
            id="of another image nothing is known, but how the one before was left",
        ),
        pytest.param(replace(KNOWN, attempt=None), True, LOOKS, id="no step was taken yet"),
        pytest.param(
            replace(KNOWN, has_soaked=False),
            True,
            LOOKS | {"attempt": replace(ATTEMPT, tries=1)},
            id="what has not soaked does not soak by a word in the spec",
        ),
    ],
)
def test_a_spec_that_says_something_else(
    before: Progress, is_same_image: bool, changes: dict[str, Any]
) -> None:
    assert before.for_new_spec(is_same_image=is_same_image) == replace(before, **changes)


def test_a_set_that_is_scaled_in_and_out_has_no_relapse() -> None:
    """One is scaled in, and another one is created again and again. None becomes unhealthy."""
    progress = Progress(is_under_way=True, most_healthy=4, passes=1)
    for minute in range(0, 40, 4):
        for reason in (Reason.SOAKING, Reason.WAITING_FOR_INSTANCES):
            progress = after(progress, reason, 3, at=NOW + minute * MINUTE)
    assert progress.relapses == 0


WRITE = TagWrite(Fingerprint.of(NEW), NOW - MINUTE, tries=2)
CONTESTED = {"7": Contest(2, NOW - HOUR)}


@pytest.mark.parametrize(
    ("is_same_image", "write"),
    [
        pytest.param(True, WRITE, id="of the same image it is known what was written"),
        pytest.param(False, None, id="of another image nothing was written"),
    ],
)
def test_a_spec_that_says_something_else_ends_each_contest(
    is_same_image: bool, write: TagWrite | None
) -> None:
    found = replace(KNOWN, contests=CONTESTED, tag_write=WRITE).for_new_spec(is_same_image=is_same_image)
    assert (found.contests, found.tag_write) == ({}, write)


def test_an_image_that_is_tried_again_has_nothing_against_it() -> None:
    before = replace(KNOWN, contests=CONTESTED, tag_write=WRITE)
    changes: dict[str, Any] = LOOKS | {"attempt": replace(ATTEMPT, tries=1), "blamed": None}
    assert before.for_retry() == replace(KNOWN, **changes)


@pytest.mark.parametrize(
    ("reason", "has_seen_all_steps"),
    [
        pytest.param(Reason.UP_TO_DATE, True, id="it was seen to be over"),
        pytest.param(Reason.ROLLOUT_FAILED, True, id="it was seen to be given up"),
        pytest.param(Reason.BAKING, False, id="it bakes"),
        pytest.param(Reason.UPGRADING, False, id="a batch goes"),
    ],
)
def test_a_process_that_has_seen_it_at_rest_knows_of_each_step_since(
    reason: Reason, has_seen_all_steps: bool
) -> None:
    assert after(Progress(), reason, 1).has_seen_all_steps is has_seen_all_steps


@pytest.mark.parametrize(
    ("reason", "step", "contests"),
    [
        pytest.param(
            Reason.UPGRADING,
            Upgrade(("1", "2"), NEW, behind=frozenset({"2"})),
            CONTESTED | {"2": Contest(1, NOW)},
            id="one that lacks another change of the model is brought to it",
        ),
        pytest.param(
            Reason.UPGRADING,
            Upgrade(("7",), NEW, behind=frozenset({"7"})),
            {"7": Contest(3, NOW)},
            id="one is brought to it a third time",
        ),
        pytest.param(Reason.UPGRADING, UPGRADE, CONTESTED, id="a batch goes to another image"),
        pytest.param(Reason.MODEL_DRIFT, PATCH, CONTESTED, id="the model is set"),
    ],
)
def test_a_step_counts_in_the_contests(reason: Reason, step: Step, contests: dict[str, Contest]) -> None:
    assert after(Progress(contests=CONTESTED), reason, 1, step).contests == contests


@pytest.mark.parametrize(
    ("reason", "step", "write"),
    [
        pytest.param(Reason.MODEL_DRIFT, PATCH, None, id="a change of the model carries the tags"),
        pytest.param(Reason.UPGRADING, UPGRADE, WRITE, id="a batch carries none"),
    ],
)
def test_what_is_known_of_a_write_ends_with_the_next_change_of_the_model(
    reason: Reason, step: Step, write: TagWrite | None
) -> None:
    assert after(Progress(tag_write=WRITE), reason, 1, step).tag_write == write
