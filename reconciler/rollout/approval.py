"""Whether a person has approved the image, and whether that person is allowed to approve it.

The approval is in the tags of the scale set. The spec can require an approver other than the author
(`rollout.approver`). The author is whoever wrote the last commit that changed the declared image.

    not approved                             wait
    approved by ada, approver: anyone        sufficient
    approver unknown, approver: anyone       sufficient: an earlier version recorded only the image
    approved by ada, written by bob          sufficient
    approved by ada, written by ada          not sufficient, even if ada's pipeline says that she is bob
    approver unknown, approver: another      not sufficient
    approved by ada, author unknown          not sufficient
"""

from collections.abc import Sequence

from reconciler.rollout.barred import bar_note
from reconciler.rollout.observed import Need
from reconciler.rollout.persisted import PersistedState, Signature
from reconciler.rollout.wording import list_names, moment
from reconciler.spec.author import Author
from reconciler.spec.image import short
from reconciler.spec.scale_set import Approver, ScaleSet


def objection(
    desired: ScaleSet, persisted: PersistedState, authors: Sequence[Author] | None
) -> str | Need | None:
    """Why the image is not approved, None if it is approved, or `Need.AUTHORS` if its authors must be read.

    `desired` names the exact image. `authors` is None if the authors have not been read, and empty if they
    are unknown.
    """
    image, wants_another = short(desired.image), desired.rollout.approver is Approver.ANOTHER
    if barred := bar_note(desired.fleet, "approve"):
        return f"{image} needs approval, but {barred}"
    if not persisted.is_approved(desired.image):
        other = " by someone other than its author" if wants_another else ""
        return f"{image} needs approval{other}; run `reconciler approve {desired.name}`"
    if not wants_another:
        return None
    signature = persisted.signature_of(desired.image)
    if signature is None or not signature.by:
        return (
            f"{image} was approved, but rollout.approver requires the approver's name, and none is recorded; "
            f"run `reconciler approve {desired.name}` again"
        )
    if authors is None:
        return Need.AUTHORS
    if not authors:
        return (
            f"{image} was approved {signature}, but rollout.approver cannot be checked, because the author "
            "of the commit is unknown; read the specs from git, with their history"
        )
    if own := approving_authors(signature, authors):
        return (
            f"{_approval(own, signature, image)}, also wrote the commit that declares it; another person "
            f"must run `reconciler approve {desired.name}`"
        )
    return None


def _approval(own: Sequence[Author], signature: Signature, image: str) -> str:
    """The authors who approved the image, under which name if it differs from their own, and when."""
    who = list_names(map(str, own))
    name = "" if who == signature.approver else f" as {signature.approver}"
    return f"{who}, who approved {image}{name} at {moment(signature.at)}"


def approving_authors(signature: Signature, authors: Sequence[Author]) -> list[Author]:
    """The authors who approved their own image: those whom `by` or `through` of the signature names."""
    return [each for each in authors if each.is_called(signature.by) or each.is_called(signature.through)]
