"""Records what has changed on each page since a browser last had it."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock

from reconciler.web.page.render import Rendered

_KEPT = 64  # addresses, the least recently asked for is forgotten


@dataclass(slots=True)
class _Known:
    """A page at a version, and the version at which each part last changed."""

    version: int
    page: Rendered
    framed: int  # the version at which the parts were other ones, or in another order
    changed: dict[str, int]


@dataclass(frozen=True, slots=True)
class Update:
    """What a browser needs: only the changed parts or, if that is not enough, the whole page in `main`."""

    title: str
    parts: Mapping[str, str]
    main: str | None

    @property
    def is_empty(self) -> bool:
        return self.main is None and not self.parts


class VersionCount:
    """A version number that grows whenever `key` returns a new value."""

    def __init__(self, key: Callable[[], object]) -> None:
        self._read = key
        self._key: object = None
        self._number = 0
        self._lock = Lock()

    def __call__(self) -> int:
        with self._lock:
            key = self._read()
            if key != self._key:
                self._key = key
                self._number += 1
            return self._number


class PageLog:
    """The last rendering of each page. Safe to share between threads."""

    def __init__(self, render: Callable[[str], Rendered | None], version: Callable[[], int]) -> None:
        self._render = render
        self._version = version
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = Lock()

    def page(self, address: str) -> tuple[Rendered, int] | None:
        """The current page and its version, or None if there is no such page."""
        known = self._current(address)
        return (known.page, known.version) if known else None

    def since(self, address: str, version: int | None) -> Update | None:
        """What has changed since a version, or None if there is no such page.

        If `version` is None, the result contains the whole page.
        """
        known = self._current(address)
        if known is None:
            return None
        page = known.page
        if version is None or version < known.framed:
            return Update(page.title, {}, page.main)
        changed = {each: page.parts[each] for each, at in known.changed.items() if at > version}
        return Update(page.title, changed, None)

    def _current(self, address: str) -> _Known | None:
        with self._lock:
            known = self._known.get(address)
            if known is not None:
                self._known.move_to_end(address)
        version = self._version()
        if known is not None and known.version == version:
            return known
        page = self._render(address)
        if page is None:
            return None
        with self._lock:
            known = self._known.get(address)
            if known is None or known.version < version:
                known = self._known[address] = _following(known, page, version)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
            return known


def _following(known: _Known | None, page: Rendered, version: int) -> _Known:
    if known is None or list(known.page.parts) != list(page.parts):
        return _Known(version, page, version, dict.fromkeys(page.parts, version))
    before = known.page.parts
    changed = {
        each: known.changed[each] if before[each] == text else version for each, text in page.parts.items()
    }
    return _Known(version, page, known.framed, changed)
