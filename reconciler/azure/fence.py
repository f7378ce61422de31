"""The fence in front of Azure: sends a write only if no other replica can act in between.

None has acted since the write was decided, and none can act before the write has ended.

It is the last step before the connection, after the budget and the token, because each of them may take long.
Meanwhile this replica may have lost the lead and won it back, so each write names the term in which it was
decided. A gap remains between the answer of the fence and the socket. For a PATCH, the etag closes this gap.
An upgrade has no etag, so a replica that takes an expired Lease waits for the timeout of one write, and
observes again, before it acts.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from azure.core.pipeline.transport import HttpTransport

from reconciler.azure.failure import NotLeading

_CONNECT_SHARE = 1 / 3  # of the timeout of a write; the rest is for the answer


class WritePermission(Protocol):
    """Says whether this process may write."""

    @property
    def write_timeout(self) -> timedelta | None:
        """The maximum duration of a write, or None if there is no limit."""
        ...

    def permits_write(self, timeout: timedelta, term: int | None) -> bool:
        """Whether no other process has acted since this term began, and none can within `timeout` from now.

        A write that was decided in no term is never permitted.
        """
        ...


class FencedTransport(HttpTransport[Any, Any]):
    """Sends every read. Sends a write only if no other replica can act before the timeout of the write.

    Azure accepts a PATCH or an upgrade within a second or two, and works on it afterwards, so a write can
    have a much shorter timeout than a list.
    """

    def __init__(
        self,
        transport: HttpTransport[Any, Any],
        permission: WritePermission,
        term: Callable[[], int | None],
        right: str,
    ) -> None:
        """`term` returns the term in which this thread's request was decided.

        `right` names what grants the permission.
        """
        self._transport = transport
        self._permission = permission
        self._term = term
        self._right = right

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send the request. If it is a write without permission, raises NotLeading and sends nothing."""
        timeout = self._permission.write_timeout
        if request.method != "GET" and timeout is not None:
            if not self._permission.permits_write(timeout, self._term()):
                raise NotLeading(f"{self._right} expired, or was about to; nothing was sent")
            connect = timeout.total_seconds() * _CONNECT_SHARE
            kwargs |= {"connection_timeout": connect, "read_timeout": timeout.total_seconds() - connect}
        return self._transport.send(request, **kwargs)

    def open(self) -> None:
        self._transport.open()

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> "FencedTransport":
        self._transport.__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self._transport.__exit__(*args)
