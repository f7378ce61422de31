"""The one table of reasons: why a scale set has its status, and everything that follows from each reason.

To add a reason, add a member of `Reason`, a row of `TABLE`, and a row in `tests/daemon/test_reasons.py`.
`docs/reasons.md` is generated from the table (`reason_rows`). Code that needs several reasons selects them
with `reasons_where`. A test rejects any other list of reasons.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, StrEnum, auto

from reconciler.spec.duration import format_duration


class Status(StrEnum):
    """The condition of a scale set in one word."""

    READY = "Ready"  # the scale set is as declared
    RECONCILING = "Reconciling"  # in progress; nothing to do
    WAITING = "Waiting"  # blocked on purpose by a gate of its spec: a window, an approval, a slot
    FAILING = "Failing"  # blocked; resumes automatically once the cause is gone
    STALLED = "Stalled"  # blocked until a person changes the spec or the scale set
    SUSPENDED = "Suspended"

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen until a person changes something."""
        return self in {Status.READY, Status.STALLED, Status.SUSPENDED}

    @property
    def is_alarming(self) -> bool:
        """Whether a person should be alerted."""
        return self in {Status.FAILING, Status.STALLED}


class Phase(Enum):
    """The phase of a rollout, according to its last decision."""

    BEGINS = auto()  # a step has just been taken
    AWAITS = auto()  # the rollout waits for the instances of a step
    RETRIES = auto()  # the last step failed or had no effect, and says nothing new about health
    PASSES = auto()  # no wait for instances: the upgraded ones were found healthy
    DONE = auto()  # every instance that can be upgraded runs the image
    ROLLED_BACK = auto()  # the image failed, and the model is back on the last good one


class Slot(Enum):
    """What a reason does to the concurrency slot of its scale set (`spec.maxConcurrentRollouts`)."""

    HOLDS = auto()  # holds a slot: a rollout is in progress, even if this process did not see it begin
    ASKS = auto()  # keeps a slot that it holds, or asks for one before its first step
    KEEPS = auto()  # unchanged, because nothing is known about the rollout
    FREES = auto()  # holds no slot


class Hold(Enum):
    """A ban on changes to a scale set that lasts until a person lifts it."""

    FREEZE = auto()  # `spec.freeze` of the Fleet
    PAUSE = auto()  # `reconciler pause`, of the fleet or of the scale set
    UNKNOWN_PAUSE = auto()  # whether the fleet is paused could not be read
    SUSPENSION = auto()  # `spec.suspend`


class Requeue(Enum):
    """When the next reconcile happens if the decision names no time."""

    SWEEP = auto()  # at every sweep
    ON_CHANGE = auto()  # when the list shows a change, the wait has ended, or `spec.interval` has passed


@dataclass(frozen=True, slots=True)
class Meaning:
    """All that follows from a reason. `cause` completes "because ...", and `remedy` says what must happen."""

    status: Status
    cause: str
    remedy: str
    phase: Phase = Phase.PASSES
    slot: Slot = Slot.ASKS
    requeue: Requeue = Requeue.SWEEP
    fails_after: timedelta | None = None  # a longer wait counts as failing (see `wait`); None: never
    ends_when: str = ""  # in the words of a forecast
    is_failure: bool = False  # the rollout has failed, and `rollout.onFailure` decides what happens next
    is_error: bool = False  # a call failed, or the reconciler did: nothing was decided
    is_conclusive: bool = True  # what is declared now has been decided on
    names_instances: bool = False  # its message names the instances that are not serving
    is_unseen: bool = False  # earlier observations no longer count
    is_latest_unknown: bool = False  # it is unknown whether anything differs from latest
    keeps_batch: bool = False  # the last batch is still unavailable, or that is unknown
    is_pause: bool = False  # a wait between batches that the spec asks for
    hold: Hold | None = None  # nothing is changed, because a person said so
    is_queued: bool = False  # it waits only for others that go first
    is_retried: bool = False  # its step is retried, and the scale set is Failing meanwhile
    is_routine: bool = False  # while Reconciling, it is logged for debugging only

    @property
    def is_about_health(self) -> bool:
        """Whether the scale set is Failing because instances do not serve."""
        return self.status is Status.FAILING and self.names_instances


