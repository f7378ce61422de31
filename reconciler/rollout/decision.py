"""What was decided about one scale set: at most one step, and one line that says why.

`Decision.line` is the log line, the event, the table cell, the answer of `plan` and what tests expect;
nobody words it a second time.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.rollout.step import Step
from reconciler.rollout.survey import Survey


class Reason(StrEnum):
    """Why a scale set is where it is. Stable: alerts and scripts match on these words."""

    UP_TO_DATE = "UpToDate"
    SUSPENDED = "Suspended"
    SUSPENSION_EXPIRED = "SuspensionExpired"
    NOT_FOUND = "NotFound"
    PARTIAL_READ = "PartialRead"
    SERVICE_FABRIC = "ServiceFabric"
    NOT_MANUAL_MODE = "NotManualMode"
    AUTOMATIC_OS_UPGRADE = "AutomaticOSUpgrade"
    NATIVE_UPGRADE_IN_PROGRESS = "NativeUpgradeInProgress"
    IMAGE_UNREADABLE = "ImageUnreadable"
    IMAGE_TYPE_IMMUTABLE = "ImageTypeImmutable"
    IMAGE_NOT_FOUND = "ImageNotFound"
    IMAGE_NOT_REPLICATED = "ImageNotReplicated"
    IMAGE_REPLICATING = "ImageReplicating"
    IMAGE_DEPRECATED = "ImageDeprecated"
    NO_LATEST_VERSION = "NoLatestVersion"
    CATALOGUE_UNREADABLE = "CatalogueUnreadable"
    TOO_MANY_MODELS = "TooManyModels"
    DOMAINS_UNKNOWN = "DomainsUnknown"
    AZURE_BUSY = "AzureBusy"
    MODEL_DRIFT = "ModelDrift"
    UPGRADING = "Upgrading"
    OPERATION_FAILED = "OperationFailed"
    NO_EFFECT = "NoEffect"
    WAITING_FOR_INSTANCES = "WaitingForInstances"
    HEALTH_CHECK_FAILED = "HealthCheckFailed"
    GIVING_UP = "GivingUp"
    ROLLOUT_FAILED = "RolloutFailed"
    SOAKING = "Soaking"
    CANARY_MISSING = "CanaryMissing"
    TOO_MANY_UNAVAILABLE = "TooManyUnavailable"
    INSTANCES_LEFT_OUT = "InstancesLeftOut"


class Look(StrEnum):
    """A fact that the decision needs and that has not been looked at yet."""

    MODEL = "model"
    INSTANCES = "instances"
    ROLLING_UPGRADE = "rolling upgrade"
    IMAGE = "image"
    OPERATION = "operation"


@dataclass(frozen=True, slots=True)
class Decision:
    """One reason, one message for people, and at most one step.

    `soon` asks for the next look in seconds instead of at the next sweep: something is moving. `until` is
    when the next step may be taken, where that is known.
    `survey` counts the instances by domain where they were looked at.
    """

    reason: Reason
    message: str
    step: Step | None = None
    soon: bool = False
    until: datetime | None = None
    survey: Survey | None = None

    @property
    def line(self) -> str:
        """The whole decision in one line."""
        return f"{self.reason}: {self.message}"
