"""Approves the declared image of a scale set by writing to its tags."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reconciler.acts.tagging import TagUnchanged, declared_model, nothing_waits, takes_effect_note
from reconciler.azure.budget import Priority
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure
from reconciler.azure.identity import Identity
from reconciler.daemon.interfaces import DeclaredHistory
from reconciler.rollout.approval import approving_authors, objection
from reconciler.rollout.decision import Decision
from reconciler.rollout.member import has_begun
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import Signature
from reconciler.rollout.preflight import exact_spec
from reconciler.rollout.tags import persisted_state, with_approval
from reconciler.rollout.wording import join
from reconciler.spec.author import LONGEST_NAME, Author
from reconciler.spec.image import Image, follows_latest, same, short
from reconciler.spec.scale_set import Approval, Approver, OnFailure, ScaleSet


@dataclass(frozen=True, slots=True)
class Person:
    """The approver.

    `token` is the name in the token. `by` is the name that the approver gave, or else `token`. Each is "" if
    it is unknown.
    """

    by: str
    token: str

    @classmethod
    def of(cls, identity: Identity, given: str | None) -> "Person":
        return cls(given or identity.short[:LONGEST_NAME], identity.short[:LONGEST_NAME])


def authors_of(desired: ScaleSet, history: DeclaredHistory, commit: str) -> tuple[Author, ...]:
    """The authors of the declared image. Empty if they are unknown, or if anyone may approve."""
    if desired.rollout.approver is Approver.ANYONE:
        return ()
    return history.authors(desired, commit)


def approve(desired: ScaleSet, approver: Person, authors: Sequence[Author], compute: Compute) -> str:
    """Approve the declared image. `authors` are those who declared it, or empty if unknown.

    Returns the result as a message. Raises AzureFailure and TagUnchanged.
    """
    if desired.rollout.approval is None:
        raise TagUnchanged("its spec requires no approval (spec.rollout.approval)")
    model = declared_model(desired, compute)
    image = _exact(desired, model, compute)
    if model.persisted.rollback_target(image) and desired.rollout.on_failure is not OnFailure.HOLD:
        raise TagUnchanged(
            f"{short(image)} failed and was rolled back, so approval has no effect; declare "
            f"another image, or run `reconciler retry {desired.name}`"
        )
    if objection(replace(desired, image=image), model.persisted, authors) is None:
        before = model.persisted.signature_of(image)
        return f"{short(image)} is already approved{f' {before}' if before else ''}"
    early = desired.rollout.approval is Approval.CANARY and not _has_begun(desired, model, image, compute)
    signature = Signature.of(image, approver.by, compute.now(), approver.token)
    is_kept = _is_kept(model, image, signature)
    if desired.rollout.approver is Approver.ANOTHER and (
        lacks := _objection(signature, authors, is_kept=is_kept)
    ):
        raise TagUnchanged(lacks)
    compute.approve(desired.target, model, image, signature)
    if nothing_waits(desired, image, model, compute):
        idle = "no rollout is waiting for it, because every instance runs it and is serving"
        return f"{short(image)} is approved {signature}; {idle}"
    in_advance = " before any instance was upgraded, so the rollout will not stop after its canary"
    untagged = (
        "" if is_kept else "the approver is not recorded, because the scale set has no room for another tag; "
    )
    return (
        f"{short(image)} is approved {signature}{in_advance if early else ''}; "
        f"{untagged}{_unknown_author_note(desired, authors)}{takes_effect_note(desired)}"
    )


def _objection(signature: Signature, authors: Sequence[Author], *, is_kept: bool) -> str:
    """Why the approval would not satisfy `rollout.approver`, or "" if it would."""
    if not signature.by:
        return "rollout.approver requires a name, and the token has none; pass it with --by"
    if not is_kept:
        return "rollout.approver requires a tag that names the approver, but no tag is free; remove a tag"
    if own := approving_authors(signature, authors):
        return (
            f"{join(map(str, own))} wrote the commit that declares the image, but rollout.approver requires "
            "another person; ask a colleague to approve"
        )
    return ""


def _unknown_author_note(desired: ScaleSet, authors: Sequence[Author]) -> str:
    """A note if the author of the commit is unknown here, otherwise ""."""
    if authors or desired.rollout.approver is Approver.ANYONE:
        return ""
    return "the author of the commit is unknown here, so the daemon decides whether this is sufficient; "


def _is_kept(model: Model, image: Image, signature: Signature) -> bool:
    """Whether the tags have room for the approver and the time."""
    after = persisted_state(with_approval(model.tags, image, signature))
    return after.signature_of(image) is not None


def _has_begun(desired: ScaleSet, model: Model, image: Image, compute: Compute) -> bool:
    """Whether the model and at least one instance are on this image. True if the instances cannot be read."""
    if model.image is None or not same(model.image, image):
        return False
    try:
        instances = compute.instances(desired.target, model, Priority.ROLLOUT)
    except AzureFailure:
        return True  # unknown; no reason to refuse the approval
    return has_begun(replace(desired, image=image), model, instances)


def _exact(desired: ScaleSet, model: Model, compute: Compute) -> Image:
    """The image that the daemon would set. Raises TagUnchanged if it cannot be determined."""
    available = None
    if follows_latest(desired.image):
        available = compute.availability(desired.image, model, Priority.ROLLOUT)
    found = exact_spec(desired, model, available)
    if isinstance(found, Decision):
        raise TagUnchanged(found.message)
    return found.image if found else desired.image
