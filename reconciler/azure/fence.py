"""The fence at the door to Azure: no write leaves this process unless no other replica can act until it has
ended.

It is the last thing before the connection, behind the budget and the token, because each of them may take
long. The pause between its answer and the socket remains. The etag closes that for a PATCH. An upgrade has
none, so a replica that takes an expired Lease waits out the timeout of one write, and looks again, before it
acts.
"""

from datetime import timedelta
from typing import Any, Protocol

from azure.core.pipeline.transport import HttpTransport

from reconciler.azure.failure import NotLeading

_CONNECT_SHARE = 1 / 3  # of the timeout of a write; the rest is for the answer


class WritePermission(Protocol):
    """Says whether this process may write."""

    @property
    def write_timeout(self) -> timedelta | None:
        """The longest that a write may take, None if there is no limit."""
        ...

    def permits_write(self, timeout: timedelta) -> bool:
        """Whether no other process can act within `timeout` from now."""
        ...


class FencedTransport(HttpTransport[Any, Any]):
    """Sends each read. Sends a write only if it is permitted for as long as it may take.

    Azure accepts a PATCH and an upgrade within a second or two, and works on them afterwards. A write may
    therefore have a much shorter timeout than a list.
    """

    def __init__(self, transport: HttpTransport[Any, Any], permission: WritePermission) -> None:
        self._transport = transport
        self._permission = permission

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Raises NotLeading, without sending anything."""
        timeout = self._permission.write_timeout
        if request.method != "GET" and timeout is not None:
            if not self._permission.permits_write(timeout):
                raise NotLeading("this replica's lead was too close to expiring; nothing was sent")
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
