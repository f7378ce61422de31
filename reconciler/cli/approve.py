"""`reconciler approve`: a person's word on the very image that is declared, on a tag of its scale set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import click

from reconciler.azure.budget import Share
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure
from reconciler.azure.identity import Identity, identity
from reconciler.cli.announcement import announce
from reconciler.cli.failure import fail
from reconciler.cli.named import unknown
from reconciler.cli.options import FleetAccess, fleet_options
from reconciler.cli.tagging import Kept, declared_model, insist, onward, scale_sets_in_force
from reconciler.cli.verb import Verb
from reconciler.daemon.specs import Specs
from reconciler.rollout.approval import approving_authors, objection
from reconciler.rollout.decision import Decision
from reconciler.rollout.member import has_begun
from reconciler.rollout.observed import Model
from reconciler.rollout.persisted import Signature
from reconciler.rollout.preflight import exact_spec
from reconciler.rollout.tags import persisted_state, with_approval
from reconciler.rollout.wording import join
from reconciler.spec.author import Author
from reconciler.spec.image import Image, follows_latest, same, short
from reconciler.spec.scale_set import Approval, Approver, OnFailure, ScaleSet
from reconciler.spec.wording import printable

_LONGEST = 100  # of a name, as in `suspend.by`


class Name(click.ParamType[str]):
    """Who somebody is, in one short line."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if len(value) > _LONGEST or not value.isprintable() or not value.strip():
            self.fail(f"{printable(value)!r} is no name: write one of {_LONGEST} letters at most", param, ctx)
        return value.strip()


@click.command(cls=Verb)
@click.argument("name")
@click.option(
    "--by",
    type=Name(),
    metavar="WHO",
    help="Who approves, where the identity is not the person's own.  [default: what the token tells]",
)
@fleet_options
def approve(*, name: str, by: str | None, fleet: FleetAccess) -> None:
    """Approve the image that is declared for a scale set, where `rollout.approval` asks for it.

    NAME is that of its spec. The approval is of this one image, and stands on a tag of the scale set, with
    who gave it and when on another: whoever may write tags may approve. Where the spec follows latest, it is
    of the version that this means now.
    """
    in_force = scale_sets_in_force(fleet.specs, "approved")
    desired = in_force[name] if name in in_force else fail(unknown(name, in_force))
    if desired.rollout.approval is None:
        fail(f"{name}: nothing waits for an approval: its spec asks for none (spec.rollout.approval)")
    announce(fleet.session)
    compute = Compute(fleet.session)
    try:
        approver = Person.of(identity(fleet.session), by)
        authors = _authors(desired, fleet.specs)
        said = insist(lambda: _approve(desired, approver, authors, compute))
    except (AzureFailure, Kept) as why:
        fail(f"{name}: {why}")
    click.echo(f"{name}: {said}")


@dataclass(frozen=True, slots=True)
class Person:
    """Who approves: `by` is the name that they said, or else what their token tells, "" where neither does.
    `token` is what the latter tells."""

    by: str
    token: str

    @classmethod
    def of(cls, identity: Identity, said: str | None) -> "Person":
        return cls(said or identity.short[:_LONGEST], identity.short[:_LONGEST])


def _authors(desired: ScaleSet, specs: Specs) -> tuple[Author, ...]:
    """Who wrote the declared image, where the spec asks for that; nobody where it cannot be told."""
    if desired.rollout.approver is Approver.ANYONE:
        return ()
    return specs.authors(desired, specs.commit)


def _approve(desired: ScaleSet, approver: Person, authors: Sequence[Author], compute: Compute) -> str:
    """What came of it. Raises AzureFailure, and Kept."""
    model = declared_model(desired, compute)
    image = _exact(desired, model, compute)
    if model.persisted.rollback_target(image) and desired.rollout.on_failure is not OnFailure.HOLD:
        fail(
            f"{desired.name}: {short(image)} was given up, and no approval brings it back: declare another "
            f"image, or run `reconciler retry {desired.name}`"
        )
    if objection(replace(desired, image=image), model.persisted, authors) is None:
        before = model.persisted.signature_of(image)
        return f"{short(image)} is approved already{f', {before}' if before else ''}"
    early = desired.rollout.approval is Approval.CANARY and not _has_begun(desired, model, image, compute)
    signature = Signature.of(image, approver.by, compute.now(), approver.token)
    is_kept = _is_kept(model, image, signature)
    if desired.rollout.approver is Approver.ANOTHER and (
        lacks := _shortcoming(signature, authors, is_kept=is_kept)
    ):
        fail(f"{desired.name}: {lacks}")
    compute.approve(desired.target, model, image, signature)
    beforehand = " before any instance was upgraded, so that the rollout will not stop after its canary"
    unkept = "" if is_kept else "there is no room for a tag that keeps who and when; "
    return (
        f"{short(image)} is approved {signature}{beforehand if early else ''}; "
        f"{unkept}{_unjudged(desired, authors)}{onward(desired)}"
    )


def _shortcoming(signature: Signature, authors: Sequence[Author], *, is_kept: bool) -> str:
    """Why the approval would not be that of another than the author, in words, or ""."""
    if not signature.by:
        return "the token does not tell who approves, as rollout.approver asks: say it with --by"
    if not is_kept:
        return "there is no room for a tag that keeps who approves, as rollout.approver asks: remove a tag"
    if own := approving_authors(signature, authors):
        return (
            f"{join(map(str, own))} wrote the commit that declares the image, and rollout.approver asks for "
            "another: let somebody else approve it"
        )
    return ""


def _unjudged(desired: ScaleSet, authors: Sequence[Author]) -> str:
    """That nobody knows here whether it is enough, in words, or ""."""
    if authors or desired.rollout.approver is Approver.ANYONE:
        return ""
    return "who wrote the commit is not known here, and the daemon will say whether this is enough; "


def _is_kept(model: Model, image: Image, signature: Signature) -> bool:
    """Whether the tags have room for who approves, and when."""
    after = persisted_state(with_approval(model.tags, image, signature))
    return after.signature_of(image) is not None


def _has_begun(desired: ScaleSet, model: Model, image: Image, compute: Compute) -> bool:
    """Whether the model and some instance are on this image, as far as Azure tells."""
    if model.image is None or not same(model.image, image):
        return False
    try:
        instances = compute.instances(desired.target, model, Share.ROLLOUT)
    except AzureFailure:
        return True  # no reason not to approve
    return has_begun(replace(desired, image=image), model, instances)


def _exact(desired: ScaleSet, model: Model, compute: Compute) -> Image:
    """The image that the daemon would set."""
    available = None
    if follows_latest(desired.image):
        available = compute.availability(desired.image, model, Share.ROLLOUT)
    found = exact_spec(desired, model, available)
    if isinstance(found, Decision):
        fail(f"{desired.name}: {found.message}")
    return found.image if found else desired.image
