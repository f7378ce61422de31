"""What the daemon does on behalf of a person who uses its web page.

The daemon acts with its own identity, within its own request budget, and only while it leads. The tags record
the name of the person. The command line performs the same acts itself.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import timedelta
from functools import partial

from reconciler.acts.approve import Person, approve, authors_of
from reconciler.acts.pause import Scope, change_tags, remove_pause, unseen_pause_note, write_pause
from reconciler.acts.result import ActResult
from reconciler.acts.retry import retry
from reconciler.acts.tagging import TagUnchanged, retry_conflict, unknown_version_note
from reconciler.azure.compute import Compute
from reconciler.azure.failure import AzureFailure
from reconciler.azure.identity import identity
from reconciler.azure.session import Session
from reconciler.daemon.commands import LoopCommands
from reconciler.daemon.interfaces import DeclaredHistory
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import PickRefused, describe_picked
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store
from reconciler.rollout.barred import first_bar_note
from reconciler.rollout.pause import Pause
from reconciler.spec.image import Image
from reconciler.spec.scale_set import ScaleSet, pause_tag_of

# That one write waits in all while Azure throttles. A person waits for the page, and a stop for the act.
_LONGEST_WAIT = timedelta(seconds=30)


class PageActs:
    """The actions of the page. Each returns when Azure has accepted its writes.

    The daemon takes each change into account immediately. Safe to share between threads. A `state` of None
    means the whole fleet.
    """

    def __init__(
        self,
        store: Store,
        commands: LoopCommands,
        session: Session,
        history: DeclaredHistory,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._commands = commands
        self._session = session
        self._history = history
        self._sleep = sleep
        self._compute = Compute(session)

    @property
    def standby(self) -> str:
        """Why this replica takes no actions, or "" if it leads."""
        return self._commands.standby

    def pause(self, state: ScaleSetState | None, pause: Pause) -> ActResult:
        """Pause a scale set or the fleet. To pause the fleet, first keep this daemon from starting writes."""
        told: tuple[str, ...] = ()
        if state is None:
            self._commands.pause(pause)
            told = ("this daemon starts no further writes",)
        result = self._change_tags(state, partial(write_pause, self._session, pause))
        if told and result.failed:
            forgets = "until every tag is written, the daemon forgets the pause when it restarts"
            result = replace(result, failed=(*result.failed, forgets))
        return replace(result, done=(*told, *result.done))

    def resume(self, state: ScaleSetState | None, shown: Collection[Pause]) -> ActResult:
        """Lift the pause of a scale set or of the fleet, provided that the person was shown this pause."""
        if barred := self._bar_note("resume"):
            return ActResult(failed=(barred,))
        result = self._change_tags(state, partial(remove_pause, self._session, shown=shown))
        if state is None and not result.failed and (newer := self._commands.lift(shown)):
            result = replace(result, failed=(unseen_pause_note(newer, "the fleet"),))
        return result

    def approve(self, state: ScaleSetState, image: Image, by: str) -> ActResult:
        """Approve exactly this image, even if `latest` means another version by now."""
        desired = replace(state.desired, image=image)

        def write() -> str:
            _check_exact(image)
            approver = Person.of(identity(self._session), by)
            authors = authors_of(state.desired, self._history, state.commit)
            return approve(desired, approver, authors, self._compute)

        return self._write(state.desired, "approve", write)

    def retry(self, state: ScaleSetState, image: Image) -> ActResult:
        """Retry exactly this image."""
        desired = state.desired

        def write() -> str:
            _check_exact(image)
            return retry(desired, image, self._compute)

        return self._write(desired, "retry", write)

    def reconcile(self, state: ScaleSetState) -> ActResult:
        """Reconcile a scale set now."""
        name = state.desired.name
        if self._commands.reconcile([name]):
            return ActResult(failed=(f"{name}: no longer declared",))
        return ActResult((f"{name}: reconciled now",))

    def upgrade(self, request: PickRequest) -> ActResult:
        """Upgrade the picked instances next."""
        try:
            offer = self._commands.upgrade(request)
        except PickRefused as refused:
            return ActResult(failed=(f"{request.name}: {refused}",))
        if not offer.ids or offer.state.pick is None:
            return ActResult(failed=(f"{request.name}: no upgrade reaches any of them any more",))
        return ActResult((f"{request.name}: to be upgraded next: {describe_picked(offer.state.pick.pick)}",))

    def _write(self, desired: ScaleSet, command: str, write: Callable[[], str]) -> ActResult:
        """Call `write`, which changes the tags of one scale set, unless the Fleet bars `command`."""
        if barred := self._bar_note(command):
            return ActResult(failed=(barred,))
        try:
            with self._session.in_term(self._store.leadership.term):
                result = retry_conflict(write)
        except (AzureFailure, TagUnchanged) as why:
            return ActResult(failed=(f"{desired.name}: {why}",))
        self._commands.reconcile([desired.name])
        return ActResult((f"{desired.name}: {result}",))

    def _change_tags(self, state: ScaleSetState | None, change: Callable[[str], str]) -> ActResult:
        scope = self._fleet_scope() if state is None else (state.desired,)
        with self._session.in_term(self._store.leadership.term):
            changes = tuple(
                change_tags(scope, change, lambda _, seconds: self._sleep(seconds), _LONGEST_WAIT)
            )
        if state is not None:
            self._commands.reconcile([state.desired.name])
        return ActResult(
            tuple(f"{each.what}: {each.message}" for each in changes if each.is_done),
            tuple(f"{each.what}: {each.message}" for each in changes if not each.is_done),
        )

    def _fleet_scope(self) -> Scope:
        declared = tuple(each.desired for each in self._store.states())
        return pause_tag_of(declared) or declared

    def _bar_note(self, command: str) -> str:
        return first_bar_note((each.desired.fleet for each in self._store.states()), command)


def _check_exact(image: Image) -> None:
    """Raise TagUnchanged if the image names no version, because the person did not see the version."""
    if note := unknown_version_note(image):
        raise TagUnchanged(note)
