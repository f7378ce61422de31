"""Evidence against an image: more of the upgraded instances are lost than may be, and a larger share than of
the rest.

Only this gives an image up. A shared database that fails takes all instances with it, those on the new image
and those on the old one; a deadline that passes says nothing about the image at all.

    20 instances, 1 unhealthy before, a batch of 4 taken while serving, all 4 lost: 4 of 4 against 0 of 15
    20 instances, 4 upgraded, all 20 unhealthy: 4 of 4 against 16 of 16, no evidence
    20 instances, 10 upgraded, 2 of them lost, 2 of the other 10 unhealthy: 2 of 10 against 2 of 10, no
    evidence

An upgrade whose operation says that the operating system or an extension could not be provisioned may leave
its instances on what they ran. The second one in a row is evidence: the first may be a hiccup.

    attempt 1 OSProvisioningTimedOut, attempt 2 VMExtensionProvisioningError: evidence
    attempt 1 OSProvisioningTimedOut, attempt 2 QuotaExceeded, AllocationFailed or ScopeLocked: no evidence

An instance that says so of itself has its time like any other: Azure may mend it, and while it is waited for
no other is touched.

What was unhealthy when the rollout began, or when it was taken, counts on neither side. A new process does
not know which those were, and counts all.
"""

from reconciler.rollout.context import Context
from reconciler.rollout.health import State
from reconciler.rollout.member import Member, is_overdue

# What Azure says of an instance that could not be made from its image. Quota, capacity, policy, lock and
# conflict are no fault of it.
_OF_THE_IMAGE = ("osprovisioning", "vmextension")
MOST_RELAPSES = 3  # of upgraded instances within one soak


def has_evidence_against_image(context: Context) -> bool:
    """Whether the image that the rollout is to is to blame."""
    counted = [
        each for each in context.members if each.instance.id not in context.observed.progress.not_serving
    ]
    upgraded = [each for each in counted if not each.is_outdated or _is_being_upgraded(each, context)]
    rest = [each for each in counted if each not in upgraded]
    lost = sum(_has_failed(each, context) for each in upgraded)
    if lost <= context.rollout.max_unhealthy_upgraded.within(len(upgraded)):
        return False
    not_serving = sum(each.state not in {State.HEALTHY, State.DEALLOCATED} for each in rest)
    return not rest or lost * len(rest) > not_serving * len(upgraded)


def has_failed_twice(context: Context) -> bool:
    """Whether two upgrades in a row could not make instances of the image, by what became of them."""
    attempt, operation = context.observed.attempt, context.observed.operation
    if attempt is None or not attempt.is_upgrade_to(context.image):
        return False
    error = operation.error if operation else attempt.error
    return _blames_image(error) and _blames_image(attempt.earlier_error)


def _blames_image(error: str) -> bool:
    return error.casefold().startswith(_OF_THE_IMAGE)


def is_flapping(member: Member) -> bool:
    """Whether it was upgraded and is back, and fell sick too often since."""
    return (
        not member.is_outdated and member.state is State.HEALTHY and member.instance.relapses >= MOST_RELAPSES
    )


def _has_failed(member: Member, context: Context) -> bool:
    """Whether it was given its time, and is not serving: by its own clock, by that of its batch, which
    repairs and scaling keep filling with young ones, or because it falls sick again and again. Or whether it
    could not be made, and may serve on what it ran."""
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
    """Whether our upgrade of it has not come to an end, and may never do."""
    attempt = context.observed.attempt
    is_ours = attempt is not None and member.instance.id in attempt.instance_ids
    is_moving = member.state is State.IN_TRANSITION or _failed_to_provision(member, context)
    return is_ours and (is_moving or _failed_to_upgrade(member, context))


def _failed_to_upgrade(member: Member, context: Context) -> bool:
    """Whether our upgrade of it has failed again and again, and it is on what it ran."""
    attempt = context.observed.attempt
    is_ours = attempt is not None and member.instance.id in attempt.instance_ids
    return is_ours and not member.instance.runs(context.image) and has_failed_twice(context)


def _failed_to_provision(member: Member, context: Context) -> bool:
    """Whether our upgrade of it failed in a way that tells of the image."""
    instance, attempt = member.instance, context.observed.attempt
    is_ours = attempt is not None and instance.id in attempt.instance_ids
    return is_ours and instance.provisioning == "failed" and _blames_image(instance.error)
