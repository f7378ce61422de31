"""Sign-in to the pages without a proxy, and acts that are only noted."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from reconciler.acts.result import ActResult
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store
from reconciler.rollout.pause import Pause
from reconciler.spec.image import Image
from reconciler.web.page.action import Action, grant, permissions
from reconciler.web.page.actions import Actions
from reconciler.web.page.forgery import FormTokens
from reconciler.web.page.sign_in import SignIn

USER, GROUPS = "X-Forwarded-Email", "X-Forwarded-Groups"
ALL = [f"{action}=group:sre" for action in Action]
ADA = {USER: "ada@example.com", GROUPS: "sre"}


class Acted:
    """Acts that are only noted."""

    def __init__(self, standby: str = "", result: ActResult | None = None) -> None:
        self.standby = standby
        self.done: list[Any] = []
        self._result = result or ActResult(("web: it is so",))

    def _note(self, action: str, state: ScaleSetState | None, *others: object) -> ActResult:
        self.done.append((action, state.desired.name if state else "", *others))
        return self._result

    def pause(self, state: ScaleSetState | None, pause: Pause) -> ActResult:
        return self._note("pause", state, pause)

    def resume(self, state: ScaleSetState | None, shown: Collection[Pause]) -> ActResult:
        return self._note("resume", state, tuple(shown))

    def approve(self, state: ScaleSetState, image: Image, by: str) -> ActResult:
        return self._note("approve", state, image, by)

    def retry(self, state: ScaleSetState, image: Image) -> ActResult:
        return self._note("retry", state, image)

    def reconcile(self, state: ScaleSetState) -> ActResult:
        return self._note("reconcile", state)

    def upgrade(self, request: PickRequest) -> ActResult:
        self.done.append(("upgrade", request.name, request.place, request.ids, request.by))
        return self._result


def actions_of(
    store: Store,
    acts: Acted,
    now: Callable[[], datetime],
    *,
    proxy: str,
    grants: Sequence[str] = ALL,
    tokens: FormTokens | None = None,
) -> Actions:
    """The actions of the pages of this store, for people whom the proxy at this address names."""
    sign_in = SignIn(USER, GROUPS, (ip_network(proxy),), permissions(map(grant, grants)))
    return Actions(store, sign_in, acts, now, tokens)
