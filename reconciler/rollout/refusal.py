"""Refusals to change a scale set: it has another writer, or Azure never allows the change.

Each refusal lasts until a person changes the spec or the scale set. The reconciler works around none of them.
To add a refusal, add a branch here, a `Reason`, and a row in the table of the test.
"""

from datetime import UTC, datetime

from reconciler.rollout.decision import Decision
from reconciler.rollout.observed import Model, RollingUpgrade
from reconciler.rollout.pause import FleetPause, Pause
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.wording import moment
from reconciler.spec.scale_set import ScaleSet
from reconciler.spec.suspension import Suspension


def active_hold(
    desired: ScaleSet, fleet_pause: FleetPause, model: Model | None, at: datetime
) -> Decision | None:
    """The decision for the active hold, or None.

    If there are several holds, the first in this order counts: the freeze, the pause of the fleet, the
    suspension, the pause of the scale set. A hold lasts until a person lifts it, even after it has expired.
    `model` is the model that was read last.
    """
    if freeze := desired.fleet.freeze:
        reason = Reason.FREEZE_EXPIRED if _is_over(freeze.until, at) else Reason.FROZEN
        return _hold_decision(freeze, reason, ("the fleet", "frozen", "freeze"), "the Fleet's spec.freeze")
    if fleet_pause.pause:
        return _pause_decision(fleet_pause.pause, "the fleet", "--all", at)
    if fleet_pause.unknown:
        return Decision(Reason.PAUSE_UNKNOWN, describe_fleet_pause(fleet_pause))
    if suspension := desired.suspend:
        reason = Reason.SUSPENSION_EXPIRED if _is_over(suspension.until, at) else Reason.SUSPENDED
        return _hold_decision(
            suspension, reason, ("the scale set", "suspended", "suspension"), "spec.suspend"
        )
    if model and model.persisted.pause:
        return _pause_decision(model.persisted.pause, "the scale set", desired.name, at)
    return None


def is_on_hold(desired: ScaleSet, fleet_pause: FleetPause, model: Model | None) -> bool:
    """Whether there is a hold, expired or not."""
    is_expired_at = datetime.max.replace(tzinfo=UTC)
    return active_hold(desired, fleet_pause, model, is_expired_at) is not None


def _hold_decision(hold: Suspension, reason: Reason, words: tuple[str, str, str], field: str) -> Decision:
    """The decision for a suspension or a freeze.

    `words` are "the scale set", "suspended" and "suspension", or their counterparts for a freeze.
    """
    who, state, noun = words
    if not hold.reason:
        return Decision(reason, f"{field} is true; no changes until it is false")
    stops = f"{hold.by} has {state} {who}" if hold.by else f"{who} is {state}"
    if hold.until is None:
        return Decision(reason, f"{stops} ({hold.reason}); no changes until {field} is removed")
    until = moment(hold.until)
    if reason.meaning.status is Status.SUSPENDED:
        return Decision(
            reason,
            f"{stops} until at least {until} ({hold.reason}); no changes until {field} is removed",
        )
    by = f" set by {hold.by}" if hold.by else ""
    return Decision(
        reason,
        f"the {noun}{by} ({hold.reason}) expired at {until} but still blocks every change; remove or "
        f"extend {field}",
    )


def _pause_decision(pause: Pause, who: str, what: str, at: datetime) -> Decision:
    """The decision to change nothing while `who` is paused.

    `what` is the argument with which `reconciler resume` lifts the pause.
    """
    resume = f"`reconciler resume {what}`"
    if pause.until and _is_over(pause.until, at):
        by = f" set by {pause.by}" if pause.by else ""
        why = f" ({pause.reason})" if pause.reason else ""
        expired = (
            f"the pause{by}{why} expired at {moment(pause.until)} but still blocks every change; run {resume}"
        )
        return Decision(Reason.PAUSE_EXPIRED, expired)
    return Decision(Reason.PAUSED, f"{describe_pause(pause, who)}; no changes until {resume} is run")


def describe_pause(pause: Pause, who: str, verb: str = "is") -> str:
    """Who paused `who`, when and why: "the fleet was paused by ada at ...".

    `verb` replaces "was" if the time is unknown.
    """
    by = f" by {pause.by}" if pause.by else ""
    when = f" at {moment(pause.at)}" if pause.at else ""
    why = f" ({pause.reason})" if pause.reason else ""
    return f"{who} {'was' if when else verb} paused{by}{when}{why}"