class Reason(StrEnum):
    """Why a scale set has its status. The words are stable, because alerts and scripts match on them."""

    UP_TO_DATE = "UpToDate"
    SUSPENDED = "Suspended"
    SUSPENSION_EXPIRED = "SuspensionExpired"
    FROZEN = "Frozen"
    FREEZE_EXPIRED = "FreezeExpired"
    PAUSED = "Paused"
    PAUSE_EXPIRED = "PauseExpired"
    PAUSE_UNKNOWN = "PauseUnknown"
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
    CLAIMED = "Claimed"
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
    AZURE_UPDATING = "AzureUpdating"
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
    SOURCE_STALE = "SourceStale"
    PAUSE_UNREAD = "PauseUnread"
    AWAITING_PILOT = "AwaitingPilot"
    AWAITING_TURN = "AwaitingTurn"
    INSTANCES_LEFT_OUT = "InstancesLeftOut"
    # Nothing was decided: a call failed, or the reconciler itself did.
    REFUSED = "Refused"
    CONFLICT = "Conflict"
    THROTTLED = "Throttled"
    NOT_LEADING = "NotLeading"
    UNREACHABLE = "Unreachable"
    MALFORMED_RESPONSE = "MalformedResponse"
    BUG = "Bug"

    @property
    def meaning(self) -> Meaning:
        return TABLE[self]


