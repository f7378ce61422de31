"""The checks of `reconciler check`: whether the first rollout will work.

A failed check stops only the checks that depend on it. To check a scale set, this module observes it and
decides as the daemon does, but takes no step.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from reconciler.azure import network
from reconciler.azure.auxiliary import TenantCredential
from reconciler.azure.compute import Scope
from reconciler.azure.failure import AzureFailure
from reconciler.azure.identity import identity
from reconciler.azure.session import Session
from reconciler.cli.access import FleetAccess
from reconciler.cli.finding import Finding, Result, alike
from reconciler.cli.grants import grants
from reconciler.cli.observation import FleetObservation, observe_fleet
from reconciler.daemon.listing import scope_of
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.specs import Specs
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.reason import Reason, Status
from reconciler.rollout.wording import join
from reconciler.spec.duration import format_duration
from reconciler.spec.scale_set import ScaleSet, pause_tag_of
from reconciler.spec.wording import count

_MOST_SKEW = timedelta(minutes=5)  # beyond it Azure takes a token for expired or not yet valid


def readiness(fleet: FleetAccess, *, page_pauses: bool = False) -> Iterator[Finding]:
    """All findings. Each check comes after the checks that it depends on.

    `page_pauses` means that somebody may pause or resume on the page.
    """
    fleet.specs.refresh()
    yield from _specs(fleet.specs)
    who = _identity(fleet.session)
    yield who
    for tenant in fleet.session.auxiliary_tenants:
        yield _auxiliary(fleet.session, tenant)
    reached, clock = _network(fleet.session)
    yield from (reached, clock)
    missing = [] if fleet.specs.scale_sets else ["specs"]
    missing += [each.check for each in (who, reached) if each.result is Result.FAIL]
    if missing:
        shard = ("shard",) if fleet.specs.shard else ()
        for check in ("subscription", "scale set", *shard, "role"):
            yield _skip(check, *missing)
        return
    held = {
        each.name: "suspended" if each.suspend else "the fleet is frozen"
        for each in fleet.specs.scale_sets
        if each.suspend or each.fleet.freeze
    }
    resumed = [replace(each, suspend=None) for each in fleet.specs.scale_sets]
    observation = observe_fleet(
        resumed, fleet.session, by_group=fleet.list_by_resource_group, specs=fleet.specs
    )
    yield from _missing_states(resumed, observation)
    yield from _subscriptions(fleet, observation.errors)
    outcomes = [(each.desired.name, each.outcome) for each in observation.states]
    yield from alike(
        "scale set",
        ((name, *_status(outcome, held.get(name, ""))) for name, outcome in outcomes if outcome),
    )
    yield from _shard(observation, fleet)
    there = [each for each in observation.states if _is_there(each)]
    yield from grants(there, pause_tag_of(resumed), fleet.session, page_pauses=page_pauses)


def clock(ahead: timedelta) -> Finding:
    """The finding about the clock. `ahead` is how far this machine is ahead of Azure."""
    side = "ahead of" if ahead > timedelta(0) else "behind"
    skew = f"the clock of this machine is {format_duration(abs(ahead))} {side} Azure's"
    if abs(ahead) <= _MOST_SKEW:
        return Finding("clock", Result.OK, "", skew)
    return Finding(
        "clock", Result.FAIL, "", f"{skew}, so Azure rejects its tokens; synchronize the clock with NTP"
    )


def _skip(check: str, *missing: str) -> Finding:
    return Finding(check, Result.SKIPPED, "", f"needs {' and '.join(missing)}; fix that first")


def _specs(specs: Specs) -> Iterator[Finding]:
    for line in specs.errors:
        yield Finding("specs", Result.FAIL, "", line)
    if specs.scale_sets:
        yield Finding("specs", Result.OK, "", f"{count(len(specs.scale_sets), 'scale set')} in {specs}")
    elif not specs.errors:
        found = "no scale set is declared; write a spec, or run `reconciler adopt` for the live scale sets"
        yield Finding("specs", Result.FAIL, "", found)


def _identity(session: Session) -> Finding:
    try:
        return Finding("identity", Result.OK, "", str(identity(session)))
    except AzureFailure as failure:
        return Finding("identity", Result.FAIL, "", str(failure))


def _auxiliary(session: Session, tenant: str) -> Finding:
    """Whether an auxiliary tenant issues a token."""
    try:
        TenantCredential(session.credential, tenant).get_token(*session.scopes)
    except AzureFailure as failure:
        return Finding("identity", Result.FAIL, "", str(failure))
    return Finding("identity", Result.OK, "", f"auxiliary tenant {tenant} issues a token")


def _network(session: Session) -> tuple[Finding, Finding]:
    """Whether Azure Resource Manager responds, and whether the clock of this machine agrees with it."""
    try:
        response = network.probe(session.endpoint)
    except AzureFailure as failure:
        return Finding("network", Result.FAIL, session.endpoint, str(failure)), _skip("clock", "network")
    reached = Finding("network", Result.OK, session.endpoint, "Azure Resource Manager responds over TLS")
    if response.date is None:
        return reached, Finding("clock", Result.SKIPPED, "", "the response has no date")
    return reached, clock(session.clock.read() - response.date)


def _missing_states(declared: Sequence[ScaleSet], observation: FleetObservation) -> Iterator[Finding]:
    """A failure if the observation lacks a declared scale set, which no other finding would mention."""
    missing = len(declared) - len(observation.states)
    if missing or observation.spec_errors:
        why = "".join(f": {line}" for line in observation.spec_errors[:1])
        found = f"{missing} of {count(len(declared), 'scale set')} not observed"
        yield Finding(
            "scale set",
            Result.FAIL,
            "",
            f"{found} because of a bug in the reconciler; please report it{why}",
        )


def _subscriptions(fleet: FleetAccess, errors: Sequence[str]) -> Iterator[Finding]:
    """Whether each list that a sweep needs can be read."""
    for scope in _scopes(fleet):
        failed = [line.removeprefix(f"{scope}: ") for line in errors if line.startswith(f"{scope}: ")]
        if failed:
            yield Finding("subscription", Result.FAIL, _about(scope), *failed)
        else:
            yield Finding("subscription", Result.OK, _about(scope), "scale sets can be listed")


def _shard(observation: FleetObservation, fleet: FleetAccess) -> Iterator[Finding]:
    """For a shard, whether its claim is on any scale set that the shard does not select.

    Another release with the same name may have claimed that scale set. The tags cannot tell the two releases
    apart.
    """
    shard = fleet.specs.shard
    if shard is None:
        return
    claim = fleet.specs.scale_sets[0].fleet.claim
    scopes = _scopes(fleet)
    listed = [each for scope in scopes for each in observation.lists.get(scope, ())]
    names = sorted(
        each.id.rsplit("/", 1)[-1]
        for each in listed
        if each.id in fleet.specs.elsewhere and each.persisted.fleet == claim
    )
    unread = [_about(scope) for scope in scopes if scope not in observation.lists]
    if names:
        found = (
            f"claimed by {claim}, but not selected by {shard}; if another release has the same name, give "
            "each a name of its own, and if the labels have changed, take them over with the options of "
            "their new shard"
        )
        yield Finding("shard", Result.FAIL, join(names), found)
    if unread:
        found = f"needs the list of scale sets, to find those that {claim} has claimed; fix that first"
        yield Finding("shard", Result.SKIPPED, join(unread), found)
    elif not names:
        found = f"no scale set that other shards select carries the claim of this one, {claim}"
        yield Finding("shard", Result.OK, join(list(map(_about, scopes))), found)


def _scopes(fleet: FleetAccess) -> list[Scope]:
    """The scopes that a sweep lists, in the order in which it lists them."""
    targets = [each.target for each in fleet.specs.scale_sets]
    return sorted({scope_of(each, by_group=fleet.list_by_resource_group) for each in targets}, key=str)


def _about(scope: Scope) -> str:
    return str(scope).removeprefix("subscription ")


def _status(outcome: Outcome, held: str) -> tuple[Result, str]:
    """Whether anything blocks a rollout. `held` says why the scale set is on hold, or is ""."""
    if held and outcome.reason != Reason.NOT_FOUND:
        return Result.SKIPPED, f"{held}; otherwise: {outcome.line}"
    if outcome.status in {Status.STALLED, Status.FAILING}:
        return Result.FAIL, outcome.line
    if outcome.status is Status.READY or outcome.step:
        return Result.OK, f"{outcome.reason}: nothing blocks a rollout"
    if outcome.reason.meaning.is_queued:
        return Result.OK, f"{outcome.reason}: a rollout only waits for other scale sets to go first"
    return Result.SKIPPED, outcome.line  # throttled, or an operation is in progress


def _is_there(state: ScaleSetState) -> bool:
    return state.outcome is not None and state.outcome.reason != Reason.NOT_FOUND
