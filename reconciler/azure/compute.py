"""The calls to Azure Compute.

Each call is made once, with a timeout. No call waits for a long-running operation. Reads return our own
frozen values. Writes return as soon as Azure has accepted them (`polling=False`), and the next observation
shows their effect. Every failure is an AzureFailure.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError
from azure.core.polling import LROPoller
from azure.core.rest import HttpRequest
from azure.mgmt.compute.models import VirtualMachineScaleSetUpdate

from reconciler.azure import arm, auxiliary, catalogue
from reconciler.azure.budget import OperationClass, Priority
from reconciler.azure.expiring import ExpiringMap
from reconciler.azure.failure import AzureFailure, Conflict, MalformedResponse, Refused, TooManyRequests
from reconciler.azure.fields import Json
from reconciler.azure.flexible import instance_rows
from reconciler.azure.request_counter import RequestCounter
from reconciler.azure.session import Session
from reconciler.azure.single_flight import SingleFlight
from reconciler.azure.tags import read_tags
from reconciler.rollout.observed import (
    ABSENT,
    Absent,
    Availability,
    Instance,
    Model,
    Operation,
    RollingUpgrade,
    Verdict,
)
from reconciler.rollout.pause import Pause, pause_in
from reconciler.rollout.persisted import PersistedState, Signature
from reconciler.rollout.step import PatchModel, Step, Upgrade
from reconciler.rollout.tags import with_approval, with_state
from reconciler.rollout.traits import Traits
from reconciler.spec.fleet import PauseTag
from reconciler.spec.image import Image, PlatformImage, at_version, follows_latest, same, version
from reconciler.spec.scale_set import Target

# How long a response of the image catalogue is kept, because one merge can set an image for a thousand scale
# sets.
_CATALOGUE_KEPT = timedelta(minutes=1)

# How many instances Azure counts for a patch is not known. A patch waits at least until one is left.
_OF_PATCH = 1


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of a list of scale sets: a subscription, or one resource group in it."""

    subscription: str
    resource_group: str | None = None

    def __str__(self) -> str:
        group = f", resource group {self.resource_group}" if self.resource_group else ""
        return f"subscription {self.subscription}{group}"

    @property
    def path(self) -> str:
        """The Azure Resource Manager path of the scope."""
        group = f"/resourceGroups/{self.resource_group}" if self.resource_group else ""
        return f"/subscriptions/{self.subscription}{group}"


