"""Lists the fleet. A few pages of a list show which scale sets have changed."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.azure.compute import Scope
from reconciler.azure.failure import AzureFailure
from reconciler.daemon.interfaces import AzureClient
from reconciler.rollout.observed import Model
from reconciler.spec.scale_set import ScaleSet, Target

_log = logging.getLogger("reconciler")


@dataclass(frozen=True, slots=True)
class Listing:
    """The result of listing the fleet: the models by case-folded id, the scopes, and the failures by scope.

    `models` has the declared scale sets. `undeclared` has all other scale sets whose tags record the start of
    a rollout.
    """

    models: Mapping[str, Model]
    scopes: tuple[Scope, ...]
    failures: Mapping[Scope, AzureFailure]
    by_group: bool
    undeclared: Mapping[str, Model] = field(default_factory=dict)

    def model(self, desired: ScaleSet) -> Model | None:
        return self.models.get(desired.target.key)

    def failure(self, desired: ScaleSet) -> AzureFailure | None:
        """Why this scale set could not be listed, or None if it could."""
        return self.failures.get(scope_of(desired.target, by_group=self.by_group))


def listing(azure: AzureClient, scale_sets: Iterable[ScaleSet], *, by_group: bool) -> Listing:
    """List the declared scale sets by subscription, or by resource group if `by_group`.

    The failure of one list does not affect the others. A scope in which every scale set is suspended is not
    listed: nothing is done there, and the permission to list may be missing.
    """
    declared = {each.target.key: each for each in scale_sets}
    active = [each for each in declared.values() if not each.suspend]
    models: dict[str, Model] = {}
    undeclared: dict[str, Model] = {}
    failures: dict[Scope, AzureFailure] = {}
    scopes = sorted({scope_of(each.target, by_group=by_group) for each in active}, key=str)
    for scope in scopes:
        try:
            listed = {model.id: model for model in azure.models(scope)}
            models |= {key: model for key, model in listed.items() if key in declared}
            undeclared |= {
                key: model for key, model in listed.items() if key not in declared and model.persisted.began
            }
        except AzureFailure as failure:
            failures[scope] = failure
        except Exception as error:
            _log.exception("%s: cannot list scale sets", scope)
            failures[scope] = AzureFailure(
                "the list failed because of a bug in the reconciler "
                f"({type(error).__name__}: {error}); please report it"
            )
    return Listing(models, tuple(scopes), failures, by_group, undeclared)


def scope_of(target: Target, *, by_group: bool) -> Scope:
    """The scope whose list contains this scale set."""
    return Scope(target.subscription.casefold(), target.resource_group.casefold() if by_group else None)
