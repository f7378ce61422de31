"""Commands that the Fleet bars (`spec.barredCommands`). A tag that such a command wrote does not count.

Only commands that loosen a restriction can be barred: `approve`, `resume`, `retry`, and `upgrade`, which
departs from `rollout.order`. A pause is never barred. A person who may write tags can still remove the tag of
a pause, and no daemon notices. Only an Azure role can prevent that.
"""

from collections.abc import Iterable
from dataclasses import replace

from reconciler.rollout.observed import Model
from reconciler.spec.fleet import Fleet


def bar_note(fleet: Fleet, command: str) -> str:
    """Why this command is refused, and what to do instead, or "" if it is not refused."""
    if command not in fleet.barred:
        return ""
    return f"spec.barredCommands of the Fleet bars `reconciler {command}`; merge a commit instead"


def first_bar_note(fleets: Iterable[Fleet], command: str) -> str:
    """Why one of these fleets refuses the command, and what to do instead, or "" if none refuses it.

    All scale sets normally share one Fleet. After a commit with errors, some might keep an earlier version.
    """
    return next((note for each in fleets if (note := bar_note(each, command))), "")


def has_barred_retry(model: Model, fleet: Fleet) -> bool:
    """Whether a tag requests a retry even though the Fleet bars retries."""
    return model.persisted.retry is not None and "retry" in fleet.barred


def without_barred_retry(model: Model, fleet: Fleet) -> Model:
    """Remove a barred retry from the model, and restore the record of the failure that the retry removed.

    The command that requests a retry also removes the record that the image has failed. If the model is back
    on its last good image, a retry of another image shows that this other image has failed.
    """
    retry, persisted = model.persisted.retry, model.persisted
    if retry is None or not has_barred_retry(model, fleet):
        return model
    good = persisted.last_good
    is_back = good is not None and persisted.is_last_good(model.image) and not retry.image.is_of(good)
    failed = persisted.failed or (retry.image if is_back else None)
    return replace(model, persisted=replace(persisted, retry=None, failed=failed))
