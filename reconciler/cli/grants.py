"""Checks the role for `reconciler check`: which required actions are granted, and on which scale sets."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from reconciler.azure.failure import AzureFailure, Refused, TooManyRequests
from reconciler.azure.permissions import EffectivePermissions, permissions
from reconciler.azure.role import (
    ACTIONS,
    ACTIVITY_LOG,
    BY_IMAGE,
    PAGE_PAUSE,
    PAUSE_TAG,
    home,
    required_actions,
)
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


# What follows if an action is missing, and the role that grants it.
_ROLE = "; assign a role with this action, such as deploy/role.json"
_PAGE_PAUSE = (
    ", so `pause` and `resume` on the page cannot change the tag; assign a role with this action, such as "
    "Tag Contributor, or grant nobody these two with --page-grant"
)


def grants(
    states: Sequence[ScaleSetState],
    pause_tag: PauseTag | None,
    session: Session,
    *,
    page_pauses: bool = False,
) -> Iterator[Finding]:
    """A finding for each required action, and for permissions that cannot be read.

    `page_pauses` means that people can pause on the daemon's pages, for which the daemon itself writes the
    tags.
    """
    # Actions in a region need a role on the subscription: a role on the scale set does not cover them.
    regional = {
        each: _allowance(session, f"/subscriptions/{each}") for each in set(map(_subscription, states))
    }
    needed = [_actions(each, page_pauses=page_pauses) for each in states]
    with ThreadPoolExecutor(_WORKERS) as pool:
        missed = pool.map(
            lambda each, actions: _missing(each, actions, regional[_subscription(each)], session),
            states,
            needed,
        )
        results = tuple(zip(states, needed, missed, strict=True))
    read = [
        (state, actions, missing)
        for state, actions, missing in results
        if not isinstance(missing, AzureFailure)
    ]
    for action in (*ACTIONS, PAGE_PAUSE):
        required = [
            (state.desired.name, action in missing) for state, actions, missing in read if action in actions
        ]
        if lacking := [name for name, lacks in required if lacks]:
            fix = _PAGE_PAUSE if action == PAGE_PAUSE else _ROLE
            yield Finding("role", Result.FAIL, action, f"not granted on {join(lacking)}{fix}")
        elif required:
            yield Finding("role", Result.OK, action, f"granted on {count(len(required), 'scale set')}")
    if regional:
        yield _activity_log(regional)
    if pause_tag:
        yield from _pause_tag_findings(pause_tag, session, page_pauses=page_pauses)
    yield from alike(
        "role",
        (
            (state.desired.name, *_unreadable(failure))
            for state, _, failure in results
            if isinstance(failure, AzureFailure)
        ),
    )


def _activity_log(subscriptions: Mapping[str, EffectivePermissions | AzureFailure]) -> Finding:
    """Whether `why` may read the activity logs. A denial is no failure, because no rollout needs the logs."""
    lacking = [
        each
        for each, allowed in sorted(subscriptions.items())
        if isinstance(allowed, AzureFailure) or not allowed.allow(ACTIVITY_LOG)
    ]
    if not lacking:
        return Finding(
            "role", Result.OK, ACTIVITY_LOG, f"granted on {count(len(subscriptions), 'subscription')}"
        )
    failure = next((each for each in subscriptions.values() if isinstance(each, AzureFailure)), None)
    if failure:
        return Finding("role", Result.SKIPPED, ACTIVITY_LOG, f"permissions cannot be read: {failure}")
    found = f"not granted on subscription {join(lacking)}, so `why` cannot say who changed a scale set{_ROLE}"
    return Finding("role", Result.SKIPPED, ACTIVITY_LOG, found)


def _pause_tag_findings(tag: PauseTag, session: Session, *, page_pauses: bool) -> Iterator[Finding]:
    """Whether the role allows reading the tag that pauses the fleet and, if `page_pauses`, writing it."""
    allowed, where = _allowance(session, tag.id), f"resource group {tag.resource_group}"
    needed = {PAUSE_TAG: ", so the fleet counts as paused; assign a role with this action there"}
    if page_pauses:
        needed[PAGE_PAUSE] = _PAGE_PAUSE
    for action, fix in needed.items():
        if isinstance(allowed, AzureFailure):
            result, said = _unreadable(allowed)
            yield Finding("role", result, action, said)
        elif allowed.allow(action):
            yield Finding("role", Result.OK, action, f"granted on {where}")
        else:
            yield Finding("role", Result.FAIL, action, f"not granted on {where}{fix}")


def _unreadable(failure: AzureFailure) -> tuple[Result, str]:
    """The result and the message if permissions cannot be read.

    A refusal does not fail the check, because the required actions may still be granted.
    """
    result = Result.SKIPPED if isinstance(failure, Refused | TooManyRequests) else Result.FAIL
    return result, f"permissions cannot be read: {failure}"


def _actions(state: ScaleSetState, *, page_pauses: bool) -> tuple[str, ...]:
    required = required_actions(
        state.desired.image,
        flexible=state.seen.listed is not None and state.seen.listed.is_flexible,
    )
    return (*required, PAGE_PAUSE) if page_pauses else required


def _missing(
    state: ScaleSetState,
    required: Sequence[str],
    regional: EffectivePermissions | AzureFailure,
    session: Session,
) -> frozenset[str] | AzureFailure:
    """Which required actions are not granted on the scale set, or the failure to read the permissions.

    Actions that concern the image may be granted on the image instead.
    """
    image, allowed = state.desired.image, _allowance(session, state.desired.target.id)
    if isinstance(allowed, AzureFailure):
        return allowed
    if isinstance(regional, AzureFailure):
        return regional
    missing = frozenset(
        each for each in required if not (regional if "/locations/" in each else allowed).allow(each)
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
