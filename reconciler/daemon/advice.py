"""What stands behind each reason, and what a person does about it: for `reconciler why` and docs/reasons.md.

The line of an outcome says what is so here and now; this says what it means anywhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.daemon.outcome import FAILED, STANDINGS
from reconciler.rollout.reason import Reason


@dataclass(frozen=True, slots=True)
class Advice:
    """`cause` is what is the case, `onward` what has to be the case for it to go on."""

    cause: str
    onward: str


_ITSELF = "by itself"

ADVICE: Mapping[str, Advice] = {
    Reason.UP_TO_DATE: Advice("every instance runs the declared image", "nothing is to be done"),
    Reason.SUSPENDED: Advice("`spec.suspend` says so", "remove `spec.suspend`, or set it to false"),
    Reason.SUSPENSION_EXPIRED: Advice(
        "`spec.suspend.until` has passed, and nothing resumes by itself",
        "remove `spec.suspend`, or extend it",
    ),
    Reason.FROZEN: Advice(
        "the document of kind Fleet says so of all scale sets: nothing at all is written",
        "remove `spec.freeze` of the Fleet, or set it to false",
    ),
    Reason.FREEZE_EXPIRED: Advice(
        "`spec.freeze.until` of the Fleet has passed, and nothing resumes by itself",
        "remove `spec.freeze`, or extend it",
    ),
    Reason.NOT_FOUND: Advice(
        "Azure knows no scale set of this subscription, resource group and name",
        "correct `spec.target`, or remove the spec",
    ),
    Reason.PARTIAL_READ: Advice(
        "Azure listed fewer instances than there are, one twice, or one without a state; nothing is done on "
        "that",
        f"{_ITSELF}, once a list is whole",
    ),
    Reason.MANAGED_BY_ANOTHER: Advice(
        "another controller made the scale set, changes its image and drains its instances by itself",
        "remove the spec; choose the image where that controller is told of it",
    ),
    Reason.NO_PROFILE: Advice(
        "a Flexible scale set without a `virtualMachineProfile` has no model that instances could follow",
        "remove the spec, or give the scale set a profile",
    ),
    Reason.ETAG_MISSING: Advice(
        "without the etag of the scale set a change could overwrite somebody else's",
        f"{_ITSELF}, once Azure sends one; a proxy that removes it has to let it pass",
    ),
    Reason.SERVICE_FABRIC: Advice(
        "the infrastructure service of Service Fabric upgrades these nodes", "remove the spec"
    ),
    Reason.NOT_MANUAL_MODE: Advice(
        "in Automatic mode Azure takes all instances down at once as soon as the model changes; in Rolling "
        "mode it rolls by itself",
        "set `upgradePolicy.mode` to Manual",
    ),
    Reason.AUTOMATIC_OS_UPGRADE: Advice(
        "Azure changes images too, and requires latest", "switch automatic OS image upgrade off"
    ),
    Reason.NATIVE_UPGRADE_IN_PROGRESS: Advice(
        "somebody started a rolling upgrade of Azure's own", f"{_ITSELF}, once it has ended; or cancel it"
    ),
    Reason.IMAGE_UNREADABLE: Advice(
        "the model has no image of a kind that is known here", "set the model to an image, or remove the spec"
    ),
    Reason.IMAGE_TYPE_IMMUTABLE: Advice(
        "Azure never changes a scale set from one kind of image to another",
        "name an image of the same kind, or make a new scale set",
    ),
    Reason.IMAGE_INCOMPATIBLE: Advice(
        "the image does not fit the scale set: its generation, architecture, disk size, security type or "
        "purchase plan",
        "name one that fits; the line says what has to",
    ),
    Reason.IMAGE_NOT_FOUND: Advice(
        "the catalogue has no such image in this region", "correct `spec.image`, or publish it"
    ),
    Reason.IMAGE_NOT_REPLICATED: Advice(
        "the image is not in the region of the scale set", "add the region to the image's target regions"
    ),
    Reason.IMAGE_REPLICATING: Advice(
        "the image is being copied to the region of the scale set", f"{_ITSELF}, once the copy is there"
    ),
    Reason.IMAGE_DEPRECATED: Advice("Azure makes no instance from a deprecated image", "name a newer one"),
    Reason.NO_LATEST_VERSION: Advice(
        "no version of the image can be the latest in this region",
        "publish one there that is not excluded from latest",
    ),
    Reason.CATALOGUE_UNREADABLE: Advice(
        "what the latest version is cannot be looked up; a rollout under way goes on",
        f"{_ITSELF}, once the catalogue answers; a role that is missing has to be granted",
    ),
    Reason.TOO_MANY_MODELS: Advice(
        "Azure allows ten models in use in a scale set at once",
        "bring the oldest instances to the model by hand: `az vmss update-instances`",
    ),
    Reason.DOMAINS_UNKNOWN: Advice(
        "`rollout.by` names domains that Azure does not report for this scale set", "write `by: auto`"
    ),
    Reason.AZURE_BUSY: Advice("Azure is at work on the scale set", f"{_ITSELF}, once it has finished"),
    Reason.MODEL_DRIFT: Advice("the model is on another image than the declared one", "it is being set"),
    Reason.UPGRADING: Advice("instances of one domain are being upgraded", f"{_ITSELF}, once they are back"),
    Reason.OPERATION_FAILED: Advice(
        "the operation that an upgrade started has failed, for the reason that Azure gives",
        "mend what it names, or merge a fix; the same step is tried again every five minutes",
    ),
    Reason.NO_EFFECT: Advice(
        "Azure accepted a step of which nothing shows; its lists may be behind",
        f"{_ITSELF}; the same step is tried again every five minutes",
    ),
    Reason.WAITING_FOR_INSTANCES: Advice(
        "instances are not back and healthy yet, so no other is touched", f"{_ITSELF}, once they are"
    ),
    Reason.HEALTH_CHECK_FAILED: Advice(
        "instances that were upgraded are not back and healthy within `health.timeout`, so no other is "
        "touched",
        f"{_ITSELF}, once they are healthy; or merge a fix, which goes to the sick first and at once",
    ),
    Reason.PROGRESS_DEADLINE_EXCEEDED: Advice(
        "no further instance of the batch has come back within `rollout.progressDeadline`, however young "
        "each one is: repairs may be replacing them again and again",
        f"{_ITSELF}, once one comes back; or merge a fix, which goes to the sick first and at once",
    ),
    Reason.DEADLINE_EXCEEDED: Advice(
        "all of the rollout has taken longer than `rollout.deadline`, so no further instance is touched",
        "extend or remove the deadline, or name another image",
    ),
    Reason.GIVING_UP: Advice(
        "the rollout has failed, and `rollout.onFailure` asks to give the image up",
        "the model is being set back to the last known good image",
    ),
    Reason.ROLLOUT_FAILED: Advice(
        "the declared image was given up, and is not tried again",
        "name another image: it goes first, at once; or empty the tag `reconciler-failed` to try it again",
    ),
    Reason.CONFIRMING_HEALTH: Advice(
        "every upgraded instance has to be seen healthy as many times in a row as `health.passes` says",
        f"{_ITSELF}, within seconds",
    ),
    Reason.SOAKING: Advice(
        "the last batch has to have been back for as long as `soak` says",
        f"{_ITSELF}, at the time that is named",
    ),
    Reason.BAKING: Advice(
        "all instances are on the image, and the last ones have to have been back for as long as "
        "`rollout.bakeTime` says",
        f"{_ITSELF}, at the time that is named",
    ),
    Reason.CANARY_MISSING: Advice(
        "`rollout.canary` names instances of which none can be upgraded", "name others, or a number of them"
    ),
    Reason.TOO_MANY_UNHEALTHY: Advice(
        "so many instances are sick, whatever made them so, that `rollout.maxUnhealthy` allows no working "
        "one to be taken down",
        f"{_ITSELF}, once enough are well; heal, unprotect or delete those that are not",
    ),
    Reason.TOO_MANY_UNAVAILABLE: Advice(
        "so many instances are away, whoever took them down, that `rollout.maxUnavailable` allows no other",
        f"{_ITSELF}, once enough are back; heal, delete or deallocate those that are not",
    ),
    Reason.OUTSIDE_WINDOW: Advice(
        "no window of `rollout.windows`, or of the Fleet, allows working instances to be taken down now",
        f"{_ITSELF}, when the next one opens; what is sick is cured all the same",
    ),
    Reason.AWAITING_APPROVAL: Advice(
        "`rollout.approval` asks for a person's word on this very image", "run `reconciler approve`"
    ),
    Reason.TOO_MUCH_CHANGE: Advice(
        "the commit changes the images of more scale sets than `spec.maxChange` of the Fleet allows, so it "
        "changes none of them",
        "split the commit, or raise `spec.maxChange`",
    ),
    Reason.DEPENDENCY_NOT_READY: Advice(
        "a scale set that goes first, by `dependsOn` or by its `wave`, is not Ready",
        f"{_ITSELF}, once it is",
    ),
    Reason.CHECK_FAILED: Advice(
        "a check of `rollout.checks` does not pass, or gives no answer",
        f"{_ITSELF}, once it passes",
    ),
    Reason.AWAITING_TURN: Advice(
        "as many scale sets roll, or have failed to, as `spec.maxConcurrentRollouts` of the Fleet allows",
        f"{_ITSELF}, once one of them is done",
    ),
    Reason.INSTANCES_LEFT_OUT: Advice(
        "instances that are protected or deallocated cannot be upgraded now; all others are",
        "nothing is held up; unprotect, start or delete them to have them follow",
    ),
    "Refused": Advice(
        "Azure itself said no, in its own words: a role that is missing, a lock, a quota, a change that it "
        "never allows",
        "as they say; it is asked again at every sweep",
    ),
    "Conflict": Advice(
        "somebody else was faster, or something else is at work on the scale set",
        f"{_ITSELF}, within seconds",
    ),
    "Throttled": Advice(
        "Azure's request budget leaves nothing to us just now; the scale set stands as it stood",
        f"{_ITSELF}, as soon as it does",
    ),
    "Unreachable": Advice(
        "Azure gave no answer, or no identity was found",
        f"{_ITSELF}, once it answers; `reconciler check` tells what is missing",
    ),
    "MalformedResponse": Advice(
        "Azure sent an answer that is not JSON, lacks what every such answer has, has a field of another "
        "type, or leads to another host",
        f"{_ITSELF}, once an answer makes sense; look for a proxy in between",
    ),
    "Bug": Advice("the reconciler made a mistake of its own", "report it, with its log"),
}


def table() -> Iterator[str]:
    """The lines of the table in docs/reasons.md."""
    yield "| you see | it stands | because | it goes on |"
    yield "|---|---|---|---|"
    for reason, advice in ADVICE.items():
        standing = STANDINGS.get(reason) or FAILED[reason]
        yield f"| `{reason}` | {standing} | {advice.cause} | {advice.onward} |"
