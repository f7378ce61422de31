"""The results of actions, kept so that the next page can show them."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from reconciler.acts.result import ActResult

_KEPT = 64  # the oldest is forgotten


@dataclass(frozen=True, slots=True)
class Notice:
    """The result of an action, and its time."""

    heading: str
    result: ActResult
    at: datetime


class Notices:
    """Keeps notices. Only the person who acted can see a notice, so that no link can show a forged one."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Notice] = OrderedDict()
        self._lock = Lock()

    def keep(self, person: str, notice: Notice) -> str:
        """Keep a notice. Returns its id."""
        id_ = secrets.token_urlsafe(9)
        with self._lock:
            self._known[person, id_] = notice
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return id_

    def get(self, person: str, id_: str) -> Notice | None:
        """The notice with this id, or None unless this person caused it."""
        with self._lock:
            return self._known.get((person, id_))
