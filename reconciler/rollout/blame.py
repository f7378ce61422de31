"""What the tags of a scale set say of the image that it is on, by a write of their own: it failed, or is well
again.

Where an image is given up, the change of the model that goes back says so. Under `hold` nothing goes back,
and a PATCH of the tags alone says it: one in a rollout. So the image is begun in no other scale set after a
restart either, though this one is suspended or without an instance by then. Where the image is brought to
health after all, one more says that: the next image is then no fix.
"""

from dataclasses import replace

from reconciler.rollout.context import Context
from reconciler.rollout.decision import Decision
from reconciler.rollout.persisted import Fingerprint, Mark, PersistedState
from reconciler.rollout.reason import Phase
from reconciler.rollout.step import MOST_TRIES, Attempt
from reconciler.rollout.tags import is_storable, missing_room, with_state
from reconciler.spec.image import short

_UNKNOWN = "a restart will not know of it"


def with_failure(context: Context, failing: Decision) -> Decision:
    """`failing`, and the failure on the tags, where they do not tell of it.

    What a scale set has run since before anybody looked is no rollout, and fails for another reason.
    """
    persisted, image = context.model.persisted, context.image
    is_known = persisted.failed is not None and persisted.failed.is_of(image)
    has_begun = context.observed.progress.is_under_way or persisted.began_at(image) is not None
    is_again = is_retried(persisted.retry, context.observed.attempt, Fingerprint.of(image))
    if is_known or is_again or not has_begun:
        return failing
    after = failed_state(context)
    tags = with_state(context.model.tags, after)
    if not is_storable(after) or missing_room(context.model.tags, tags):
        return replace(
            failing, message=f"{failing.message}; no tag is free to record the failure: {_UNKNOWN}"
        )
    return _writing(context, failing, after, "recording the failure", _UNKNOWN)


def without_failure(context: Context, done: Decision) -> Decision:
    """`done`, and the failure taken off the tags, where they tell of one and the image is well by now."""
    persisted = context.model.persisted
    if done.reason.meaning.phase is not Phase.DONE or not done.counts or not done.counts.back:
        return done
    if persisted.failed is None or not persisted.failed.is_of(context.image):
        return done
    after = replace(persisted, failed=None)
    return _writing(
        context,
        done,
        after,
        f"recording that {short(context.image)} is healthy again",
        "a restart will not know that it is healthy again",
    )


def failed_state(context: Context) -> PersistedState:
    """What is persisted once the image has failed. Somebody else may have set the model to it; then this is
    when its rollout began, as far as anybody knows."""
    persisted, image = context.model.persisted, context.image
    is_known = persisted.began is not None and persisted.began.image.is_of(image)
    began = persisted.began if is_known else Mark.of(context.at, image)
    return replace(persisted, failed=Fingerprint.of(image), began=began, retry=None)


def is_retried(retry: Mark | None, attempt: Attempt | None, image: Fingerprint) -> bool:
    """Whether a person has had it tried again, and nothing was taken to it here since."""
    if retry is None or retry.image.digest != image.digest:
        return False
    return attempt is None or attempt.at < retry.at or not image.is_of(attempt.step.image)


def _writing(
    context: Context, decision: Decision, persisted: PersistedState, doing: str, otherwise: str
) -> Decision:
    """With the write, unless it was asked for a moment ago: ever less often where Azure refuses it, and a few
    times where it is accepted and never shows."""
    before = context.observed.progress.tag_write
    if before is None or before.failed != persisted.failed:
        return replace(decision, message=f"{decision.message}; {doing}", to_persist=persisted)
    refused = f"; not recorded ({before.refusal}), so {otherwise}" if before.refusal else ""
    is_due = context.at >= before.next_at and (before.refusal or before.tries < MOST_TRIES)
    return replace(decision, message=f"{decision.message}{refused}", to_persist=persisted if is_due else None)
