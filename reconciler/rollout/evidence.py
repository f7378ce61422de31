"""Evidence against an image.

There is evidence if more upgraded instances have failed than are tolerated, and if a larger share of the
upgraded instances has failed than of the others. Only evidence makes an image fail. If a shared database
fails, all instances become unhealthy, on the new image and on the old one. A missed deadline says nothing
about the image.

    20 instances, 1 unhealthy before, a serving batch of 4 fails: 4 of 4 against 0 of 15, evidence
    20 instances, 4 upgraded, all 20 unhealthy: 4 of 4 against 16 of 16, no evidence
    20 instances, 10 upgraded, 2 of each half unhealthy: 2 of 10 against 2 of 10, no evidence

An upgrade can fail because the operating system or an extension could not be provisioned. The instances might
then still be on their earlier image. The first failure of this kind might be transient. The second in a row
is evidence.

    attempt 1 OSProvisioningTimedOut, attempt 2 VMExtensionProvisioningError: evidence
    attempt 1 OSProvisioningTimedOut, attempt 2 QuotaExceeded, AllocationFailed or ScopeLocked: no evidence

An instance that itself reports one of these errors counts as failed immediately, but nothing follows from the
failure until `health.timeout` has passed, as for any other instance. Azure might repair the instance
meanwhile, and no other instance is upgraded.

Instances that were unhealthy when the rollout began, or when they were upgraded, count on neither side. A new
process does not know which instances those were, and counts all instances.
"""

from reconciler.rollout.context import Context
from reconciler.rollout.health import State
from reconciler.rollout.member import Member, is_overdue

# Prefixes of the errors of an instance that could not be created from its image. The image does not cause
# errors of quota, capacity, policy, locks or conflicts.
OS_PROVISIONING = "osprovisioning"
_OF_THE_IMAGE = (OS_PROVISIONING, "vmextension")
MOST_RELAPSES = 3  # of upgraded instances within one soak


def has_evidence_against_image(context: Context) -> bool:
    """Whether there is evidence against the image of the rollout."""
    counted = [
        each for each in context.members if each.instance.id not in context.observed.progress.not_serving
    ]
    upgraded = [each for each in counted if not each.is_outdated or _is_being_upgraded(each, context)]
    rest = [each for each in counted if each not in upgraded]
    failed = sum(_has_failed(each, context) for each in upgraded)
    if failed <= context.rollout.max_unhealthy_upgraded.within(len(upgraded)):
        return False
    not_serving = sum(each.state not in {State.HEALTHY, State.DEALLOCATED} for each in rest)
    return not rest or failed * len(rest) > not_serving * len(upgraded)


def has_failed_twice(context: Context) -> bool:
    """Whether the last two upgrades failed because instances could not be created from the image."""
    attempt, operation = context.observed.attempt, context.observed.operation
    if attempt is None or not attempt.is_upgrade_to(context.image):
        return False
    error = operation.error if operation else attempt.error
    return _blames_image(error) and _blames_image(attempt.earlier_error)


def _blames_image(error: str) -> bool:
    return error.casefold().startswith(_OF_THE_IMAGE)


def is_flapping(member: Member) -> bool:
    """Whether the member was upgraded and is healthy, but has relapsed too often since its upgrade."""
    return (
        not member.is_outdated and member.state is State.HEALTHY and member.instance.relapses >= MOST_RELAPSES
    )


def _has_failed(member: Member, context: Context) -> bool:
    """Whether the member has failed: it does not serve, and its time to recover is over.

    That time is over once `health.timeout` has passed, once `progressDeadline` has passed for the batch,
    after repeated relapses, or if the upgrade failed because of the image. `progressDeadline` is needed
    because repairs and scaling can keep adding young instances to a batch. A member that could not be created
    on the image has failed too, even if it still serves on its earlier image.
    """
    if _failed_to_upgrade(member, context):
        return True
    if member.state in {State.HEALTHY, State.DEALLOCATED}:
        return is_flapping(member)
    progress, at = context.observed.progress, context.at
    is_late = (
        progress.waiting_since is not None and at - progress.waiting_since > context.rollout.progress_deadline
    )
    return (
        is_overdue(member.instance, context.desired, at)
        or is_late
        or progress.relapses >= MOST_RELAPSES
        or _failed_to_provision(member, context)
    )


def _is_being_upgraded(member: Member, context: Context) -> bool:
    """Whether our upgrade of the member has not succeeded so far, and might never succeed."""
    attempt = context.observed.attempt
    is_ours = attempt is not None and member.instance.id in attempt.instance_ids
    is_moving = member.state is State.IN_TRANSITION or _failed_to_provision(member, context)
    return is_ours and (is_moving or _failed_to_upgrade(member, context))


def _failed_to_upgrade(member: Member, context: Context) -> bool:
    """Whether our last two upgrades failed and left the member on its earlier image."""
    attempt = context.observed.attempt
    is_ours = attempt is not None and member.instance.id in attempt.instance_ids
    return is_ours and not member.instance.runs(context.image) and has_failed_twice(context)


def _failed_to_provision(member: Member, context: Context) -> bool:
    """Whether our upgrade of the member failed because of the image."""
    instance, attempt = member.instance, context.observed.attempt
    is_ours = attempt is not None and instance.id in attempt.instance_ids
    return is_ours and instance.provisioning == "failed" and _blames_image(instance.error)
