"""The calls to Azure Compute, each made once, bounded in time, and never waited for.

Reads give our own frozen values; writes return as soon as Azure has accepted them (`polling=False`): what
became of them is seen by the next look. Every failure is an AzureFailure. The SDK's own retries are
off: one of them may sleep for the twenty minutes of a Retry-After while every other scale set waits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from azure.core import AzureClouds, MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.core.pipeline.transport import HttpTransport
from azure.identity import DefaultAzureCredential
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.compute.models import VirtualMachineScaleSetUpdate
from azure.mgmt.core.tools import get_arm_endpoints

from reconciler import __version__
from reconciler.azure import arm
from reconciler.azure.failure import Throttled, Unreachable, failure
from reconciler.rollout.observed import ABSENT, Absent, Instance, Model, RollingUpgrade
from reconciler.rollout.step import PatchModel, Step, Upgrade
from reconciler.spec.scale_set import Target

PUBLIC_CLOUD = "https://management.azure.com"
_CONNECT_SECONDS = 10
_READ_SECONDS = 60  # a list page of a large subscription takes seconds, never a minute


@dataclass(frozen=True, slots=True)
class Scope:
    """What one list covers: a subscription, or one resource group of it."""

    subscription: str
    resource_group: str | None = None

    def __str__(self) -> str:
        group = f", resource group {self.resource_group}" if self.resource_group else ""
        return f"subscription {self.subscription}{group}"


@dataclass(frozen=True, slots=True)
class _Class:
    """Requests that Azure counts together: one operation, of a subscription or of one scale set."""

    operation: str
    of: str


class Compute:
    """Azure Compute as one identity sees it. Safe to share between threads."""

    def __init__(
        self,
        endpoint: str = PUBLIC_CLOUD,
        *,
        credential: TokenCredential | None = None,
        transport: HttpTransport[Any, Any] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`credential` defaults to DefaultAzureCredential, which AZURE_TOKEN_CREDENTIALS narrows."""
        self._endpoint = endpoint.rstrip("/")
        self._credential = credential or DefaultAzureCredential()
        # The SDK takes "no transport" only as an absent argument.
        self._transport: dict[str, Any] = {"transport": transport} if transport else {}
        self._now = now
        self._clients: dict[str, ComputeManagementClient] = {}
        self._resting: dict[_Class, datetime] = {}  # no such request before this moment
        self._lock = Lock()

    def models(self, scope: Scope) -> Iterator[Model]:
        """Every scale set of `scope`, page by page. A row that makes no sense is left out."""
        with self._call("list", scope.subscription) as client:
            sets = client.virtual_machine_scale_sets
            rows = sets.list(scope.resource_group) if scope.resource_group else sets.list_all()
            try:
                for row in rows:
                    try:
                        yield arm.model(row)
                    except arm.Garbled:
                        continue
            except ResourceNotFoundError:
                if scope.resource_group is None:
                    raise  # the subscription itself; a resource group that is gone holds no scale sets

    def model(self, target: Target) -> Model | Absent:
        """One scale set as it is now."""
        with self._call("get", target.subscription, target) as client:
            try:
                return arm.model(client.virtual_machine_scale_sets.get(target.resource_group, target.name))
            except ResourceNotFoundError:
                return ABSENT

    def instances(self, target: Target) -> tuple[Instance, ...]:
        """Every instance with its instance view, in Azure's order.

        Never with `$select`: under it Azure reports `latestModelApplied: false` of every instance.
        """
        with self._call("instances", target.subscription, target) as client:
            rows = client.virtual_machine_scale_set_vms.list(
                target.resource_group, target.name, expand="instanceView"
            )
            return tuple(arm.instance(row) for row in rows)

    def rolling_upgrade(self, target: Target) -> RollingUpgrade:
        """The latest rolling upgrade of Azure's own, running or not."""
        with self._call("rolling upgrade", target.subscription, target) as client:
            upgrades = client.virtual_machine_scale_set_rolling_upgrades
            try:
                return arm.rolling_upgrade(upgrades.get_latest(target.resource_group, target.name))
            except ResourceNotFoundError:
                return RollingUpgrade()

    def take(self, target: Target, step: Step) -> None:
        """Ask Azure for `step`. Returns when it is accepted, long before it is done."""
        with self._call(type(step).__name__, target.subscription, target) as client:
            sets = client.virtual_machine_scale_sets
            match step:
                case PatchModel(image=image, etag=etag):
                    sets.begin_update(
                        target.resource_group,
                        target.name,
                        VirtualMachineScaleSetUpdate(arm.image_patch(image)),
                        etag=etag,
                        # Without it the SDK sends no If-Match at all.
                        match_condition=MatchConditions.IfNotModified,
                        polling=False,
                    )
                case Upgrade(instance_ids=instance_ids):
                    sets.begin_update_instances(
                        target.resource_group,
                        target.name,
                        {"instanceIds": list(instance_ids)},
                        polling=False,
                    )

    @contextmanager
    def _call(
        self, operation: str, subscription: str, target: Target | None = None
    ) -> Iterator[ComputeManagementClient]:
        """A client to call with; whatever goes wrong comes out as an AzureFailure."""
        of_all = _Class(operation, subscription)
        of_one = _Class(operation, target.key) if target else of_all
        self._let_rest(of_all, of_one)
        try:
            yield self._client(subscription)
        except arm.Garbled as error:
            raise Unreachable(str(error)) from error
        except AzureError as error:
            ours = failure(error)
            if isinstance(ours, Throttled):
                with self._lock:
                    self._resting[of_one if ours.is_of_resource else of_all] = self._now() + ours.retry_after
            raise ours from error
        except OSError as error:  # such as a REQUESTS_CA_BUNDLE that is not there
            raise Unreachable(str(error)) from error

    def _let_rest(self, *classes: _Class) -> None:
        """A throttled request counts against the budget too: none of its class is made before its time."""
        now = self._now()
        with self._lock:
            self._resting = {each: until for each, until in self._resting.items() if until > now}
            until = max((self._resting[each] for each in classes if each in self._resting), default=None)
        if until:
            raise Throttled(f"Azure asked for no such requests before {until:%H:%M:%S}", until - now)

    def _client(self, subscription: str) -> ComputeManagementClient:
        with self._lock:
            if subscription not in self._clients:
                self._clients[subscription] = ComputeManagementClient(
                    self._credential,
                    subscription,
                    self._endpoint,
                    credential_scopes=_scopes(self._endpoint),
                    retry_total=0,
                    connection_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    user_agent=f"vmss-reconciler/{__version__}",
                    **self._transport,
                )
            return self._clients[subscription]

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()


def _scopes(endpoint: str) -> list[str]:
    """What a token for this Azure Resource Manager is asked for; one cloud's is not simply its address."""
    for cloud in AzureClouds:
        known = get_arm_endpoints(cloud)
        if known["resource_manager"].rstrip("/") == endpoint:
            return list(known["credential_scopes"])
    parts = urlsplit(endpoint)
    return [f"{parts.scheme}://{parts.netloc}/.default"]
