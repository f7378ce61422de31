"""A table row for each instance of a scale set, for `status --instances`.

Every instance has a row, even if it is being deleted, was attached by hand, or cannot be upgraded.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from reconciler.rollout.member import Member, is_up_to_date, members, obstacle
from reconciler.rollout.observed import Instance, Model, Observed
from reconciler.spec.scale_set import ScaleSet

COLUMNS = (
    "scaleSet",
    "subscription",
    "resourceGroup",
    "instance",
    "image",
    "declaredImage",
    "upToDate",
    "provisioningState",
    "powerState",
    "healthState",
    "since",
    "ageSeconds",
    "protected",
    "leftOut",
)


def instance_rows(
    desired: ScaleSet, exact: ScaleSet | None, model: Model, instances: Sequence[Instance], at: datetime
) -> list[dict[str, Any]]:
    """The instances of one scale set as table rows, with the keys in COLUMNS.

    A value is None if Azure does not report it. `exact` is the spec with `latest` resolved to a version, or
    None if that version is unknown. Without `exact`, "upToDate" is None. "since" is when the provisioning
    state last changed. "leftOut" says why no upgrade reaches the instance.
    """
    found = members(exact, model, Observed(at), instances) if exact else ()
    by_id = {each.instance.id: each for each in found}
    return [
        {
            "scaleSet": desired.name,
            "subscription": desired.target.subscription,
            "resourceGroup": desired.target.resource_group,
            "instance": each.name,
            "image": str(each.image) if each.image else None,
            "declaredImage": str((exact or desired).image),
            "upToDate": is_up_to_date(each, exact) if exact else None,
            "provisioningState": each.provisioning or None,
            "powerState": each.power or None,
            "healthState": each.health or None,
            "since": each.since.isoformat() if each.since else None,
            "ageSeconds": int((at - each.since).total_seconds()) if each.since else None,
            "protected": each.protected,
            "leftOut": _why_left_out(each, by_id.get(each.id)),
        }
        for each in instances
    ]


def _why_left_out(instance: Instance, member: Member | None) -> str | None:
    if instance.is_attached:
        return "attached by hand"
    if instance.provisioning == "deleting":
        return "being deleted"
    return obstacle(member) if member and member.is_left_out else None