TABLE: dict[Reason, Meaning] = {
    Reason.UP_TO_DATE: Meaning(
        Status.READY,
        cause="every instance runs the declared image",
        remedy="nothing to do",
        phase=Phase.DONE,
        slot=Slot.FREES,
        requeue=Requeue.ON_CHANGE,
    ),
    Reason.SUSPENDED: Meaning(
        Status.SUSPENDED,
        cause="`spec.suspend` is set",
        remedy="remove `spec.suspend`, or set it to false",
        slot=Slot.FREES,
        requeue=Requeue.ON_CHANGE,
        hold=Hold.SUSPENSION,
    ),
    Reason.SUSPENSION_EXPIRED: Meaning(
        Status.STALLED,
        cause="`spec.suspend.until` has passed, and a suspension never ends by itself",
        remedy="remove `spec.suspend`, or extend it",
        slot=Slot.FREES,
        requeue=Requeue.ON_CHANGE,
        hold=Hold.SUSPENSION,
    ),
    Reason.FROZEN: Meaning(
        Status.SUSPENDED,
        cause="`spec.freeze` of the Fleet is set, so nothing is written to any scale set",
        remedy="remove `spec.freeze` of the Fleet, or set it to false",
        slot=Slot.KEEPS,
        requeue=Requeue.ON_CHANGE,
        hold=Hold.FREEZE,
    ),
    Reason.FREEZE_EXPIRED: Meaning(
        Status.STALLED,
        cause="`spec.freeze.until` of the Fleet has passed, and a freeze never ends by itself",
        remedy="remove `spec.freeze`, or extend it",
        slot=Slot.KEEPS,
        requeue=Requeue.ON_CHANGE,
        hold=Hold.FREEZE,
    ),
    Reason.PAUSED: Meaning(
        Status.SUSPENDED,
        cause="`reconciler pause` has paused the fleet or the scale set, so nothing is written to it",
        remedy="run `reconciler resume`",
        slot=Slot.KEEPS,
        requeue=Requeue.ON_CHANGE,
        hold=Hold.PAUSE,
    ),
    Reason.PAUSE_EXPIRED: Meaning(
        Status.STALLED,
        cause="the `--until` time of the pause has passed, and a pause never ends by itself",
        remedy="run `reconciler resume`, or pause again until a later time",
        slot=Slot.KEEPS,
        requeue=Requeue.ON_CHANGE,
        hold=Hold.PAUSE,
    ),
    Reason.PAUSE_UNKNOWN: Meaning(
        Status.STALLED,
        cause=(
            "the resource group in `spec.pauseTag` of the Fleet has been unreadable since the daemon "
            "started, so the fleet counts as paused"
        ),
        remedy="grant `Microsoft.Resources/tags/read` on the resource group, or correct `spec.pauseTag`",
        slot=Slot.KEEPS,
        requeue=Requeue.ON_CHANGE,
        hold=Hold.UNKNOWN_PAUSE,
    ),
    Reason.NOT_FOUND: Meaning(
        Status.STALLED,
        cause="Azure has no scale set with this subscription, resource group and name",
        remedy="correct `spec.target`, or remove the spec",
        slot=Slot.FREES,
        is_unseen=True,
    ),
    Reason.PARTIAL_READ: Meaning(
        Status.RECONCILING,
        cause=(
            "Azure listed fewer instances than exist, listed one twice, or reported no state for one; "
            "nothing is changed after a partial read, except that the model may return to the last good image"
        ),
        remedy=(
            "resumes automatically once Azure reports every instance; if the list stays short, Azure could "
            "not create every instance: free up quota for them, or set the capacity to the number of "
            "instances that exist"
        ),
        slot=Slot.KEEPS,
        fails_after=timedelta(minutes=5),
    ),
    Reason.READS_TOO_SLOW: Meaning(
        Status.RECONCILING,
        cause=(
            "Azure answers so slowly that its first answer is too old to act on by the time the last one "
            "arrives"
        ),
        remedy="resumes automatically once Azure answers faster",
        slot=Slot.KEEPS,
        fails_after=timedelta(minutes=5),
    ),
    Reason.MANAGED_BY_ANOTHER: Meaning(
        Status.STALLED,
        cause="another controller created the scale set, changes its image and drains its instances",
        remedy="remove the spec; set the image in that controller",
    ),
    Reason.OWNED_BY_ANOTHER_FLEET: Meaning(
        Status.STALLED,
        cause="the tag `vmss-reconciler-state` names another fleet",
        remedy=(
            "remove the spec, or run `reconciler adopt --take-over NAME` to move the scale set to this fleet"
        ),
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
        cause=(
            "Azure returned the scale set without an etag, so a write could overwrite another writer's change"
        ),
        remedy="resumes automatically once Azure returns an etag; a proxy in between must pass it on",
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
            "Azure itself upgrades the instances as soon as the model changes: all at once in Automatic "
            "mode, in batches in Rolling mode"
        ),
        remedy="set `upgradePolicy.mode` to Manual",
    ),
    Reason.AUTOMATIC_OS_UPGRADE: Meaning(
        Status.STALLED,
        cause="Azure changes the image as well, and requires the model to be on latest",
        remedy="turn off automatic OS image upgrades",
    ),
    Reason.NATIVE_UPGRADE_IN_PROGRESS: Meaning(
        Status.FAILING,
        cause="someone started Azure's own rolling upgrade",
        remedy="wait until it ends, or cancel it; the rollout then resumes automatically",
    ),
    Reason.STATE_UNREADABLE: Meaning(
        Status.STALLED,
        cause=(
            "the tag `vmss-reconciler-state` has an unknown format: a later version of the reconciler wrote "
            "it, or somebody changed it"
        ),
        remedy="run that version, or remove the tag and lose what it records",
    ),
    Reason.CLAIMED: Meaning(
        Status.WAITING,
        cause=(
            "`reconciler upgrade` found no daemon, and has claimed the scale set to upgrade instances itself"
        ),
        remedy="continues when the command has ended, or at the time in the message",
        slot=Slot.KEEPS,
        requeue=Requeue.ON_CHANGE,
        keeps_batch=True,
        ends_when="when the claim ends",
    ),
    Reason.IMAGE_UNREADABLE: Meaning(
        Status.STALLED,
        cause="the model has no image that the reconciler supports",
        remedy="set a supported image on the model, or remove the spec",
    ),
    Reason.IMAGE_TYPE_IMMUTABLE: Meaning(
        Status.STALLED,
        cause="Azure cannot change a scale set from one kind of image to another",
        remedy="declare an image of the same kind, or create a new scale set",
    ),
    Reason.IMAGE_INCOMPATIBLE: Meaning(
        Status.STALLED,
        cause=(
            "the generation, architecture, disk size, security type or purchase plan of the image is not "
            "compatible with the scale set"
        ),
        remedy="declare a compatible image; the message names each incompatibility",
    ),
    Reason.IMAGE_NOT_FOUND: Meaning(
        Status.STALLED,
        cause="the catalogue has no such image in this region",
        remedy="correct `spec.image`, or publish the image",
    ),
    Reason.IMAGE_NOT_REPLICATED: Meaning(
        Status.STALLED,
        cause="the image is not in the region of the scale set",
        remedy="add the region to the image's target regions",
    ),
    Reason.IMAGE_REPLICATING: Meaning(
        Status.RECONCILING,
        cause="the image is being copied to the region of the scale set",
        remedy="resumes automatically once the copy is complete",
        fails_after=timedelta(hours=4),
    ),
    Reason.IMAGE_DEPRECATED: Meaning(
        Status.STALLED,
        cause="Azure creates no instance from a deprecated image",
        remedy="declare a newer image",
    ),
    Reason.NO_LATEST_VERSION: Meaning(
        Status.STALLED,
        cause="no version of the image qualifies as latest in this region",
        remedy="publish a version there that is not excluded from latest",
        is_latest_unknown=True,
    ),
    Reason.CATALOGUE_UNREADABLE: Meaning(
        Status.RECONCILING,
        cause="the image cannot be resolved to a version; a rollout in progress continues",
        remedy=(
            "resumes automatically once the catalogue answers; assign the role if it is missing, or declare "
            "an exact version if the image is in another tenant"
        ),
        is_latest_unknown=True,
        fails_after=timedelta(minutes=5),
    ),
    Reason.TOO_MANY_MODELS: Meaning(
        Status.STALLED,
        cause="Azure allows the instances of a scale set to be on at most ten models at once",
        remedy="upgrade the instances on the oldest image with `az vmss update-instances`",
    ),
    Reason.NO_WAY_BACK: Meaning(
        Status.STALLED,
        cause=(
            "no rollback target is available: no image is known to be good on this scale set, or the last "
            "good one is no longer available in Azure"
        ),
        remedy="declare another image, or set `rollout.requireWayBack` to false",
        slot=Slot.HOLDS,
    ),
    Reason.TOO_MANY_TAGS: Meaning(
        Status.STALLED,
        cause="Azure allows 50 tags, and too few are left to record what a rollback needs after a restart",
        remedy="remove tags from the scale set, or set `rollout.onFailure` to `hold`",
    ),
    Reason.DOMAINS_UNKNOWN: Meaning(
        Status.STALLED,
        cause="`rollout.by` names domains that Azure does not report for this scale set",
        remedy="set `by: auto`",
    ),
    Reason.AZURE_UPDATING: Meaning(
        Status.RECONCILING,
        cause=(
            "Azure is changing the scale set: it is upgrading the last batch, or another operation is "
            "in progress"
        ),
        remedy="resumes automatically once Azure has finished",
        slot=Slot.KEEPS,
        keeps_batch=True,
        fails_after=timedelta(minutes=30),
        is_routine=True,  # it follows each step of ours
    ),
    Reason.MODEL_DRIFT: Meaning(
        Status.RECONCILING,
        cause="the image of the model is not the declared one",
        remedy="the model is being set to the declared image",
        phase=Phase.BEGINS,
        slot=Slot.HOLDS,
        keeps_batch=True,
    ),
    Reason.UPGRADING: Meaning(
        Status.RECONCILING,
        cause="instances of one domain are being upgraded",
        remedy="continues once they are healthy",
        phase=Phase.BEGINS,
        slot=Slot.HOLDS,
        names_instances=True,
    ),
    Reason.MODEL_UPDATE_FAILED: Meaning(
        Status.RECONCILING,
        cause="Azure accepted a change to the model's image, but apparently failed to apply it",
        remedy="the image is being set again; no instance is upgraded before that",
        phase=Phase.BEGINS,
        slot=Slot.HOLDS,
        keeps_batch=True,
        fails_after=timedelta(minutes=5),
    ),
    Reason.CONTESTED: Meaning(
        Status.FAILING,
        cause=(
            "another writer repeatedly reverts the image of the model, or changes instances again "
            "each time `converge: model` has upgraded them"
        ),
        remedy=(
            "let only one writer set the image: use `ignore_changes` in Terraform, remove the "
            "spec, or set `converge: image`"
        ),
        slot=Slot.HOLDS,
        keeps_batch=True,
    ),
    Reason.OPERATION_FAILED: Meaning(
        Status.FAILING,
        cause="the operation of the last step failed, for the reason that Azure gives",
        remedy="fix what Azure names, or merge a fix; the step is retried after 5, 10 and 20 minutes",
        phase=Phase.RETRIES,
        slot=Slot.HOLDS,
        keeps_batch=True,
        is_retried=True,
    ),
    Reason.NO_EFFECT: Meaning(
        Status.RECONCILING,
        cause="Azure accepted a step that has had no visible effect yet; Azure's lists may be out of date",
        remedy=(
            "the step is retried after 5, 10 and 20 minutes; after that the rollout stops until the spec "
            "changes or `reconciler retry NAME` is run"
        ),
        phase=Phase.RETRIES,
        slot=Slot.HOLDS,
        keeps_batch=True,
        fails_after=timedelta(minutes=5),
    ),
    Reason.WAITING_FOR_INSTANCES: Meaning(
        Status.RECONCILING,
        cause="instances are not healthy yet, so no other instance is upgraded",
        remedy=(
            "continues once they are healthy; an instance that is not healthy within `health.timeout` of its "
            "upgrade fails the rollout (`HealthCheckFailed`)"
        ),
        phase=Phase.AWAITS,
        slot=Slot.HOLDS,
        names_instances=True,
        keeps_batch=True,
    ),
    Reason.HEALTH_CHECK_FAILED: Meaning(
        Status.FAILING,
        cause=(
            "upgraded instances did not become healthy within `health.timeout`, so no other instance "
            "is upgraded"
        ),
        remedy=(
            "resumes automatically once they are healthy, or once a fix is merged; a fix is rolled out to "
            "the unhealthy instances at once"
        ),
        phase=Phase.AWAITS,
        slot=Slot.HOLDS,
        is_failure=True,
        names_instances=True,
        keeps_batch=True,
    ),
    Reason.PROGRESS_DEADLINE_EXCEEDED: Meaning(
        Status.FAILING,
        cause=(
            "`rollout.progressDeadline` passed without another instance of the batch becoming healthy; "
            "repairs do not extend it"
        ),
        remedy=(
            "resumes automatically once one becomes healthy, or once a fix is merged; a fix is rolled out to "
            "the unhealthy instances at once; an upgrade without effect is retried once the spec changes or "
            "`reconciler retry NAME` is run"
        ),
        phase=Phase.AWAITS,
        slot=Slot.HOLDS,
        is_failure=True,
        names_instances=True,
        keeps_batch=True,
    ),
    Reason.DEADLINE_EXCEEDED: Meaning(
        Status.FAILING,
        cause="the whole rollout has taken longer than `rollout.deadline`, so no more instances are upgraded",
        remedy="extend or remove the deadline, declare another image, or run `reconciler retry NAME`",
        slot=Slot.HOLDS,
        is_failure=True,
    ),
    Reason.GIVING_UP: Meaning(
        Status.RECONCILING,
        cause="the rollout failed, and `rollout.onFailure` is repin or rollback",
        remedy="the model is being set back to the last good image",
        phase=Phase.BEGINS,
        slot=Slot.HOLDS,
    ),
    Reason.ROLLOUT_FAILED: Meaning(
        Status.STALLED,
        cause="the declared image failed on this scale set and is not retried",
        remedy=(
            "declare another image (it is rolled out to the unhealthy instances at once), or run `reconciler "
            "retry NAME` to try this one again"
        ),
        phase=Phase.ROLLED_BACK,
        slot=Slot.HOLDS,
        requeue=Requeue.ON_CHANGE,
    ),
    Reason.CONFIRMING_HEALTH: Meaning(
        Status.RECONCILING,
        cause=("every upgraded instance must be found healthy in `health.passes` consecutive checks"),
        remedy="continues within seconds",
    ),
    Reason.SOAKING: Meaning(
        Status.RECONCILING,
        cause="the last batch must stay healthy for the time in `soak`",
        remedy="continues at the time in the message",
        is_pause=True,
    ),
    Reason.BAKING: Meaning(
        Status.RECONCILING,
        cause=(
            "all instances run the image, and the last batch must stay healthy for the time in "
            "`rollout.bakeTime`"
        ),
        remedy="ends at the time in the message",
        is_pause=True,
    ),
    Reason.EVICTED_AFTER_UPGRADE: Meaning(
        Status.RECONCILING,
        cause=(
            "Azure evicted more Spot instances soon after their upgrade than is tolerated, so one "
            "instance is upgraded at a time, at growing intervals"
        ),
        remedy="continues at the time in the message",
    ),
    Reason.CANARY_MISSING: Meaning(
        Status.STALLED,
        cause="`rollout.canary` names only instances that do not exist or cannot be upgraded",
        remedy="name other instances, or a number of instances",
    ),
    Reason.TOO_MANY_UNHEALTHY: Meaning(
        Status.FAILING,
        cause=(
            "more instances are unhealthy than `rollout.maxUnhealthy` allows, for any reason, so no "
            "serving instance is upgraded"
        ),
        remedy=(
            "resumes automatically once enough are healthy; repair, unprotect or delete those that are not"
        ),
        names_instances=True,
    ),
    Reason.TOO_MANY_UNAVAILABLE: Meaning(
        Status.FAILING,
        cause="as many instances are unavailable as `rollout.maxUnavailable` allows, for any reason",
        remedy=(
            "resumes automatically once enough are available; repair, delete or deallocate those that are not"
        ),
        names_instances=True,
    ),
    Reason.OUTSIDE_WINDOW: Meaning(
        Status.WAITING,
        cause=("no window of `rollout.windows` or of the Fleet allows serving instances to be upgraded now"),
        remedy="continues when the next window opens; a fix for unhealthy instances does not wait",
        requeue=Requeue.ON_CHANGE,
        ends_when="when the window opens",
    ),
    Reason.AWAITING_APPROVAL: Meaning(
        Status.WAITING,
        cause="`rollout.approval` requires a person to approve exactly this image",
        remedy="run `reconciler approve`",
        requeue=Requeue.ON_CHANGE,
        ends_when="after approval",
    ),
    Reason.TOO_MUCH_CHANGE: Meaning(
        Status.STALLED,
        cause=(
            "the commit changes the image of more scale sets than `spec.maxChange` of the Fleet allows, so "
            "none of them is changed"
        ),
        remedy="split the commit, or raise `spec.maxChange`",
        requeue=Requeue.ON_CHANGE,
        ends_when="once maxChange allows it",
    ),
    Reason.DEPENDENCY_NOT_READY: Meaning(
        Status.WAITING,
        cause="a scale set that goes first, by `dependsOn` or by its `wave`, is not Ready",
        remedy="continues once it is Ready",
        slot=Slot.FREES,
        requeue=Requeue.ON_CHANGE,
        ends_when="once the scale sets before it are done",
    ),
    Reason.CHECK_FAILED: Meaning(
        Status.FAILING,
        cause="a check in `rollout.checks` fails or does not answer",
        remedy="resumes automatically once it passes",
        ends_when="once its check passes",
    ),
    Reason.IMAGE_FAILED_ELSEWHERE: Meaning(
        Status.STALLED,
        cause="the image failed in more scale sets than `spec.maxFailedRollouts` of the Fleet allows",
        remedy=(
            "declare another image, fix the scale sets in which it failed, or run `reconciler "
            "retry --image IMAGE` to try this one again"
        ),
        requeue=Requeue.ON_CHANGE,
        ends_when="once the breaker allows it",
    ),
    Reason.SOURCE_STALE: Meaning(
        Status.WAITING,
        cause=(
            "the specs could not be read for longer than `--source-max-age`, so they may have changed; "
            "rollouts in progress continue"
        ),
        remedy="continues once the specs can be read again",
        requeue=Requeue.ON_CHANGE,
        ends_when="once the specs can be read",
    ),
    Reason.PAUSE_UNREAD: Meaning(
        Status.FAILING,
        cause=(
            "the resource group in `spec.pauseTag` of the Fleet could not be read for more than five "
            "minutes, so the fleet may have been paused; no serving instance is upgraded"
        ),
        remedy="continues once the resource group can be read; check `Microsoft.Resources/tags/read` on it",
        requeue=Requeue.ON_CHANGE,
        ends_when="once the pause tag can be read",
    ),
    Reason.AWAITING_PILOT: Meaning(
        Status.WAITING,
        cause="another scale set of its wave takes the new image first",
        remedy="continues once the first batch of that scale set has passed its soak",
        requeue=Requeue.ON_CHANGE,
        ends_when="after the first batch of the pilot",
        is_queued=True,
    ),
    Reason.AWAITING_TURN: Meaning(
        Status.WAITING,
        cause=(
            "as many scale sets are rolling out, or have a failed rollout, as `spec.maxConcurrentRollouts` "
            "of the Fleet allows"
        ),
        remedy="continues once one of them frees its slot",
        requeue=Requeue.ON_CHANGE,
        ends_when="once `maxConcurrentRollouts` has room",
        is_queued=True,
    ),
    Reason.INSTANCES_LEFT_OUT: Meaning(
        Status.READY,
        cause=(
            "some instances are left out because they are protected, deallocated, or changed individually; "
            "all others run the declared image"
        ),
        remedy=(
            "nothing is blocked; to upgrade them too, unprotect, start or delete them, or set "
            "`customizedInstances: overwrite`"
        ),
        phase=Phase.DONE,
        slot=Slot.FREES,
        requeue=Requeue.ON_CHANGE,
    ),
    Reason.REFUSED: Meaning(
        Status.STALLED,
        cause=(
            "Azure rejected the call; the message has Azure's reason, such as a missing role, a lock, a "
            "quota or a change that is never allowed"
        ),
        remedy="fix what Azure names; the call is retried after a minute, and eventually every ten minutes",
        is_error=True,
    ),
    Reason.CONFLICT: Meaning(
        Status.RECONCILING,
        cause="another writer changed the scale set, or another operation is in progress",
        remedy="the step is retried within seconds, and eventually every five minutes",
        is_error=True,
        is_conclusive=False,
        fails_after=timedelta(minutes=5),
    ),
    Reason.THROTTLED: Meaning(
        Status.RECONCILING,
        cause=("Azure's request budget is used up for now; the last known status of the scale set is kept"),
        remedy="resumes automatically once the budget allows",
        is_error=True,
        is_conclusive=False,
        fails_after=timedelta(minutes=15),
        is_routine=True,  # one scale set of all that are throttled is logged every few minutes
    ),
    Reason.NOT_LEADING: Meaning(
        Status.RECONCILING,
        cause=(
            "the Lease of this replica was not renewed in time to send a write, so another replica may soon "
            "take the lead"
        ),
        remedy="resumes automatically once the Lease is renewed, here or by another replica; "
        "check what keeps the replica from reaching the Kubernetes API",
        is_error=True,
        is_conclusive=False,
        fails_after=timedelta(minutes=5),
    ),
    Reason.UNREACHABLE: Meaning(
        Status.RECONCILING,
        cause="Azure did not answer, or no identity was found",
        remedy="resumes automatically once Azure answers; `reconciler check` shows what is missing",
        is_error=True,
        is_conclusive=False,
        fails_after=timedelta(minutes=5),
    ),
    Reason.MALFORMED_RESPONSE: Meaning(
        Status.RECONCILING,
        cause=(
            "Azure sent an answer that is not JSON, lacks a required field, has a field of the wrong "
            "type, or points to another host"
        ),
        remedy="resumes automatically once an answer is valid; look for a proxy that alters answers",
        is_error=True,
        is_conclusive=False,
        fails_after=timedelta(minutes=5),
    ),
    Reason.BUG: Meaning(
        Status.FAILING,
        cause="the reconciler failed because of a bug",
        remedy="report it, with the log",
        is_error=True,
        is_conclusive=False,
    ),
}


def meaning_of(word: str) -> Meaning | None:
    """The row of the reason `word`, or None if only another version of this program knows that reason.

    >>> meaning_of("UpToDate") is Reason.UP_TO_DATE.meaning, meaning_of("Unheard")
    (True, None)
    """
    try:
        return Reason(word).meaning
    except ValueError:
        return None


def reasons_where(holds: Callable[[Meaning], bool]) -> frozenset[Reason]:
    """The reasons whose rows satisfy `holds`.

    >>> sorted(reasons_where(lambda meaning: meaning.is_pause))
    [<Reason.BAKING: 'Baking'>, <Reason.SOAKING: 'Soaking'>]
    """
    return frozenset(reason for reason, meaning in TABLE.items() if holds(meaning))


def reason_rows() -> Iterator[str]:
    """The lines of the table in docs/reasons.md."""
    yield "| you see | status | because | what happens next |"
    yield "|---|---|---|---|"
    for reason, meaning in TABLE.items():
        status = str(meaning.status)
        if meaning.fails_after is not None and meaning.status is Status.RECONCILING:
            status += f", Failing after {format_duration(meaning.fails_after)}"
        yield f"| `{reason}` | {status} | {meaning.cause} | {meaning.remedy} |"
