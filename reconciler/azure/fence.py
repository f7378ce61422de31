"""The fence in front of Azure. Sends a write only if no other replica can interfere.

No other replica has acted since the write was decided, and none can act before the write ends.

The fence is the last step before the connection, because waiting for the budget and the token may take long.
In that time, this replica may lose the lead and win it back, so each write names the term in which it was
decided. A gap remains between the check and the moment when the request is sent. For a PATCH, the etag closes
this gap. An upgrade has no etag, so a replica that takes over an expired Lease waits for the timeout of one
write, and observes again, before it acts.
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
        """Whether no other process can act between the start of `term` and `timeout` from now.

        If there may be other replicas, a write without a term is never permitted.
        """
        ...


class FencedTransport(HttpTransport[Any, Any]):
    """Sends every read, but a write only if no other replica can act before the write times out.

    A write can have a much shorter timeout than a list, because Azure accepts a PATCH or an upgrade within a
    second or two, and works on it afterwards.
    """

    def __init__(
        self,
        transport: HttpTransport[Any, Any],
        permission: WritePermission,
        term: Callable[[], int | None],
        right: str,
    ) -> None:
        """`term` returns the term in which this thread's request was decided.

        `right` names what grants the permission, for messages.
        """
        self._transport = transport
        self._permission = permission
        self._term = term
        self._right = right

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send the request. Raises NotLeading, and sends nothing, if the request is a write without
        permission.
        """
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
