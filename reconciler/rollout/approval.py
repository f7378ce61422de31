"""Whether a person has approved the image, and whether that person may.

The approval stands on the tags of the scale set. Where the spec wants another approver than the author
(`rollout.approver`), that is the author of the commit by which the declared image became what it is.

    not approved                             wait
    approved by ada, approver: anyone        enough
    approved by nobody known, anyone         enough: a version before this one kept the image alone
    approved by ada, written by bob          enough
    approved by ada, written by ada          not enough; nor is it where ada's pipeline says that she is bob
    approved by nobody known, another        not enough
    approved by ada, written by nobody known not enough
"""

from collections.abc import Sequence

from reconciler.rollout.observed import Need
from reconciler.rollout.persisted import PersistedState, Signature
from reconciler.rollout.wording import join
from reconciler.spec.author import Author
from reconciler.spec.image import short
from reconciler.spec.scale_set import Approver, ScaleSet


def objection(
    desired: ScaleSet, persisted: PersistedState, authors: Sequence[Author] | None
) -> str | Need | None:
    """Why the image is not approved yet, None where it is, or that its authors are still to be looked at.

    `desired` names the exact image. `authors` are empty where nobody can say who wrote it.
    """
    image, wants_another = short(desired.image), desired.rollout.approver is Approver.ANOTHER
    if not persisted.is_approved(desired.image):
        other = "; its author cannot approve it" if wants_another else ""
        return f"{image} needs approval; run `reconciler approve {desired.name}`{other}"
    if not wants_another:
        return None
    signature = persisted.signature_of(desired.image)
    if signature is None or not signature.by:
        return (
            f"{image} is approved, but it is unknown by whom (rollout.approver); run `reconciler approve "
            f"{desired.name}` again"
        )
    if authors is None:
        return Need.AUTHORS
    if not authors:
        return (
            f"{image} is approved {signature}, but its author is unknown (rollout.approver); read the specs "
            "from git, with their history"
        )
    if own := approving_authors(signature, authors):
        return (
            f"{image} is approved {signature}, but {join(map(str, own))} wrote the commit that declares it; "
            f"another person must run `reconciler approve {desired.name}`"
        )
    return None


def approving_authors(signature: Signature, authors: Sequence[Author]) -> list[Author]:
    """The authors whose own approval it is, whichever of the two names says so."""
    return [each for each in authors if each.is_called(signature.by) or each.is_called(signature.through)]