def describe_fleet_pause(fleet_pause: FleetPause) -> str:
    """Who has paused the fleet, or why it counts as paused, or "" if it is not paused."""
    if fleet_pause.pause:
        return describe_pause(fleet_pause.pause, "the fleet")
    return f"the fleet counts as paused, because {fleet_pause.unknown}" if fleet_pause.unknown else ""


def _is_over(until: datetime | None, at: datetime) -> bool:
    return until is not None and at >= until


def refusal(desired: ScaleSet, model: Model, rolling_upgrade: RollingUpgrade | None) -> Decision | None:
    """Why `model` must not be set to the image of `desired`, or None. Reasons that last longer come first."""
    if foreign := _foreign_owner(desired, model):
        return foreign
    image = desired.image
    if not model.has_profile:
        return Decision(
            Reason.NO_PROFILE,
            "the scale set has no virtualMachineProfile to update, because its virtual machines were "
            "attached by hand; remove the spec",
        )
    if model.service_fabric:
        return Decision(
            Reason.SERVICE_FABRIC,
            "the Service Fabric extension is installed, and its infrastructure service upgrades the "
            "instances; remove the spec",
        )
    if model.automatic_os_upgrade:
        return Decision(
            Reason.AUTOMATIC_OS_UPGRADE,
            "automatic OS image upgrade is on, so Azure also changes images; "
            "set upgradePolicy.automaticOSUpgradePolicy.enableAutomaticOSUpgrade to false",
        )
    if model.mode != "Manual":
        return Decision(
            Reason.NOT_MANUAL_MODE,
            f"the upgrade mode is {model.mode or 'not set'}, so Azure would upgrade instances by itself as "
            "soon as the model changes; set upgradePolicy.mode to Manual",
        )
    if rolling_upgrade and rolling_upgrade.running:
        return Decision(
            Reason.NATIVE_UPGRADE_IN_PROGRESS,
            f"Azure's own rolling upgrade is running ({rolling_upgrade.code}); wait for it to end, or cancel "
            "it with `az vmss rolling-upgrade cancel`",
        )
    if not model.persisted.is_readable:
        return Decision(
            Reason.STATE_UNREADABLE,
            "the tag vmss-reconciler-state has an unknown format, so this version cannot tell which image "
            "failed; run the later version that wrote it, or remove the tag if none did",
        )
    if model.image is None:
        return Decision(
            Reason.IMAGE_UNREADABLE,
            "the model has no image that the reconciler supports; set one on the scale set, or "
            "remove the spec",
        )
    if model.image.kind != image.kind:
        return Decision(
            Reason.IMAGE_TYPE_IMMUTABLE,
            f"Azure cannot change the model's {model.image.words} image to a {image.words} image; "
            f"declare a {model.image.words} image, or create a new scale set",
        )
    return None


def foreign_claim(model: Model, holder: str) -> Decision | None:
    """The decision to wait because a `reconciler upgrade` elsewhere has claimed the scale set, or None.

    `holder` is the id of this process. The caller removes an expired claim from `model` first.
    """
    claim = model.persisted.claim
    if claim is None or claim.holder == holder:
        return None
    return Decision(
        Reason.CLAIMED,
        f"{claim.by or 'someone'} is running `reconciler upgrade`, which has claimed the scale set until "
        f"{moment(claim.until)}",
        until=claim.until,
    )


def _foreign_owner(desired: ScaleSet, model: Model) -> Decision | None:
    """The decision not to change the scale set because it has another owner, or None.

    A fleet with a different name might be this fleet under its former name.
    """
    if model.owner:
        return Decision(Reason.MANAGED_BY_ANOTHER, f"{_describe_owner(model.owner)}; remove the spec")
    owner, ours = model.persisted.fleet, desired.fleet.claim
    if owner in {"", ours}:
        return None
    declared = f'your specs belong to "{ours}"' if ours else "your specs declare no Fleet"
    return Decision(
        Reason.OWNED_BY_ANOTHER_FLEET,
        f'the scale set belongs to the fleet "{owner}", but {declared}; remove the spec, or run '
        f"`reconciler adopt --take-over {desired.name}`",
    )


def _describe_owner(owner: str) -> str:
    """A phrase that names the owner of the scale set and says what the owner does.

    A known controller certainly changes the image. Any other resource in "managedBy" might.
    """
    if owner.startswith("/"):
        return f"the scale set's managedBy names {owner}, and that resource may also change the image"
    return f"the scale set belongs to {owner}, which sets the image and drains the instances itself"
