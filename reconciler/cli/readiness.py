"""What `reconciler check` finds out: whether the first rollout will work, one thing after the other.

Each check goes on where it can. What a rollout of a scale set would meet is not asked in a second way: it is
the daemon's own look and decision, without the step.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from reconciler.azure import network
from reconciler.azure.auxiliary import TenantCredential
from reconciler.azure.failure import AzureFailure
from reconciler.azure.identity import identity
from reconciler.azure.session import Session
from reconciler.cli.finding import Finding, Result, alike
from reconciler.cli.grants import grants
from reconciler.cli.looks import look
from reconciler.cli.options import FleetAccess
from reconciler.cli.table import count
from reconciler.daemon.listing import scope_of
from reconciler.daemon.outcome import Outcome
from reconciler.daemon.report import is_suspended
from reconciler.daemon.specs import Specs
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.reason import Reason, Status
from reconciler.spec.duration import format_duration

_MOST_SKEW = timedelta(minutes=5)  # beyond it a token is taken for one of the past or of the future


def readiness(fleet: FleetAccess) -> Iterator[Finding]:
    """Every check, in the order in which one rests on the other."""
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
        for check in ("subscription", "scale set", "role"):
            yield _skip(check, *missing)
        return
    held = {
        each.name: "suspended" if each.suspend else "the fleet is frozen"
        for each in fleet.specs.scale_sets
        if is_suspended(each)
    }
    resumed = [replace(each, suspend=None) for each in fleet.specs.scale_sets]
    looks = look(resumed, fleet.session, by_group=fleet.list_by_resource_group, specs=fleet.specs)
    yield from _subscriptions(looks.states, fleet, looks.errors)
    outcomes = [(each.desired.name, each.outcome) for each in looks.states]
    yield from alike(
        "scale set",
        ((name, *_status(outcome, held.get(name, ""))) for name, outcome in outcomes if outcome),
    )
    yield from grants([each for each in looks.states if _is_there(each)], fleet.session)


def clock(ahead: timedelta) -> Finding:
    """`ahead` is how far this machine is before Azure."""
    side = "ahead of" if ahead > timedelta(0) else "behind"
    skew = f"this machine is {format_duration(abs(ahead))} {side} Azure"
    if abs(ahead) <= _MOST_SKEW:
        return Finding("clock", Result.OK, "", skew)
    return Finding("clock", Result.FAIL, "", f"{skew}, which then refuses its tokens; let NTP set the clock")


def _skip(check: str, *missing: str) -> Finding:
    return Finding(check, Result.SKIPPED, "", f"needs {' and '.join(missing)}: mend that first")


def _specs(specs: Specs) -> Iterator[Finding]:
    for line in specs.errors:
        yield Finding("specs", Result.FAIL, "", line)
    if specs.scale_sets:
        yield Finding("specs", Result.OK, "", f"{count(len(specs.scale_sets), 'scale set')} in {specs}")
    elif not specs.errors:
        found = "no scale set is declared; write a spec, or let `reconciler adopt` write what is there"
        yield Finding("specs", Result.FAIL, "", found)


def _identity(session: Session) -> Finding:
    try:
        return Finding("identity", Result.OK, "", str(identity(session)))
    except AzureFailure as failure:
        return Finding("identity", Result.FAIL, "", str(failure))


def _auxiliary(session: Session, tenant: str) -> Finding:
    """Whether another tenant gives us a token too."""
    try:
        TenantCredential(session.credential, tenant).get_token(*session.scopes)
    except AzureFailure as failure:
        return Finding("identity", Result.FAIL, "", str(failure))
    return Finding("identity", Result.OK, "", f"auxiliary tenant {tenant} gives a token")


def _network(session: Session) -> tuple[Finding, Finding]:
    """Whether Azure Resource Manager answers, and whether it has the same time as this machine."""
    try:
        answer = network.answer(session.endpoint)
    except AzureFailure as failure:
        return Finding("network", Result.FAIL, session.endpoint, str(failure)), _skip("clock", "network")
    reached = Finding("network", Result.OK, session.endpoint, "Azure Resource Manager answers over TLS")
    if answer.date is None:
        return reached, Finding("clock", Result.SKIPPED, "", "the answer does not say what time it is")
    return reached, clock(session.clock.reading() - answer.date)


def _subscriptions(
    states: Sequence[ScaleSetState], fleet: FleetAccess, errors: Sequence[str]
) -> Iterator[Finding]:
    """Whether each list that a sweep begins with can be read."""
    scopes = {scope_of(each.desired, by_group=fleet.list_by_resource_group) for each in states}
    for scope in sorted(scopes, key=str):
        about = str(scope).removeprefix("subscription ")
        said = [line.removeprefix(f"{scope}: ") for line in errors if line.startswith(f"{scope}: ")]
        if said:
            yield Finding("subscription", Result.FAIL, about, *said)
        else:
            yield Finding("subscription", Result.OK, about, "its scale sets can be listed")


def _status(outcome: Outcome, held: str) -> tuple[Result, str]:
    """Whether anything holds a rollout up, and what; of what is `held`, what will once it is not."""
    if held and outcome.reason != Reason.NOT_FOUND:
        return Result.SKIPPED, f"{held}; without that: {outcome.line}"
    if outcome.status in {Status.STALLED, Status.FAILING}:
        return Result.FAIL, outcome.line
    if outcome.status is Status.READY or outcome.step:
        return Result.OK, f"{outcome.reason}: nothing holds a rollout up"
    if outcome.reason.meaning.is_queued:
        return Result.OK, f"{outcome.reason}: nothing holds a rollout up but its turn"
    return Result.SKIPPED, outcome.line  # throttled, or something is under way


def _is_there(state: ScaleSetState) -> bool:
    return state.outcome is not None and state.outcome.reason != Reason.NOT_FOUND
