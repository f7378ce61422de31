"""The live scale sets that a command line selects, by subscription, resource group and name."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from reconciler.azure.compute import Scope
from reconciler.azure.failure import AzureFailure
from reconciler.azure.inventory import Live, inventory
from reconciler.azure.session import Session
from reconciler.spec.scale_set import Target


def scopes_of(subscriptions: Iterable[str], resource_groups: Iterable[str]) -> list[Scope]:
    """The scopes to list: each subscription or, given resource groups, each group in each subscription."""
    groups = tuple(dict.fromkeys(map(str.casefold, resource_groups))) or (None,)
    within = dict.fromkeys(map(str.casefold, subscriptions))
    return [Scope(subscription, group) for subscription in within for group in groups]


def live_scale_sets(session: Session, scopes: Iterable[Scope]) -> tuple[list[Live], list[str]]:
    """The scale sets of all scopes, and an error for each scope that cannot be listed."""
    live: dict[str, Live] = {}  # if a list changes while it is read, a scale set may be on two pages
    errors: list[str] = []
    for scope in scopes:
        try:
            live |= {each.target.key: each for each in inventory(session, scope)}
        except AzureFailure as failure:
            errors.append(f"{scope}: {failure}")
    return list(live.values()), errors


def unknown_names(live: Sequence[Live], names: Iterable[str]) -> list[str]:
    """An error for each name that no scale set has."""
    return [
        f"no scale set is named {name}; correct the name, or omit NAMES for all scale sets"
        for name in names
        if not any(is_named(each.target, (name,)) for each in live)
    ]


def is_named(target: Target, names: Iterable[str]) -> bool:
    """Whether the scale set has one of these names, which may contain * and ?."""
    return any(fnmatchcase(target.name.casefold(), name.casefold()) for name in names)
