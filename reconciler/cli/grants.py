"""Checks the role for `reconciler check`: which required actions are granted, and on which scale sets."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from reconciler.azure.failure import AzureFailure, Refused, TooManyRequests
from reconciler.azure.permissions import EffectivePermissions, permissions
from reconciler.azure.role import ACTIONS, BY_IMAGE, PAUSE_TAG, home, required_actions
from reconciler.azure.session import Session
from reconciler.cli.finding import Finding, Result, alike
from reconciler.daemon.state import ScaleSetState
from reconciler.rollout.wording import join
from reconciler.spec.fleet import PauseTag
from reconciler.spec.wording import count

_WORKERS = 16
# Azure allows a caller about 25 reads a second. This number of workers, with a pause of a second after a 429,
# stays below that.
_BACKOFF = timedelta(seconds=1)
_LONGEST_BACKOFF = timedelta(minutes=1)
_ATTEMPTS = 60


def grants(
    states: Sequence[ScaleSetState], pause_tag: PauseTag | None, session: Session
) -> Iterator[Finding]:
    """A finding for each required action, and for permissions that cannot be read."""
    # Actions in a region need a role on the subscription: a role on the scale set does not cover them.
    regional = {
        each: _allowance(session, f"/subscriptions/{each}") for each in set(map(_subscription, states))
    }
    with ThreadPoolExecutor(_WORKERS) as pool:
        missed = pool.map(lambda each: _missing(each, regional[_subscription(each)], session), states)
        results = tuple(zip(states, missed, strict=True))
    read = [(state, missing) for state, missing in results if not isinstance(missing, AzureFailure)]
    for action in ACTIONS:
        required = [
            (state.desired.name, action in missing) for state, missing in read if action in _actions(state)
        ]
        if lacking := [name for name, lacks in required if lacks]:
            found = (
                f"not granted on {join(lacking)}; assign a role with this action, such as deploy/role.json"
            )
            yield Finding("role", Result.FAIL, action, found)
        elif required:
            yield Finding("role", Result.OK, action, f"granted on {count(len(required), 'scale set')}")
    if pause_tag:
        yield _pause_tag_finding(pause_tag, session)
    yield from alike(
        "role",
        (
            (state.desired.name, *_unreadable(failure))
            for state, failure in results
            if isinstance(failure, AzureFailure)
        ),
    )


def _pause_tag_finding(tag: PauseTag, session: Session) -> Finding:
    """Whether the role allows reading the tag that pauses the fleet."""
    allowed, where = _allowance(session, tag.id), f"resource group {tag.resource_group}"
    if isinstance(allowed, AzureFailure):
        result, said = _unreadable(allowed)
        return Finding("role", result, PAUSE_TAG, said)
    if allowed.allow(PAUSE_TAG):
        return Finding("role", Result.OK, PAUSE_TAG, f"granted on {where}")
    said = f"not granted on {where}, so the fleet counts as paused; assign a role with this action there"
    return Finding("role", Result.FAIL, PAUSE_TAG, said)


def _unreadable(failure: AzureFailure) -> tuple[Result, str]:
    """The result and the message if permissions cannot be read.

    A refusal is not a failed check, because the permissions may be granted nevertheless.
    """
    result = Result.SKIPPED if isinstance(failure, Refused | TooManyRequests) else Result.FAIL
    return result, f"permissions cannot be read: {failure}"


def _actions(state: ScaleSetState) -> tuple[str, ...]:
    return required_actions(
        state.desired.image,
        flexible=state.seen.listed is not None and state.seen.listed.is_flexible,
    )


def _missing(
    state: ScaleSetState, regional: EffectivePermissions | AzureFailure, session: Session
) -> frozenset[str] | AzureFailure:
    """The actions that are not granted on the scale set, or the failure to read the permissions.

    Actions that concern the image may be granted on the image instead.
    """
    image, allowed = state.desired.image, _allowance(session, state.desired.target.id)
    if isinstance(allowed, AzureFailure):
        return allowed
    if isinstance(regional, AzureFailure):
        return regional
    missing = frozenset(
        each for each in _actions(state) if not (regional if "/locations/" in each else allowed).allow(each)
    )
    if not home(image) or missing.isdisjoint(BY_IMAGE[type(image)]):
        return missing
    allowed = _allowance(session, home(image))
    if isinstance(allowed, AzureFailure):
        return missing
    return missing - {each for each in BY_IMAGE[type(image)] if allowed.allow(each)}


def _subscription(state: ScaleSetState) -> str:
    return state.desired.target.subscription.casefold()


def _allowance(session: Session, scope: str) -> EffectivePermissions | AzureFailure:
    try:
        return _read_permissions(session, scope)
    except AzureFailure as failure:
        return failure


def _read_permissions(session: Session, scope: str) -> EffectivePermissions:
    """The permissions at `scope`. Waits while requests are throttled."""
    for _ in range(_ATTEMPTS):
        try:
            return permissions(session, scope)
        except TooManyRequests as throttled:
            if throttled.retry_after > _LONGEST_BACKOFF:
                raise
            time.sleep(max(throttled.retry_after, _BACKOFF).total_seconds())
    return permissions(session, scope)
