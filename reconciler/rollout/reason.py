"""Why a scale set is where it is: every reason there is, and all that follows from each. The one table of
them.

To add one: a member of `Reason`, a row of `TABLE`, a row in `tests/daemon/test_reasons.py`. `docs/reasons.md`
is made from the table (`reason_rows`). Whoever needs several reasons asks the table for them
(`reasons_where`); a test finds any other list.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum, auto

from reconciler.spec.duration import format_duration


class Status(StrEnum):
    """How a scale set stands, in one word: what a person scans a table for."""

    READY = "Ready"  # it is as declared
    RECONCILING = "Reconciling"  # on its way; nothing to do for a person
    WAITING = "Waiting"  # held on purpose by a gate of its spec: a window, an approval, its turn
    FAILING = "Failing"  # held, and looked at again at every sweep: it goes on once the cause is gone
    STALLED = "Stalled"  # nothing will happen until a person changes the spec or the scale set
    SUSPENDED = "Suspended"

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self in {Status.READY, Status.STALLED, Status.SUSPENDED}

    @property
    def is_alarming(self) -> bool:
        """Whether a person should know."""
        return self in {Status.FAILING, Status.STALLED}


class Phase(Enum):
    """Where a rollout is, by the last decision."""

    BEGINS = auto()  # a step has just been taken
    AWAITS = auto()  # instances of a step are waited for
    PASSES = auto()  # nothing is waited for: the upgraded instances were found as they should be
    DONE = auto()  # all that can be is on the image
    ROLLED_BACK = auto()  # the image failed, and the model is back on the last good one


class Slot(Enum):
    """What becomes of the place under `spec.maxConcurrentRollouts`."""

    HOLDS = auto()  # a rollout is under way, also to a process that did not see it begin
    ASKS = auto()  # one that is held is kept; whoever has none asks for one before its first step
    KEEPS = auto()  # nothing can be told: it stays as it was
    FREES = auto()  # none is held


class Requeue(Enum):
    """When it is looked at again, where no time is named."""

    SWEEP = auto()  # at every sweep
    ON_CHANGE = (
        auto()
    )  # when the list shows that it moved, what it waits for has come, or its interval has passed


@dataclass(frozen=True, slots=True)
class Meaning:
    """All that follows from one reason. `cause` and `remedy` complete "because" and "what has to happen"."""

    status: Status
    cause: str
    remedy: str
    phase: Phase = Phase.PASSES
    slot: Slot = Slot.ASKS
    requeue: Requeue = Requeue.SWEEP
    fails_after: timedelta | None = None  # a wait that is older counts as failing (`wait`); None: never
    ends_when: str = ""  # in the words of a forecast
    is_failure: bool = False  # the rollout has failed, and `rollout.onFailure` decides what happens next
    is_error: bool = False  # a call failed, or we did: nothing was decided
    is_conclusive: bool = True  # the last decision is about what is declared
    names_instances: bool = False  # its message names those that are not serving
    is_unseen: bool = False  # earlier observations say nothing any more
    is_latest_unknown: bool = False  # it is unknown whether something differs from latest
    keeps_batch: bool = False  # the last batch is still unavailable, or that is unknown
    is_pause: bool = False  # a wait between batches that the spec asks for
    is_hold: bool = False  # the spec says that nothing is to be done
    is_queued: bool = False  # it waits only for others that go first
    is_retried: bool = False  # its step is retried, and it is failing meanwhile


class Reason(StrEnum):
    """Why a scale set is where it is. Stable: alerts and scripts match on these words."""

    UP_TO_DATE = "UpToDate"
    SUSPENDED = "Suspended"
    SUSPENSION_EXPIRED = "SuspensionExpired"
    FROZEN = "Frozen"
    FREEZE_EXPIRED = "FreezeExpired"
    NOT_FOUND = "NotFound"
    PARTIAL_READ = "PartialRead"
    READS_TOO_SLOW = "ReadsTooSlow"
    MANAGED_BY_ANOTHER = "ManagedByAnother"
    OWNED_BY_ANOTHER_FLEET = "OwnedByAnotherFleet"
    NO_PROFILE = "NoProfile"
    ETAG_MISSING = "EtagMissing"
    SERVICE_FABRIC = "ServiceFabric"
    NOT_MANUAL_MODE = "NotManualMode"
    AUTOMATIC_OS_UPGRADE = "AutomaticOSUpgrade"
    NATIVE_UPGRADE_IN_PROGRESS = "NativeUpgradeInProgress"
    STATE_UNREADABLE = "StateUnreadable"
    IMAGE_UNREADABLE = "ImageUnreadable"
    IMAGE_TYPE_IMMUTABLE = "ImageTypeImmutable"
    IMAGE_INCOMPATIBLE = "ImageIncompatible"
    IMAGE_NOT_FOUND = "ImageNotFound"
    IMAGE_NOT_REPLICATED = "ImageNotReplicated"
    IMAGE_REPLICATING = "ImageReplicating"
    IMAGE_DEPRECATED = "ImageDeprecated"
    NO_LATEST_VERSION = "NoLatestVersion"
    CATALOGUE_UNREADABLE = "CatalogueUnreadable"
    TOO_MANY_MODELS = "TooManyModels"
    NO_WAY_BACK = "NoWayBack"
    TOO_MANY_TAGS = "TooManyTags"
    DOMAINS_UNKNOWN = "DomainsUnknown"
    AZURE_BUSY = "AzureBusy"
    MODEL_DRIFT = "ModelDrift"
    UPGRADING = "Upgrading"
    MODEL_UPDATE_FAILED = "ModelUpdateFailed"
    CONTESTED = "Contested"
    OPERATION_FAILED = "OperationFailed"
    NO_EFFECT = "NoEffect"
    WAITING_FOR_INSTANCES = "WaitingForInstances"
    HEALTH_CHECK_FAILED = "HealthCheckFailed"
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    GIVING_UP = "GivingUp"
    ROLLOUT_FAILED = "RolloutFailed"
    CONFIRMING_HEALTH = "ConfirmingHealth"
    SOAKING = "Soaking"
    BAKING = "Baking"
    EVICTED_AFTER_UPGRADE = "EvictedAfterUpgrade"
    CANARY_MISSING = "CanaryMissing"
    TOO_MANY_UNHEALTHY = "TooManyUnhealthy"
    TOO_MANY_UNAVAILABLE = "TooManyUnavailable"
    OUTSIDE_WINDOW = "OutsideWindow"
    AWAITING_APPROVAL = "AwaitingApproval"
    TOO_MUCH_CHANGE = "TooMuchChange"
    DEPENDENCY_NOT_READY = "DependencyNotReady"
    CHECK_FAILED = "CheckFailed"
    IMAGE_FAILED_ELSEWHERE = "ImageFailedElsewhere"
    AWAITING_PILOT = "AwaitingPilot"
    AWAITING_TURN = "AwaitingTurn"
    INSTANCES_LEFT_OUT = "InstancesLeftOut"
    # Of what nothing could be decided about: a call failed, or we did.
    REFUSED = "Refused"
    CONFLICT = "Conflict"
    THROTTLED = "Throttled"
    UNREACHABLE = "Unreachable"
    MALFORMED_RESPONSE = "MalformedResponse"
    BUG = "Bug"

    @property
    def meaning(self) -> Meaning:
        """All that follows from it."""
        return TABLE[self]


TABLE: dict[Reason, Meaning] = {
    Reason.UP_TO_DATE: Meaning(
        Status.READY,
        cause="every instance runs the declared image",
        remedy="nothing is to be done",
        phase=Phase.DONE,
        slot=Slot.FREES,
        requeue=Requeue.ON_CHANGE,
    ),
    Reason.SUSPENDED: Meaning(
        Status.SUSPENDED,
        cause="`spec.suspend` says so",
        remedy="remove `spec.suspend`, or set it to false",
        slot=Slot.FREES,
        requeue=Requeue.ON_CHANGE,
        is_hold=True,
    ),
    Reason.SUSPENSION_EXPIRED: Meaning(
        Status.STALLED,
        cause="`spec.suspend.until` has passed, and nothing resumes by itself",
        remedy="remove `spec.suspend`, or extend it",
        slot=Slot.FREES,
        requeue=Requeue.ON_CHANGE,
        is_hold=True,
    ),
    Reason.FROZEN: Meaning(
        Status.SUSPENDED,
        cause="the document of kind Fleet says so of all scale sets: nothing at all is written",
        remedy="remove `spec.freeze` of the Fleet, or set it to false",
        slot=Slot.KEEPS,
        requeue=Requeue.ON_CHANGE,
        is_hold=True,
    ),
    Reason.FREEZE_EXPIRED: Meaning(
        Status.STALLED,
        cause="`spec.freeze.until` of the Fleet has passed, and nothing resumes by itself",
        remedy="remove `spec.freeze`, or extend it",
        slot=Slot.KEEPS,
        requeue=Requeue.ON_CHANGE,
        is_hold=True,
    ),
    Reason.NOT_FOUND: Meaning(
        Status.STALLED,
        cause="Azure knows no scale set of this subscription, resource group and name",
        remedy="correct `spec.target`, or remove the spec",
        slot=Slot.FREES,
        is_unseen=True,
    ),
    Reason.PARTIAL_READ: Meaning(
        Status.RECONCILING,
        cause=(
            "Azure listed fewer instances than there are, one twice, or one without a state; nothing "
            "is done on that"
        ),
        remedy=(
            "by itself, once a list is whole; where it stays short, Azure could not make all instances: make "
            "room for them, or set the capacity to those there are"
        ),
        slot=Slot.KEEPS,
        fails_after=timedelta(minutes=5),
    ),
    Reason.READS_TOO_SLOW: Meaning(
        Status.RECONCILING,
        cause="Azure answers so slowly that its first answer is too old to act on when the last one comes",
        remedy="by itself, once it answers faster",
        slot=Slot.KEEPS,
        fails_after=timedelta(minutes=5),
    ),
    Reason.MANAGED_BY_ANOTHER: Meaning(
        Status.STALLED,
        cause=("another controller made the scale set, changes its image and drains its instances by itself"),
        remedy="remove the spec; choose the image where that controller is told of it",
    ),
    Reason.OWNED_BY_ANOTHER_FLEET: Meaning(
        Status.STALLED,
        cause="the tag `vmss-reconciler-state` carries the name of another fleet",
        remedy="remove the spec; or run `reconciler adopt --take-over NAME`, which makes it this fleet's",
    ),
    Reason.NO_PROFILE: Meaning(
        Status.STALLED,
        cause=(
            "a Flexible scale set without a `virtualMachineProfile` has no model that instances could follow"
        ),
        remedy="remove the spec, or give the scale set a profile",
    ),
    Reason.ETAG_MISSING: Meaning(
        Status.RECONCILING,
        cause="without the etag of the scale set a change could overwrite somebody else's",
        remedy="by itself, once Azure sends one; a proxy that removes it has to let it pass",
        fails_after=timedelta(minutes=5),
    ),
    Reason.SERVICE_FABRIC: Meaning(
        Status.STALLED,
        cause="the infrastructure service of Service Fabric upgrades these nodes",
        remedy="remove the spec",
    ),
    Reason.NOT_MANUAL_MODE: Meaning(
        Status.STALLED,
        cause=(
            "in Automatic mode Azure takes all instances down at once as soon as the model changes; "
            "in Rolling mode it rolls by itself"
        ),
        remedy="set `upgradePolicy.mode` to Manual",
    ),
    Reason.AUTOMATIC_OS_UPGRADE: Meaning(
        Status.STALLED,
        cause="Azure changes images too, and requires latest",
        remedy="switch automatic OS image upgrade off",
    ),
    Reason.NATIVE_UPGRADE_IN_PROGRESS: Meaning(
        Status.FAILING,
        cause="somebody started a rolling upgrade of Azure's own",
        remedy="by itself, once it has ended; or cancel it",
    ),
    Reason.STATE_UNREADABLE: Meaning(
        Status.STALLED,
        cause="a later version of the reconciler wrote the tag `vmss-reconciler-state`",
        remedy="run that version, or remove the tag to begin without what it says",
    ),
    Reason.IMAGE_UNREADABLE: Meaning(
        Status.STALLED,
        cause="the model has no image of a kind that is known here",
        remedy="set the model to an image, or remove the spec",
    ),
    Reason.IMAGE_TYPE_IMMUTABLE: Meaning(
        Status.STALLED,
        cause="Azure never changes a scale set from one kind of image to another",
        remedy="name an image of the same kind, or make a new scale set",
    ),
    Reason.IMAGE_INCOMPATIBLE: Meaning(
        Status.STALLED,
        cause=(
            "the image does not fit the scale set: its generation, architecture, disk size, security "
            "type or purchase plan"
        ),
        remedy="name one that fits; the line says what has to",
    ),
    Reason.IMAGE_NOT_FOUND: Meaning(
        Status.STALLED,
        cause="the catalogue has no such image in this region",
        remedy="correct `spec.image`, or publish it",
    ),
    Reason.IMAGE_NOT_REPLICATED: Meaning(
        Status.STALLED,
        cause="the image is not in the region of the scale set",
        remedy="add the region to the image's target regions",
    ),
    Reason.IMAGE_REPLICATING: Meaning(
        Status.RECONCILING,
        cause="the image is being copied to the region of the scale set",
        remedy="by itself, once the copy is there",
        fails_after=timedelta(hours=4),
    ),
    Reason.IMAGE_DEPRECATED: Meaning(
        Status.STALLED,
        cause="Azure makes no instance from a deprecated image",
        remedy="name a newer one",
    ),
    Reason.NO_LATEST_VERSION: Meaning(
        Status.STALLED,
        cause="no version of the image can be the latest in this region",
        remedy="publish one there that is not excluded from latest",
        is_latest_unknown=True,
    ),
    Reason.CATALOGUE_UNREADABLE: Meaning(
        Status.RECONCILING,
        cause="what the latest version is cannot be looked up; a rollout under way goes on",
        remedy="by itself, once the catalogue answers; a role that is missing has to be granted",
        is_latest_unknown=True,
        fails_after=timedelta(minutes=5),
    ),
    Reason.TOO_MANY_MODELS: Meaning(
        Status.STALLED,
        cause="Azure allows ten models in use in a scale set at once",
        remedy="bring the oldest instances to the model by hand: `az vmss update-instances`",
    ),
    Reason.NO_WAY_BACK: Meaning(
        Status.STALLED,
        cause="there is no image to go back to that is known to be good here, and there",
        remedy="name another image; or leave out `rollout.requireWayBack`",
        slot=Slot.HOLDS,
    ),
    Reason.TOO_MANY_TAGS: Meaning(
        Status.STALLED,
        cause="Azure allows 50 tags, and there is no room for what a rollback has to know after a restart",
        remedy="remove tags of the scale set, or set `rollout.onFailure` to hold",
    ),
    Reason.DOMAINS_UNKNOWN: Meaning(
        Status.STALLED,
        cause="`rollout.by` names domains that Azure does not report for this scale set",
        remedy="write `by: auto`",
    ),
    Reason.AZURE_BUSY: Meaning(
        Status.RECONCILING,
        cause="Azure is at work on the scale set",
        remedy="by itself, once it has finished",
        slot=Slot.KEEPS,
        keeps_batch=True,
        fails_after=timedelta(minutes=30),
    ),
    Reason.MODEL_DRIFT: Meaning(
        Status.RECONCILING,
        cause="the model is on another image than the declared one",
        remedy="it is being set",
        phase=Phase.BEGINS,
        slot=Slot.HOLDS,
        keeps_batch=True,
    ),
    Reason.UPGRADING: Meaning(
        Status.RECONCILING,
        cause="instances of one domain are being upgraded",
        remedy="by itself, once they are back",
        phase=Phase.BEGINS,
        slot=Slot.HOLDS,
        names_instances=True,
    ),
    Reason.MODEL_UPDATE_FAILED: Meaning(
        Status.RECONCILING,
        cause="Azure accepted the image of the model and then failed to set it, as far as is known",
        remedy="it is being set once more; no instance follows before that",
        phase=Phase.BEGINS,
        slot=Slot.HOLDS,
        keeps_batch=True,
        fails_after=timedelta(minutes=5),
    ),
    Reason.CONTESTED: Meaning(
        Status.FAILING,
        cause=(
            "another writer sets the image of the model back, again and again; or it changes instances that "
            "`converge: model` brought to the model"
        ),
        remedy=(
            "let only one of the two name the image: `ignore_changes` in Terraform, or remove the spec; or "
            "write `converge: image`"
        ),
        slot=Slot.HOLDS,
        keeps_batch=True,
    ),
    Reason.OPERATION_FAILED: Meaning(
        Status.FAILING,
        cause="the operation of the last step has failed, for the reason that Azure gives",
        remedy="correct what it names, or merge a fix; it is tried again after 5, 10 and 20 minutes",
        phase=Phase.AWAITS,
        slot=Slot.HOLDS,
        keeps_batch=True,
        is_retried=True,
    ),
    Reason.NO_EFFECT: Meaning(
        Status.RECONCILING,
        cause="Azure accepted a step of which nothing shows; its lists may be behind",
        remedy=(
            "by itself; it is tried again after 5, 10 and 20 minutes, and then not before the spec changes "
            "or somebody runs `reconciler retry NAME`"
        ),
        phase=Phase.AWAITS,
        slot=Slot.HOLDS,
        keeps_batch=True,
        fails_after=timedelta(minutes=5),
    ),
    Reason.WAITING_FOR_INSTANCES: Meaning(
        Status.RECONCILING,
        cause="instances are not back and healthy yet, so no other is touched",
        remedy="by itself, once they are",
        phase=Phase.AWAITS,
        slot=Slot.HOLDS,
        names_instances=True,
        keeps_batch=True,
    ),
    Reason.HEALTH_CHECK_FAILED: Meaning(
        Status.FAILING,
        cause=(
            "instances that were upgraded are not back and healthy within `health.timeout`, so no "
            "other is touched"
        ),
        remedy=("by itself, once they are healthy; or merge a fix, which goes to the sick first and at once"),
        phase=Phase.AWAITS,
        slot=Slot.HOLDS,
        is_failure=True,
        names_instances=True,
        keeps_batch=True,
    ),
    Reason.PROGRESS_DEADLINE_EXCEEDED: Meaning(
        Status.FAILING,
        cause=(
            "no further instance of the batch has come back within `rollout.progressDeadline`, "
            "however young each one is: repairs may be replacing them again and again"
        ),
        remedy=(
            "by itself, once one comes back; or merge a fix, which goes to the sick first and at once; an "
            "upgrade of which nothing came is tried again once the spec changes, or somebody runs "
            "`reconciler retry NAME`"
        ),
        phase=Phase.AWAITS,
        slot=Slot.HOLDS,
        is_failure=True,
        names_instances=True,
        keeps_batch=True,
    ),
    Reason.DEADLINE_EXCEEDED: Meaning(
        Status.FAILING,
        cause=(
            "all of the rollout has taken longer than `rollout.deadline`, so no further instance is touched"
        ),
        remedy="extend or remove the deadline, name another image, or run `reconciler retry NAME`",
        slot=Slot.HOLDS,
        is_failure=True,
    ),
    Reason.GIVING_UP: Meaning(
        Status.RECONCILING,
        cause="the rollout has failed, and `rollout.onFailure` asks to give the image up",
        remedy="the model is being set back to the last known good image",
        phase=Phase.BEGINS,
        slot=Slot.HOLDS,
    ),
    Reason.ROLLOUT_FAILED: Meaning(
        Status.STALLED,
        cause="the declared image was given up, and is not tried again",
        remedy=(
            "name another image: it goes first, at once; or run `reconciler retry NAME` to try this one again"
        ),
        phase=Phase.ROLLED_BACK,
        slot=Slot.HOLDS,
        requeue=Requeue.ON_CHANGE,
    ),
    Reason.CONFIRMING_HEALTH: Meaning(
        Status.RECONCILING,
        cause=(
            "every upgraded instance has to be seen healthy as many times in a row as `health.passes` says"
        ),
        remedy="by itself, within seconds",
    ),
    Reason.SOAKING: Meaning(
        Status.RECONCILING,
        cause="the last batch has to have been back for as long as `soak` says",
        remedy="by itself, at the time that is named",
        is_pause=True,
    ),
    Reason.BAKING: Meaning(
        Status.RECONCILING,
        cause=(
            "all instances are on the image, and the last ones have to have been back for as long as "
            "`rollout.bakeTime` says"
        ),
        remedy="by itself, at the time that is named",
        is_pause=True,
    ),
    Reason.EVICTED_AFTER_UPGRADE: Meaning(
        Status.RECONCILING,
        cause=(
            "Azure has evicted more Spot instances soon after their upgrade than may be, so that one goes at "
            "a time, and ever more slowly"
        ),
        remedy="by itself, at the time that is named",
    ),
    Reason.CANARY_MISSING: Meaning(
        Status.STALLED,
        cause="`rollout.canary` names instances of which none can be upgraded",
        remedy="name others, or a number of them",
    ),
    Reason.TOO_MANY_UNHEALTHY: Meaning(
        Status.FAILING,
        cause=(
            "so many instances are sick, whatever made them so, that `rollout.maxUnhealthy` allows no "
            "working one to be taken down"
        ),
        remedy="by itself, once enough are well; heal, unprotect or delete those that are not",
        names_instances=True,
    ),
    Reason.TOO_MANY_UNAVAILABLE: Meaning(
        Status.FAILING,
        cause=(
            "so many instances are away, whoever took them down, that `rollout.maxUnavailable` allows "
            "no other"
        ),
        remedy="by itself, once enough are back; heal, delete or deallocate those that are not",
        names_instances=True,
    ),
    Reason.OUTSIDE_WINDOW: Meaning(
        Status.WAITING,
        cause=(
            "no window of `rollout.windows`, or of the Fleet, allows working instances to be taken down now"
        ),
        remedy="by itself, when the next one opens; a fix for what is sick does not wait",
        requeue=Requeue.ON_CHANGE,
        ends_when="when the window opens",
    ),
    Reason.AWAITING_APPROVAL: Meaning(
        Status.WAITING,
        cause="`rollout.approval` asks for a person's word on this very image",
        remedy="run `reconciler approve`",
        requeue=Requeue.ON_CHANGE,
        ends_when="after approval",
    ),
    Reason.TOO_MUCH_CHANGE: Meaning(
        Status.STALLED,
        cause=(
            "the commit changes the images of more scale sets than `spec.maxChange` of the Fleet "
            "allows, so it changes none of them"
        ),
        remedy="split the commit, or raise `spec.maxChange`",
        requeue=Requeue.ON_CHANGE,
        ends_when="once the cap on change lets it",
    ),
    Reason.DEPENDENCY_NOT_READY: Meaning(
        Status.WAITING,
        cause="a scale set that goes first, by `dependsOn` or by its `wave`, is not Ready",
        remedy="by itself, once it is",
        slot=Slot.FREES,
        requeue=Requeue.ON_CHANGE,
        ends_when="once what it depends on is ready",
    ),
    Reason.CHECK_FAILED: Meaning(
        Status.FAILING,
        cause="a check of `rollout.checks` does not pass, or gives no answer",
        remedy="by itself, once it passes",
        ends_when="once its check passes",
    ),
    Reason.IMAGE_FAILED_ELSEWHERE: Meaning(
        Status.STALLED,
        cause="the image has failed in more scale sets than `spec.maxFailedRollouts` of the Fleet bears",
        remedy=(
            "name another image; or heal the scale sets in which it failed; or run `reconciler retry --image "
            "IMAGE` to try this one again"
        ),
        requeue=Requeue.ON_CHANGE,
        ends_when="once the image has not failed elsewhere",
    ),
    Reason.AWAITING_PILOT: Meaning(
        Status.WAITING,
        cause="another scale set of its wave takes the new image first",
        remedy="by itself, once that has brought its first batch through its soak",
        requeue=Requeue.ON_CHANGE,
        ends_when="after the pilot",
        is_queued=True,
    ),
    Reason.AWAITING_TURN: Meaning(
        Status.WAITING,
        cause=(
            "as many scale sets roll, or have failed to, as `spec.maxConcurrentRollouts` of the Fleet allows"
        ),
        remedy="by itself, once one of them is done",
        requeue=Requeue.ON_CHANGE,
        ends_when="when it is its turn",
        is_queued=True,
    ),
    Reason.INSTANCES_LEFT_OUT: Meaning(
        Status.READY,
        cause="instances that are protected or deallocated cannot be upgraded now; all others are",
        remedy="nothing is held up; unprotect, start or delete them to have them follow",
        phase=Phase.DONE,
        slot=Slot.FREES,
        requeue=Requeue.ON_CHANGE,
    ),
    Reason.REFUSED: Meaning(
        Status.STALLED,
        cause=(
            "Azure itself said no, in its own words: a role that is missing, a lock, a quota, a "
            "change that it never allows"
        ),
        remedy="as they say; it is asked again after a minute, and in the end every ten minutes",
        is_error=True,
    ),
    Reason.CONFLICT: Meaning(
        Status.RECONCILING,
        cause="somebody else was faster, or something else is at work on the scale set",
        remedy="by itself; it is tried again after seconds, and in the end every five minutes",
        is_error=True,
        is_conclusive=False,
        fails_after=timedelta(minutes=5),
    ),
    Reason.THROTTLED: Meaning(
        Status.RECONCILING,
        cause="Azure's request budget leaves nothing to us just now; the scale set stands as it stood",
        remedy="by itself, as soon as it does",
        is_error=True,
        is_conclusive=False,
        fails_after=timedelta(minutes=15),
    ),
    Reason.UNREACHABLE: Meaning(
        Status.RECONCILING,
        cause="Azure gave no answer, or no identity was found",
        remedy="by itself, once it answers; `reconciler check` tells what is missing",
        is_error=True,
        is_conclusive=False,
        fails_after=timedelta(minutes=5),
    ),
    Reason.MALFORMED_RESPONSE: Meaning(
        Status.RECONCILING,
        cause=(
            "Azure sent an answer that is not JSON, lacks what every such answer has, has a field of "
            "another type, or leads to another host"
        ),
        remedy="by itself, once an answer makes sense; look for a proxy in between",
        is_error=True,
        is_conclusive=False,
        fails_after=timedelta(minutes=5),
    ),
    Reason.BUG: Meaning(
        Status.FAILING,
        cause="the reconciler made a mistake of its own",
        remedy="report it, with its log",
        is_error=True,
        is_conclusive=False,
    ),
}


def meaning_of(word: str) -> Meaning | None:
    """What follows from the reason that another version wrote; None for one that is not known here.

    >>> meaning_of("UpToDate") is Reason.UP_TO_DATE.meaning, meaning_of("Unheard")
    (True, None)
    """
    try:
        return Reason(word).meaning
    except ValueError:
        return None


def reasons_where(holds: Callable[[Meaning], bool]) -> frozenset[Reason]:
    """Those of which this holds.

    >>> sorted(reasons_where(lambda meaning: meaning.is_pause))
    [<Reason.BAKING: 'Baking'>, <Reason.SOAKING: 'Soaking'>]
    """
    return frozenset(reason for reason, meaning in TABLE.items() if holds(meaning))


def reason_rows() -> Iterator[str]:
    """The lines of the table in docs/reasons.md."""
    yield "| you see | it stands | because | it goes on |"
    yield "|---|---|---|---|"
    for reason, meaning in TABLE.items():
        status = str(meaning.status)
        if meaning.fails_after is not None and meaning.status is Status.RECONCILING:
            status += f", Failing after {format_duration(meaning.fails_after)}"
        yield f"| `{reason}` | {status} | {meaning.cause} | {meaning.remedy} |"
