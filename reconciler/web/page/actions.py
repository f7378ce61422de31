"""The actions of the page: a form that says what an action will do (GET), and the action itself (POST).

/actions/pause                        for the whole fleet
/scale-sets/web/actions/pause         for one scale set
/scale-sets/web/actions/upgrade?domain=update+domain+3
/scale-sets/web/actions/upgrade?instance=3&instance=7
                                      for some of its instances; without any, the form asks for them
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qs, quote, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from reconciler.acts.result import ActResult
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.state import ScaleSetState
from reconciler.daemon.store import Store
from reconciler.rollout.pause import Pause, is_too_long
from reconciler.spec.image import Image
from reconciler.spec.wording import one_line, printable
from reconciler.web.application import target
from reconciler.web.page.action import OF_FLEET, Action, Visitor
from reconciler.web.page.confirmation import (
    Confirmation,
    confirmation_of_fleet,
    confirmation_of_scale_set,
    confirmation_of_upgrade,
)
from reconciler.web.page.forgery import FormTokens, cross_site_note
from reconciler.web.page.headers import HEADERS
from reconciler.web.page.heat_map import heat_maps
from reconciler.web.page.notices import Notice, Notices
from reconciler.web.page.render import Rendered, document, macro
from reconciler.web.page.sign_in import SignIn
from reconciler.web.threads import Threads

_log = logging.getLogger("reconciler")

_MOST_BYTES = 8192  # of a form, whose only text is a reason
_MOST_FIELDS = 10
_LONGEST_PLACE = 200  # characters
_THREADS = 4  # that act at once: each waits for Azure
_FORM = "application/x-www-form-urlencoded"
_STALE = (
    "this form is no longer valid: it belongs to another user, is out of date or more than an hour old, or "
    "the daemon has restarted; check it and confirm again"
)

_NOTHING_CHECKED = "No instance is checked. Check at least one, or choose a domain by its name."


class Acts(Protocol):
    """The actions that the daemon takes for a person. A `state` of None means the whole fleet."""

    @property
    def standby(self) -> str:
        """Why this replica takes no actions, or "" if it leads."""
        ...

    def pause(self, state: ScaleSetState | None, pause: Pause) -> ActResult: ...
    def resume(self, state: ScaleSetState | None, shown: Collection[Pause]) -> ActResult: ...
    def approve(self, state: ScaleSetState, image: Image, by: str) -> ActResult: ...
    def retry(self, state: ScaleSetState, image: Image) -> ActResult: ...
    def reconcile(self, state: ScaleSetState) -> ActResult: ...
    def upgrade(self, request: PickRequest) -> ActResult: ...


@dataclass(frozen=True, slots=True)
class _Asked:
    """An action that a visitor requests. `state` is None for the whole fleet."""

    visitor: Visitor
    confirmation: Confirmation
    state: ScaleSetState | None


class Actions:
    """Serves the actions to people who are signed in. Without an `Actions`, the pages are read-only."""

    def __init__(
        self,
        store: Store,
        sign_in: SignIn,
        acts: Acts,
        now: Callable[[], datetime],
        tokens: FormTokens | None = None,
    ) -> None:
        self._store = store
        self._sign_in = sign_in
        self._acts = acts
        self._now = now
        self._tokens = tokens or FormTokens()
        self._threads = Threads(_THREADS)
        self._notices = Notices()

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            Route(path, self._respond, methods=["GET", "POST"])
            for path in ("/actions/{action}", "/scale-sets/{name}/actions/{action}")
        ]

    def visitor(self, request: Request) -> Visitor:
        peer = request.client.host if request.client else ""
        return self._sign_in.visitor(request.scope["headers"], peer)

    def permitted(self, visitor: Visitor) -> tuple[Action, ...]:
        return self._sign_in.grants.permitted(visitor)

    def notice(self, visitor: Visitor, id_: str) -> Notice | None:
        """The result of an earlier action by this visitor, or None if there is no such action."""
        return self._notices.get(visitor.name, id_) if visitor.name else None

    async def _respond(self, request: Request) -> Response:
        visitor = self.visitor(request)
        asked = self._asked(request, visitor)
        if asked is None:
            page = Rendered("Not found", {}, str(macro("not_found.html", "main")()))
            return self._page(request, visitor, page, HTTPStatus.NOT_FOUND)
        action = asked.confirmation.action
        if action not in self.permitted(visitor):
            return self._refuse(request, asked, self._no_permission(visitor, action), HTTPStatus.FORBIDDEN)
        if standby := self._acts.standby:
            return self._refuse(request, asked, standby, HTTPStatus.MISDIRECTED_REQUEST)
        if asked.confirmation.refusal:
            return self._refuse(request, asked, asked.confirmation.refusal, HTTPStatus.CONFLICT)
        if request.method == "POST":
            return await self._post(request, asked)
        if asked.state and asked.confirmation.needs_choice:
            return self._choice(request, asked, asked.state)
        return self._form(request, asked, HTTPStatus.OK)

    def _asked(self, request: Request, visitor: Visitor) -> _Asked | None:
        """The requested action, or None if there is no such action or scale set."""
        word, name = request.path_params["action"], request.path_params.get("name")
        if word not in set(Action):
            return None
        action = Action(word)
        if name is None:
            if action not in OF_FLEET:
                return None
            return _Asked(visitor, confirmation_of_fleet(action, self._store), None)
        state = self._store.states().by_name(name)
        if state is None:
            return None
        if action is Action.UPGRADE:
            confirmation = confirmation_of_upgrade(state, _pick_request(request, name, visitor))
        else:
            confirmation = confirmation_of_scale_set(action, state)
        return _Asked(visitor, confirmation, state)

    def _no_permission(self, visitor: Visitor, action: Action) -> str:
        who = f"{visitor.name} may not" if visitor.name else "you are not signed in, and may not"
        return (
            f"{who} {action}; the permission `{action}` is granted to {self._sign_in.grants.holders(action)}"
        )

    async def _post(self, request: Request, asked: _Asked) -> Response:
        if note := cross_site_note(request.scope["headers"]):
            return self._refuse(request, asked, note, HTTPStatus.FORBIDDEN)
        length = request.headers.get("content-length", "")
        is_short = length.isascii() and length.isdigit() and int(length) <= _MOST_BYTES
        if not is_short or request.headers.get("content-type") != _FORM:
            response = self._refuse(
                request, asked, "the request was not sent by the form on this page", HTTPStatus.BAD_REQUEST
            )
            response.headers["connection"] = "close"  # on a body that nobody reads
            return response
        try:
            fields = parse_qs((await request.body()).decode(), max_num_fields=_MOST_FIELDS)
        except ValueError:
            return self._refuse(
                request, asked, "the request was not sent by the form on this page", HTTPStatus.BAD_REQUEST
            )
        token, reason = (one_line(fields.get(name, [""])[0]) for name in ("token", "reason"))
        if not self._tokens.is_valid(token, self._now(), asked.visitor.name, *asked.confirmation.shown):
            return self._refuse(request, asked, _STALE, HTTPStatus.FORBIDDEN)
        if asked.confirmation.needs_reason and (error := self._reason_error(reason)):
            return self._form(request, asked, HTTPStatus.BAD_REQUEST, reason, error)
        result = await self._threads.run(self._act, asked, reason)
        return self._redirect(asked, result)

    def _reason_error(self, reason: str) -> str:
        if not reason:
            return "enter a reason: messages show it, and whoever resumes needs it"
        if is_too_long(Pause(reason, at=self._now())):
            return "this reason is too long for a tag; write at most 100 characters"
        return ""

    def _act(self, asked: _Asked, reason: str) -> ActResult:
        who, state, image = asked.visitor.name, asked.state, asked.confirmation.image
        match asked.confirmation.action:
            case Action.PAUSE:
                result = self._acts.pause(state, Pause(reason, who, self._now().replace(microsecond=0)))
            case Action.RESUME:
                result = self._acts.resume(state, asked.confirmation.pauses)
            case Action.APPROVE if state and image:
                result = self._acts.approve(state, image, who)
            case Action.RETRY if state and image:
                result = self._acts.retry(state, image)
            case Action.RECONCILE if state:
                result = self._acts.reconcile(state)
            case Action.UPGRADE if asked.confirmation.pick:
                result = self._acts.upgrade(asked.confirmation.pick)
            case action:  # pragma: no cover - `_asked` has no others
                raise AssertionError(action)
        self._record(asked, result.outcome, "; ".join((*result.failed, *result.done)))
        return result

    def _record(self, asked: _Asked, outcome: str, message: str) -> None:
        """Log who did what, and the result."""
        action, name = asked.confirmation.action, asked.confirmation.name
        subject = {"user": asked.visitor.name, "action": action, "scale_set": name, "outcome": outcome}
        level = logging.INFO if outcome == "done" else logging.WARNING
        what = f"{asked.visitor.name} on the page: {action} {name or 'the fleet'}"
        _log.log(level, "%s: %s: %s", what, outcome, message, extra=subject)

    def _form(
        self, request: Request, asked: _Asked, status: HTTPStatus, reason: str = "", error: str = ""
    ) -> Response:
        token = self._tokens.token(self._now(), asked.visitor.name, *asked.confirmation.shown)
        text = macro("action.html", "form")(asked.confirmation, token, reason, error, _page_of(asked))
        page = Rendered(asked.confirmation.heading, {}, str(text))
        return self._page(request, asked.visitor, page, status)

    def _choice(self, request: Request, asked: _Asked, state: ScaleSetState) -> Response:
        """The heat map of a scale set, from which a person chooses instances."""
        maps, legend = heat_maps(state)
        # The button of the form was pressed, but no instance is in the address.
        error = _NOTHING_CHECKED if "chosen" in request.query_params else ""
        text = macro("upgrade.html", "choice")(asked.confirmation, maps, legend, _page_of(asked), error)
        page = Rendered(asked.confirmation.heading, {}, str(text))
        return self._page(request, asked.visitor, page, HTTPStatus.OK)

    def _refuse(self, request: Request, asked: _Asked, why: str, status: HTTPStatus) -> Response:
        """A response that says why nothing is done. Logs the refusal if a signed-in person sent a form."""
        if request.method == "POST" and asked.visitor.name:
            self._record(asked, "refused", why)
        text = macro("action.html", "refusal")(asked.confirmation, why, _page_of(asked))
        page = Rendered(asked.confirmation.heading, {}, str(text))
        return self._page(request, asked.visitor, page, status)

    def _page(self, request: Request, visitor: Visitor, page: Rendered, status: HTTPStatus) -> Response:
        text = document(
            page, version="", at=self._now(), here=target(request), is_live=False, visitor=visitor
        )
        return HTMLResponse(text, status, HEADERS)

    def _redirect(self, asked: _Asked, result: ActResult) -> Response:
        notice = Notice(asked.confirmation.heading, result, self._now())
        query = urlencode({"notice": self._notices.keep(asked.visitor.name, notice)})
        return RedirectResponse(f"{_page_of(asked)}?{query}", HTTPStatus.SEE_OTHER, HEADERS)


def _pick_request(request: Request, name: str, visitor: Visitor) -> PickRequest:
    """A request to upgrade the instances that the address names."""
    query = request.query_params
    place = printable(query.get("domain", "").strip()[:_LONGEST_PLACE])
    return PickRequest(name, visitor.name, place, tuple(dict.fromkeys(query.getlist("instance"))))


def _page_of(asked: _Asked) -> str:
    name = asked.confirmation.name
    return f"/scale-sets/{quote(name, safe='')}" if name else "/"
