"""The entry point for the SDK: an azure-core transport that calls the core instead of the network.

    ComputeManagementClient(credential, subscription, transport=sim.transport())

The SDK calls `sleep` between polls and before retries. On a virtual clock, a sleep takes no real time. The
SDK's pollers rely on case-insensitive header names. With a plain dict, a long-running operation would look
finished immediately.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from azure.core.exceptions import (
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.core.pipeline.transport import HttpTransport
from azure.core.rest import HttpRequest, HttpResponse
from azure.core.utils import CaseInsensitiveDict

from reconciler.simulator.core import Core
from reconciler.simulator.message import ConnectionLost, Request, Response

TRANSPORT_ERRORS = {
    (False, False): ServiceRequestError,
    (False, True): ServiceRequestTimeoutError,
    (True, False): ServiceResponseError,
    (True, True): ServiceResponseTimeoutError,
}


class InProcessTransport(HttpTransport[HttpRequest, HttpResponse]):
    def __init__(self, core: Core, client: int = 0) -> None:
        self._core = core
        self.client = client

    def send(self, request: HttpRequest, **_kwargs: Any) -> HttpResponse:
        content = request.content if hasattr(request, "content") else None
        body = content.encode() if isinstance(content, str) else content or b""
        converted = Request(request.method, request.url, dict(request.headers), body, self.client)
        try:
            return InProcessResponse(request, self._core.handle(converted))
        except ConnectionLost as lost:
            raise TRANSPORT_ERRORS[lost.carried_out, lost.timed_out](str(lost)) from lost

    def sleep(self, duration: float) -> None:
        self._core.clock.sleep(timedelta(seconds=duration))

    def open(self) -> None:
        """Do nothing, because there is no connection."""

    def close(self) -> None:
        """Do nothing, because there is no connection."""

    def __enter__(self) -> InProcessTransport:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class InProcessResponse(HttpResponse):
    """A complete response with the interface of a streamed one."""

    def __init__(self, request: HttpRequest, response: Response) -> None:
        self._request = request
        self._response = response
        self._headers = CaseInsensitiveDict(response.headers)
        self._encoding: str | None = None
        self._is_closed = False

    @property
    def request(self) -> HttpRequest:
        return self._request

    @property
    def status_code(self) -> int:
        return self._response.status

    @property
    def headers(self) -> MutableMapping[str, str]:
        return self._headers

    @property
    def reason(self) -> str:
        return HTTPStatus(self._response.status).phrase

    @property
    def content_type(self) -> str | None:
        return self._headers.get("Content-Type")

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    @property
    def is_stream_consumed(self) -> bool:
        return True

    @property
    def encoding(self) -> str | None:
        return self._encoding or "utf-8"

    @encoding.setter
    def encoding(self, value: str | None) -> None:
        self._encoding = value

    @property
    def url(self) -> str:
        return self._request.url

    @property
    def content(self) -> bytes:
        return self._response.body

    def read(self) -> bytes:
        return self._response.body

    def body(self) -> bytes:
        return self._response.body

    def text(self, encoding: str | None = None) -> str:
        return self._response.body.decode(encoding or self.encoding or "utf-8")

    def json(self) -> Any:
        return json.loads(self.text())

    def raise_for_status(self) -> None:
        if self.status_code >= HTTPStatus.BAD_REQUEST:
            raise HttpResponseError(response=self)

    def iter_raw(self, **_kwargs: Any) -> Iterator[bytes]:
        yield self._response.body

    def iter_bytes(self, **_kwargs: Any) -> Iterator[bytes]:
        yield self._response.body

    def stream_download(self, *_: Any, **_kwargs: Any) -> Iterator[bytes]:
        return self.iter_bytes()

    def close(self) -> None:
        self._is_closed = True

    def __enter__(self) -> InProcessResponse:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
