"""The requests that an operator can send to the running daemon.

    POST /pause      {"by": "ada", "reason": "checkout is down", "at": "2026-01-05T09:00:00Z", "until": null}
    POST /resume     {}
    POST /reconcile  {"names": ["web"]}
    POST /upgrade    {"name": "web", "by": "ada", "domain": "update domain 3", "trial": true}
    POST /upgrade    {"name": "web", "by": "ada", "instances": ["3", "7"]}
    POST /last-change  {"name": "web"}

Only clients on the same host are served, such as `kubectl port-forward`. A request is refused if a header
shows that a proxy has passed it on. A page in a browser cannot send such a request: the browser adds an
Origin, and asks the server before it sends JSON. No request can do anything that the specs do not declare.
`/last-change` changes nothing, but it costs a request to Azure, and its response names people.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, Protocol

from reconciler.daemon import report
from reconciler.daemon.pick_request import PickRequest
from reconciler.daemon.picking import PickOffer, PickRefused
from reconciler.rollout.pause import Pause
from reconciler.spec.wording import printable
from reconciler.web.peer import peer_address
from reconciler.web.response import Headers, Response

# By a proxy on the same host, whose clients are anywhere. Most proxies add at least one of them.
_FORWARDED = frozenset({"forwarded", "via", "x-real-ip"})
_FORWARDED_PREFIX = "x-forwarded-"
_LONGEST = 200  # characters of a text


class Commands(Protocol):
    """The commands that an operator can give to the daemon.

    Each command returns immediately, except for `last_change`, which takes seconds.
    """

    @property
    def standby(self) -> str:
        """Why this replica takes no commands, or "" if it leads."""
        ...

    def pause(self, pause: Pause) -> None:
        """Pause the fleet."""
        ...

    def resume(self) -> str:
        """Lift the pause that the daemon was given, and read the tag again.

        Returns the reason if the Fleet bars the command, otherwise "".
        """
        ...

    def reconcile(self, names: Sequence[str]) -> Sequence[str]:
        """Reconcile these scale sets now. Returns the names that are not declared.

        If any name is not declared, nothing is reconciled.
        """
        ...

    def upgrade(self, request: PickRequest) -> PickOffer:
        """Upgrade these instances next or, in a trial, only say what would happen. Raises PickRefused."""
        ...

    def last_change(self, name: str) -> Mapping[str, Any] | None:
        """Who last changed the model of this scale set, or None if the scale set is not declared."""
        ...


class OperatorRequests:
    """Responds to requests from an operator.

    `page_headers` are the headers in which the proxy of the page names the reader. No operator sends them.
    """

    def __init__(self, commands: Commands, page_headers: Collection[str] = ()) -> None:
        self._commands = commands
        self._forwarded = _FORWARDED.union(each.lower() for each in page_headers)
        self._paths: Mapping[str, Callable[[Mapping[str, Any]], Response]] = {
            "/pause": self._pause,
            "/resume": self._resume,
            "/reconcile": self._reconcile,
            "/upgrade": self._upgrade,
            "/last-change": self._last_change,
        }

    def respond(self, path: str, headers: Headers, body: bytes, peer: str) -> Response:
        """Respond to a POST from the address `peer`."""
        respond = self._paths.get(path)
        if respond is None:
            return _refuse(HTTPStatus.NOT_FOUND, f"no such request; use one of {', '.join(self._paths)}")
        if not _is_local(peer):
            fix = "use `kubectl port-forward`, or run the command on the same host"
            return _refuse(HTTPStatus.FORBIDDEN, f"only clients on the same host may ask for this; {fix}")
        if any(name in self._forwarded or name.startswith(_FORWARDED_PREFIX) for name in headers):
            fix = "send it to the daemon itself, with `kubectl port-forward`"
            return _refuse(
                HTTPStatus.FORBIDDEN, f"a proxy has passed this on, so anyone may have sent it; {fix}"
            )
        if standby := self._commands.standby:
            return _refuse(HTTPStatus.MISDIRECTED_REQUEST, standby)
        if "origin" in headers or headers.get("content-type") != "application/json":
            return _refuse(HTTPStatus.FORBIDDEN, "send application/json, and not from a page in a browser")
        try:
            asked = json.loads(body)
            if not isinstance(asked, dict):
                raise TypeError("the body is not a JSON object")
            return respond(asked)
        except (ValueError, TypeError, RecursionError) as error:
            return _refuse(HTTPStatus.BAD_REQUEST, str(error))

    def _pause(self, asked: Mapping[str, Any]) -> Response:
        pause = Pause(_text(asked, "reason"), _text(asked, "by"), _time(asked, "at"), _time(asked, "until"))
        self._commands.pause(pause)
        return Response(HTTPStatus.OK, b"paused\n")

    def _resume(self, _asked: Mapping[str, Any]) -> Response:
        if refusal := self._commands.resume():
            return _refuse(HTTPStatus.FORBIDDEN, refusal)
        return Response(HTTPStatus.OK, b"the tag is read again now\n")

    def _reconcile(self, asked: Mapping[str, Any]) -> Response:
        names = asked.get("names")
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            raise TypeError("names is not a list of names")
        if unknown := self._commands.reconcile(names):
            return _refuse(HTTPStatus.NOT_FOUND, f"not declared: {', '.join(map(printable, unknown))}")
        return Response(HTTPStatus.ACCEPTED, b"reconciled now\n")

    def _upgrade(self, asked: Mapping[str, Any]) -> Response:
        name, place, ids = _text(asked, "name"), _text(asked, "domain"), asked.get("instances") or []
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            raise TypeError("instances is no list of ids")
        if bool(place) == bool(ids):
            raise ValueError("name either a domain or instances")
        request = PickRequest(name, _text(asked, "by"), place, tuple(ids), asked.get("trial") is True)
        try:
            offer = self._commands.upgrade(request)
        except PickRefused as refused:
            return _refuse(HTTPStatus.CONFLICT, str(refused))
        status = HTTPStatus.ACCEPTED if offer.ids and not request.is_trial else HTTPStatus.OK
        return _json(status, report.pick_offer(offer))

    def _last_change(self, asked: Mapping[str, Any]) -> Response:
        name = _text(asked, "name")
        found = self._commands.last_change(name)
        if found is None:
            return _refuse(HTTPStatus.NOT_FOUND, f"not declared: {name}")
        return _json(HTTPStatus.OK, found)


def _json(status: HTTPStatus, body: Mapping[str, Any]) -> Response:
    return Response(status, f"{json.dumps(body)}\n".encode(), "application/json")


def _refuse(status: HTTPStatus, why: str) -> Response:
    return Response(status, f"{why}\n".encode())


def _is_local(peer: str) -> bool:
    address = peer_address(peer)
    return address is not None and address.is_loopback


def _text(asked: Mapping[str, Any], name: str) -> str:
    """The text in a field, or "" if the field is missing. Raises TypeError if the value is not a string."""
    value = asked.get(name) or ""
    if not isinstance(value, str):
        raise TypeError(f"{name} is not a string")
    return printable(value[:_LONGEST])


def _time(asked: Mapping[str, Any], name: str) -> datetime | None:
    """The time in a field, or None if the field is missing.

    Raises ValueError if the time is invalid or has no zone.
    """
    text = _text(asked, name)
    at = datetime.fromisoformat(text) if text else None
    if at and at.tzinfo is None:
        raise ValueError(f"{name} has no time zone")
    return at
