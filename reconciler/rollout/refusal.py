"""Scale sets that the reconciler does not change, and why: another writer, or a change that Azure never
allows.

Each refusal lasts until a person changes the spec or the scale set. None is worked around. To add one: a
branch here, a `Reason`, and a row in the table of the test.
"""

from datetime import datetime

from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import Model, RollingUpgrade
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.wording import moment
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.suspension import Suspension


def active_hold(desired: ScaleSet, at: datetime) -> Decision | None:
    """The freeze of the fleet or the suspension of the scale set, expired or not, or None.

    It needs no observation, and applies regardless of what one would show.
    """
    if freeze := desired.fleet.freeze:
        reason = Reason.FREEZE_EXPIRED if _is_over(freeze, at) else Reason.FROZEN
        return _hold_decision(freeze, reason, ("the fleet is frozen", "freeze"), "spec.freeze of the Fleet")
    if suspension := desired.suspend:
        reason = Reason.SUSPENSION_EXPIRED if _is_over(suspension, at) else Reason.SUSPENDED
        return _hold_decision(suspension, reason, ("suspended", "suspension"), "spec.suspend")
    return None


def _hold_decision(suspension: Suspension, reason: Reason, words: tuple[str, str], field: str) -> Decision:
    """`words` are "suspended" and "suspension", or those of a freeze."""
    state, noun = words
    by = f" by {suspension.by}" if suspension.by else ""
    if not suspension.reason:
        return Decision(reason, f"{field} is true; nothing is changed until it is false")
    if suspension.until is None:
        return Decision(
            reason, f"{state}{by}: {suspension.reason}; nothing is changed until {field} is removed"
        )
    until = moment(suspension.until)
    if reason.meaning.status is Status.SUSPENDED:
        return Decision(reason, f"{state}{by} until {until}: {suspension.reason}")
    return Decision(
        reason,
        f"the {noun}{by} ended at {until} ({suspension.reason}); nothing is changed until {field} is "
        "removed or extended",
    )


def _is_over(suspension: Suspension, at: datetime) -> bool:
    return suspension.until is not None and at >= suspension.until


def refusal(desired: ScaleSet, model: Model, rolling_upgrade: RollingUpgrade | None) -> Decision | None:
    """Why `model` must not be set to the image of `desired`, or None. The longest-lasting reason is first."""
    if foreign := _foreign_owner(desired, model):
        return foreign
    image = desired.image
    if not model.has_profile:
        return Decision(
            Reason.NO_PROFILE,
            "the scale set has no virtualMachineProfile: its virtual machines were attached by hand and "
            "follow no model; remove the spec",
        )
    if model.service_fabric:
        return Decision(
            Reason.SERVICE_FABRIC,
            "the Service Fabric extension is installed, and its infrastructure service upgrades these nodes; "
            "remove the spec",
        )
    if model.automatic_os_upgrade:
        return Decision(
            Reason.AUTOMATIC_OS_UPGRADE,
            "automatic OS image upgrade is on, so Azure changes images too; "
            "set upgradePolicy.automaticOSUpgradePolicy.enableAutomaticOSUpgrade to false",
        )
    if model.mode != "Manual":
        return Decision(
            Reason.NOT_MANUAL_MODE,
            f"the upgrade mode is {model.mode or 'not set'}: Azure would upgrade instances by itself as "
            "soon as the model changes; set upgradePolicy.mode to Manual",
        )
    if rolling_upgrade and rolling_upgrade.running:
        return Decision(
            Reason.NATIVE_UPGRADE_IN_PROGRESS,
            f"Azure's own rolling upgrade is running ({rolling_upgrade.code}); wait for it, or cancel it "
            "with `az vmss rolling-upgrade cancel`",
        )
    if not model.persisted.is_readable:
        return Decision(
            Reason.STATE_UNREADABLE,
            "a later version of the reconciler wrote the tag vmss-reconciler-state, so the failed image is "
            "unknown; run that version, or remove the tag",
        )
    if model.image is None:
        return Decision(
            Reason.IMAGE_UNREADABLE,
            "the model has no image of a known kind; set one on the scale set, or remove the spec",
        )
    if model.image.kind != image.kind:
        return Decision(
            Reason.IMAGE_TYPE_IMMUTABLE,
            f"the model has a {model.image.kind} image and the spec a {image.kind} image, and Azure cannot "
            f"change the kind; declare a {model.image.kind} image, or create a new scale set",
        )
    return None


def _foreign_owner(desired: ScaleSet, model: Model) -> Decision | None:
    """The other owner of the scale set, or None. Another fleet may be this one under its former name."""
    if model.owner:
        return Decision(Reason.MANAGED_BY_ANOTHER, f"{_describe_owner(model.owner)}; remove the spec")
    owner, ours = model.persisted.fleet, desired.fleet.name
    if owner in {"", ours}:
        return None
    declared = f"these specs to {ours}" if ours else "these specs have no Fleet"
    return Decision(
        Reason.OWNED_BY_ANOTHER_FLEET,
        f"the scale set belongs to the fleet {owner}, and {declared}; remove the spec, or run "
        f"`reconciler adopt --take-over {desired.name}`",
    )


def _describe_owner(owner: str) -> str:
    """The owner in words. Only a known controller, not any resource in "managedBy", is sure to change the
    image."""
    if owner.startswith("/"):
        return f"managedBy of the scale set names {owner}, which may also change its image"
    return f"the scale set belongs to {owner}, which changes its image and drains its instances by itself"
