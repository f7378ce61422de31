"""Records in the tags of a scale set that its image failed, or that the image no longer counts as failed.

A rollback records the failure in the same PATCH that changes the model. With `onFailure: hold`, the model
stays as it is, and a PATCH of only the tags records the failure. Because of this record, no other scale set
begins the image after a restart, even if this scale set is suspended or has no instances by then. If the
image becomes healthy after all, another PATCH removes the record, so that the next image does not count as a
fix.
"""

from dataclasses import replace

from reconciler.rollout.context import Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.rollout.reason import Phase
from reconciler.rollout.step import MOST_TRIES, Attempt
from reconciler.rollout.tags import is_storable, missing_room, with_state


def with_failure(context: Context, failing: Decision) -> Decision:
    """Add a record of the failure to the decision `failing`, unless the tags already have one.

    If the scale set already ran the image when it was first observed, the failure is not recorded, because
    something other than a rollout caused it.
    """
    persisted, image = context.model.persisted, context.image
    has_begun = context.observed.progress.is_under_way or persisted.began_at(image) is not None
    is_again = is_retried(persisted.retry, context.observed.attempt, Fingerprint.of(image))
    if persisted.has_failed(image) or is_again or not has_begun:
        return failing
    after = failed_state(context)
    tags = with_state(context.model.tags, after)
    if not is_storable(after) or missing_room(context.model.tags, tags):
        return replace(
            failing, message=f"{failing.message}{_unrecorded(after, 'too few of the 50 tags are free')}"
        )
    return _writing(context, failing, after, "the failure is being recorded in a tag")


def without_failure(context: Context, done: Decision) -> Decision:
    """If the image is healthy now, add to the decision `done` the removal of the record of a failure."""
    persisted = context.model.persisted
    if done.reason.meaning.phase is not Phase.DONE or not done.counts or not done.counts.back:
        return done
    if not persisted.has_failed(context.image):
        return done
    after = replace(persisted, failed=None)
    return _writing(context, done, after, "the record that this image failed is being removed from a tag")


def failed_state(context: Context) -> PersistedState:
    """The state to persist once the image has failed.

    If another writer set the model to the image, the rollout is treated as having begun now.
    """
    persisted, image = context.model.persisted, context.image
    is_known = persisted.began is not None and persisted.began.image.is_of(image)
    began = persisted.began if is_known else Mark.of(context.at, image)
    return replace(persisted, failed=Fingerprint.of(image), began=began, retry=None)


def is_retried(retry: Mark | None, attempt: Attempt | None, image: Fingerprint) -> bool:
    """Whether a person has requested a retry of the image since this process last took a step towards it."""
    if retry is None or retry.image.digest != image.digest:
        return False
    return attempt is None or attempt.at < retry.at or not image.is_of(attempt.step.image)


def _writing(context: Context, decision: Decision, persisted: PersistedState, doing: str) -> Decision:
    """Add a write of `persisted` to the decision, unless the same write was requested recently.

    A write that Azure refuses is retried at growing intervals. A write that has no effect is retried only a
    few times.
    """
    before = context.observed.progress.tag_write
    if before is None or before.failed != persisted.failed:
        return replace(decision, message=f"{decision.message}; {doing}", to_persist=persisted)
    refused = _unrecorded(persisted, before.refusal) if before.refusal else ""
    is_due = context.at >= before.next_at and (before.refusal or before.tries < MOST_TRIES)
    return replace(decision, message=f"{decision.message}{refused}", to_persist=persisted if is_due else None)


def _unrecorded(persisted: PersistedState, why: str) -> str:
    """What a restarted daemon will get wrong without `persisted` in the tags, and why the write failed."""
    if persisted.failed:
        return f"; the failure could not be recorded in a tag ({why}), so a restart would lose it"
    return f"; the record of the failure could not be removed ({why}), so a restart would count it again"
