"""Tenants: which targets the specs in a directory may name, and which gates their rollouts must have.

Without tenants, a change in the directory of one team can declare the scale set of another team.
`spec.tenants` of the Fleet restricts each directory, so the teams must not be able to change the Fleet's
file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from posixpath import normpath
from typing import Any

from reconciler.spec import conversion
from reconciler.spec.field import Field, dotted_path
from reconciler.spec.problem import Problem
from reconciler.spec.references import SpecDocument
from reconciler.spec.window import Kind
from reconciler.spec.wording import one_of, quote

_ROLLOUT: Field = ("spec", "rollout")


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant of the Fleet.

    `path` is the directory of its specs. `rule` says where the tenant is declared.
    """

    path: str
    rule: str
    subscriptions: tuple[str, ...]
    resource_groups: tuple[str, ...]
    requires: Mapping[str, Any]

    def contains(self, file: str) -> bool:
        """Whether a file is in the tenant's directory."""
        return self.path == "." or file.startswith(f"{self.path}/")


def tenants_of(fleet: SpecDocument) -> tuple[Tenant, ...]:
    """The tenants that a valid Fleet declares, the longest path first."""
    place = fleet.document.place.file
    above = place.rpartition("/")[0]
    found = [
        Tenant(
            normpath(f"{above}/{each['path']}" if above else each["path"]),
            f"spec.tenants[{index}] of the Fleet ({fleet.document.values['spec', 'tenants', index]})",
            tuple(each.get("subscriptions", ())),
            tuple(each.get("resourceGroups", ())),
            each.get("requires", {}),
        )
        for index, each in enumerate(fleet.spec.get("tenants", ()))
    ]
    return tuple(sorted(found, key=lambda each: -len(each.path)))


def tenant_of(entry: SpecDocument, tenants: Sequence[Tenant]) -> Tenant | None:
    """The tenant that a document belongs to, or None.

    `tenants` must be sorted as `tenants_of` returns them.
    """
    file = _file(entry)
    return next((each for each in tenants if each.contains(file)), None)


def yields(one: Tenant | None, other: Tenant | None) -> bool:
    """Whether only the first of two duplicate documents is wrong. `one` and `other` are their tenants.

    A document yields to a document that belongs to no tenant, and to a document of a tenant whose directory
    contains that of its own tenant.
    """
    return one is not None and one != other and (other is None or other.contains(one.path))


def _file(entry: SpecDocument) -> str:
    return normpath(entry.document.place.file)


def target_problems(entry: SpecDocument, tenant: Tenant) -> Iterator[Problem]:
    """The problems with a target that the tenant of the scale set may not use."""
    for name, allowed in (
        ("subscription", tenant.subscriptions),
        ("resourceGroup", tenant.resource_groups),
    ):
        at: Field = ("spec", "target", name)
        value = entry.document.at(*at)
        if allowed and isinstance(value, str) and value.casefold() not in map(str.casefold, allowed):
            message = f"{quote(value)} is not allowed in {tenant.path}: use {one_of(allowed)}"
            yield Problem(entry.document.values[at], dotted_path(at), f"{message}, as {tenant.rule} requires")


def gate_problems(entry: SpecDocument, tenant: Tenant, policy: SpecDocument | None) -> Iterator[Problem]:
    """The problems with a valid scale set that lacks gates required by its tenant."""
    own: Any = entry.document.at(*_ROLLOUT) or {}
    policy_fields = policy.spec if policy else {}
    merged = {**policy_fields, **own}
    requires = tenant.requires
    approval = requires.get("approval")
    if approval and merged.get("approval") not in (approval, "start"):
        yield _problem(entry, "approval", f"must be {approval}", tenant)
    if requires.get("approver") == "another" and merged.get("approver") != "another":
        yield _problem(entry, "approver", "must be another", tenant)
    yield from _policy_problems(entry, tenant, policy, own)
    yield from _window_problems(entry, tenant, merged)


def _policy_problems(
    entry: SpecDocument, tenant: Tenant, policy: SpecDocument | None, own: Mapping[str, Any]
) -> Iterator[Problem]:
    wanted = tenant.requires.get("policy")
    if not wanted:
        return
    if policy is None or policy.name != wanted:
        yield _problem(entry, "policy", f"must be {wanted}", tenant)
    elif tenant.contains(_file(policy)):
        yield _problem(entry, "policy", f"must be declared outside {tenant.path}", tenant)
    else:
        for name in own:
            if name in policy.spec:
                yield _problem(entry, name, f"is a field of the policy {wanted}: remove it", tenant)


def _window_problems(entry: SpecDocument, tenant: Tenant, merged: Mapping[str, Any]) -> Iterator[Problem]:
    wanted = conversion.windows(tenant.requires.get("windows", ()))
    windows = conversion.windows(merged.get("windows", ()))
    for each in wanted:
        if each.kind is Kind.DENY and each not in windows:
            yield _problem(entry, "windows", f"must include the window {each}", tenant)
    allowed = [each for each in wanted if each.kind is Kind.ALLOW]
    opens = [each for each in windows if each.kind is Kind.ALLOW]
    if allowed and not opens:
        yield _problem(entry, "windows", f"must include the window {one_of(map(str, allowed))}", tenant)
    for each in opens if allowed else ():
        if each not in allowed:
            yield _problem(entry, "windows", f"must not include the window {each}", tenant)


def _problem(entry: SpecDocument, name: str, message: str, tenant: Tenant) -> Problem:
    """A problem with a rollout field, placed at the field or at the nearest enclosing field that exists."""
    at: Field = (*_ROLLOUT, name)
    nearest = next(at[:length] for length in (3, 2, 1, 0) if at[:length] in entry.document.values)
    return Problem(entry.document.key(nearest), dotted_path(at), f"{message}, as {tenant.rule} requires")
