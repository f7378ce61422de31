"""Lists all scale sets in Azure, for users who have no specs for them yet.

Unlike `Compute.models`, `inventory` keeps the spelling of names, and reports every scale set that cannot be
read.
"""

from dataclasses import dataclass

from reconciler.azure import arm
from reconciler.azure.budget import OperationClass, Priority
from reconciler.azure.compute import Scope
from reconciler.azure.description import target_of
from reconciler.azure.failure import MalformedResponse
from reconciler.azure.fields import Json
from reconciler.azure.session import Session
from reconciler.rollout.observed import Model
from reconciler.spec.scale_set import Target


@dataclass(frozen=True, slots=True)
class Live:
    """A scale set in Azure. If `model` is None, `error` says why the scale set cannot be read."""

    target: Target
    model: Model | None
    error: str = ""

    @property
    def owner(self) -> str:
        """The other controller that owns the scale set, or "" if none is known."""
        return self.model.owner if self.model else ""


def inventory(session: Session, scope: Scope) -> tuple[Live, ...]:
    """Every scale set in `scope`. Raises AzureFailure if the list cannot be read."""
    path = f"{scope.path}/providers/Microsoft.Compute/virtualMachineScaleSets"
    with session.call(OperationClass.HIGH_COST_GET, path, Priority.ROUTINE) as call:
        return tuple(map(live, call.rows(path)))


def live(row: Json) -> Live:
    """The scale set in an entry of the list. Raises MalformedResponse if the entry names no scale set."""
    target = target_of(row)
    try:
        model = arm.model(row)
    except MalformedResponse as error:
        return Live(target, None, str(error))
    return Live(target, model)