class Compute:
    """The calls to Azure Compute with one identity. Safe to share between threads."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._availabilities: ExpiringMap[tuple[str, str, str], Availability] = ExpiringMap()
        self._definitions: ExpiringMap[tuple[str, str, str], Traits] = ExpiringMap()
        self._flight = SingleFlight()

    @property
    def requests(self) -> RequestCounter:
        """The counter of all requests so far."""
        return self._session.counter

    def now(self) -> datetime:
        """The current time in Azure."""
        return self._session.now()

    def models(self, scope: Scope) -> Iterator[Model]:
        """Every scale set in `scope`, page by page. Malformed entries are skipped."""
        path = f"{scope.path}/providers/Microsoft.Compute/virtualMachineScaleSets"
        # The priority is that of a rollout, because no rollout begins without the list.
        with self._session.call(OperationClass.HIGH_COST_GET, path, Priority.ROLLOUT) as call:
            try:
                for row in call.rows(path):
                    try:
                        yield self._locate(arm.model(row))
                    except MalformedResponse:
                        continue
            except ResourceNotFoundError:
                if scope.resource_group is None:
                    raise  # the subscription does not exist; a deleted resource group has no scale sets

    def model(self, target: Target, priority: Priority) -> Model | Absent:
        """The current model of one scale set, or ABSENT."""
        body = self.resource(target, priority)
        return body if isinstance(body, Absent) else self._locate(arm.model(body))

    def instances(self, target: Target, model: Model, priority: Priority) -> tuple[Instance, ...]:
        """Every instance with its instance view, in Azure's order.

        The request omits `$select`, because with it Azure would report `latestModelApplied: false` for every
        instance.
        """
        return tuple(map(arm.instance, self.instance_rows(target, model, priority)))

    def resource(self, target: Target, priority: Priority) -> Json | Absent:
        """One scale set as Azure sends it, or ABSENT."""
        with self._session.call(OperationClass.GET, target.id, priority) as call:
            try:
                return call.get(target.id)
            except ResourceNotFoundError:
                return ABSENT

    def instance_rows(self, target: Target, model: Model, priority: Priority) -> Sequence[Json]:
        """The instances of a scale set, as Azure sends them.

        Rows of a Flexible scale set are joined with their virtual machines.
        """
        path = f"{target.id}/virtualMachines"
        query = {} if model.is_flexible else {"$expand": "instanceView"}
        with self._session.call(
            OperationClass.HIGH_COST_GET, path, priority, instances=model.capacity
        ) as call:
            found = list(call.rows(path, **query))
            if model.is_flexible:
                found = instance_rows(
                    found, self._virtual_machines(target, priority), target.name, model.image
                )
            return found

    def rolling_upgrade(self, target: Target, priority: Priority) -> RollingUpgrade:
        """The latest rolling upgrade that Azure itself began, whether it is running or has ended."""
        with self._session.call(OperationClass.GET, target.id, priority) as call:
            try:
                return arm.rolling_upgrade(call.get(f"{target.id}/rollingUpgrades/latest"))
            except ResourceNotFoundError:
                return RollingUpgrade()

    def availability(self, image: Image, model: Model, priority: Priority) -> Availability:
        """Whether the scale set `model` can create instances from `image`, according to the catalogue.

        The result includes the traits of `image` and of the current image of the model. What the catalogue
        says is kept for a minute, for all scale sets in the same subscription and region.
        """
        found, previous = self._available(image, model, priority), model.image
        if found.verdict is not Verdict.AVAILABLE or previous is None or previous.kind != found.image.kind:
            return found
        if same(found.image, previous):
            return found
        current = Traits() if follows_latest(previous) else self._traits(previous, model, priority)
        return replace(found, traits=self._traits(found.image, model, priority), current=current)

    def describe_image(self, image: Image, model: Model, priority: Priority) -> Availability:
        """Like `availability`, but with all traits of `image`, whatever the current image of the model is.

        Raises TooManyRequests, and no other AzureFailure.
        """
        try:
            found = catalogue.look_up(self._session, image, model, priority)
        except TooManyRequests:
            raise
        except AzureFailure as failure:
            return catalogue.unread(image, failure)
        if found.verdict is not Verdict.AVAILABLE:
            return found
        return replace(found, traits=self._traits(found.image, model, priority))

    def _available(self, image: Image, model: Model, priority: Priority) -> Availability:
        key = (str(image).casefold(), model.subscription, model.location)
        with self._flight.of(key):
            return self._availabilities.get(key, self._session.now()) or self._look_up(image, model, priority)

    def _look_up(self, image: Image, model: Model, priority: Priority) -> Availability:
        key = (str(image).casefold(), model.subscription, model.location)
        found = catalogue.availability(self._session, image, model, priority)
        now = self._session.now()
        self._availabilities.keep(key, found, now, _CATALOGUE_KEPT)
        if follows_latest(image):  # also under the exact version, so that it is not read again
            exact = (str(found.image).casefold(), *key[1:])
            self._availabilities.keep(exact, found, now, _CATALOGUE_KEPT)
        return found

    def _traits(self, image: Image, model: Model, priority: Priority) -> Traits:
        """The traits of an exact version, including those in the definition of a gallery image."""
        own = self._available(image, model, priority).traits or Traits()
        if not version(image) or isinstance(image, PlatformImage):
            return own
        key = (str(at_version(image, "latest")).casefold(), model.subscription, model.location)
        with self._flight.of(("definition", *key)):
            traits = self._definitions.get(key, self._session.now())
            if traits is None:
                traits = catalogue.definition_traits(self._session, image, model, priority)
                self._definitions.keep(key, traits, self._session.now(), _CATALOGUE_KEPT)
        return replace(traits, disk_size=own.disk_size)

    def operation(self, url: str, target: Target) -> Operation:
        """The status of a long-running operation.

        `url` is the signed URL that Azure sent. Its path and query are used unchanged.

        The status is unknown if Azure does not know the operation or refuses to show it. Only the scale set
        and its instances then show the result. Any other AzureFailure is raised, and the caller can retry.
        """
        try:
            with self._session.call(OperationClass.OPERATION, target.id, Priority.ROLLOUT) as call:
                return arm.operation(call.request_json(HttpRequest("GET", url)))
        except (Refused, Conflict):
            return Operation("")

    def take(self, target: Target, step: Step, *, term: int | None = None) -> str:
        """Request `step`. Returns as soon as Azure has accepted the step, long before it is complete.

        `term` is the term in which the step was decided, or None if there is no fence. Returns the URL of the
        operation (see `operation`), or "" if Azure names none.
        """
        operation_class, instances = _charge(step)
        with self._session.call(
            operation_class, target.id, Priority.ROLLOUT, term=term, instances=instances
        ) as call:
            sets = call.client.virtual_machine_scale_sets
            accepted: LROPoller[Any]
            match step:
                case PatchModel(image=image, etag=etag, tags=tags):
                    accepted = sets.begin_update(
                        target.resource_group,
                        target.name,
                        VirtualMachineScaleSetUpdate(arm.model_patch(image, tags)),
                        etag=etag,
                        # Without it the SDK sends no If-Match.
                        match_condition=MatchConditions.IfNotModified,
                        polling=False,
                        cls=_operation_url,
                        **auxiliary.options(self._session.auxiliary_tenants),
                    )
                case Upgrade(instance_ids=instance_ids):
                    accepted = sets.begin_update_instances(
                        target.resource_group,
                        target.name,
                        {"instanceIds": list(instance_ids)},
                        polling=False,
                        cls=_operation_url,
                    )
            return str(accepted.result())

    def fleet_pause(self, tag: PauseTag) -> Pause | None:
        """The pause that the tag on the resource group declares, or None if the tag is absent."""
        return pause_in(read_tags(self._session, tag.id))

    def approve(self, target: Target, model: Model, image: Image, signature: Signature) -> None:
        """Write the approval to the tags of the scale set. Raises Conflict if `model` is out of date."""
        self._tag(target, model, with_approval(model.tags, image, signature))

    def persist(
        self, target: Target, model: Model, persisted: PersistedState, *, term: int | None = None
    ) -> None:
        """Write the state to the tags of the scale set. Raises Conflict if `model` is out of date.

        `term` is the term in which the state was decided, or None if there is no fence.
        """
        self._tag(target, model, with_state(model.tags, persisted), term)

    def _tag(self, target: Target, model: Model, tags: Mapping[str, str], term: int | None = None) -> None:
        if not model.etag:
            raise MalformedResponse("Azure sent a scale set without its etag")
        with self._session.call(
            OperationClass.PATCH, target.id, Priority.ROLLOUT, term=term, instances=_OF_PATCH
        ) as call:
            call.client.virtual_machine_scale_sets.begin_update(
                target.resource_group,
                target.name,
                VirtualMachineScaleSetUpdate({"tags": dict(tags)}),
                etag=model.etag,
                match_condition=MatchConditions.IfNotModified,
                polling=False,
            )

    def _virtual_machines(self, target: Target, priority: Priority) -> Iterator[Json]:
        """The virtual machines of a Flexible scale set. Its instance list does not show their state."""
        group = f"/subscriptions/{target.subscription}/resourceGroups/{target.resource_group}"
        path = f"{group}/providers/Microsoft.Compute/virtualMachines"
        query = {"$filter": f"'virtualMachineScaleSet/id' eq '{target.id}'", "$expand": "instanceView"}
        with self._session.call(OperationClass.VIRTUAL_MACHINES, path, priority) as call:
            yield from call.rows(path, **query)

    def _locate(self, model: Model) -> Model:
        self._session.locate(model.id, model.location)
        return model


def _charge(step: Step) -> tuple[OperationClass, int]:
    """How Azure counts a step: the class of the request, and the number of instances."""
    if isinstance(step, PatchModel):
        return OperationClass.PATCH, _OF_PATCH
    return OperationClass.UPGRADE, len(step.instance_ids)


def _operation_url(response: Any, _body: object, _headers: object) -> str:
    return str(response.http_response.headers.get("Azure-AsyncOperation", ""))
