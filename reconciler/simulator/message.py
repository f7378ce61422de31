"""The requests and responses that pass between the entry points and the core.

Nothing else passes between them. An entry point is any code that can create a `Request` and deliver a
`Response`. An entry point that supports faults also handles `ConnectionLost`, which the core raises instead
of returning a response.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from reconciler.simulator.errors import ArmError


@dataclass(frozen=True)
class Request:
    """A request. `url` is absolute, because links in the response use its scheme and host.

    Header names are case-insensitive. `client` is the number of the in-process transport that the request
    came through, or 0 for a request over the wire.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: int = 0

    @cached_property
    def path(self) -> str:
        return unquote(urlsplit(self.url).path)

    @cached_property
    def host(self) -> str:
        """The scheme and host, without a trailing slash."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The query parameters. Their names are in lower case, because Azure ignores case in names."""
        return {
            name.lower(): value for name, value in parse_qsl(urlsplit(self.url).query, keep_blank_values=True)
        }

    @property
    def version(self) -> str:
        return self.query.get("api-version", "")

    def header(self, name: str) -> str:
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")

    def json(self) -> dict[str, Any]:
        """Return the JSON object in the body, or {} if the body is empty.

        Raises Azure's 400 if the body is not a JSON object.
        """
        if not self.body.strip():
            return {}
        try:
            parsed = json.loads(self.body)
        except ValueError as problem:
            message = f"The request content was invalid and could not be deserialized: '{problem}'."
            raise ArmError(400, "InvalidRequestContent", message, gateway=True) from problem
        if not isinstance(parsed, dict):
            raise ArmError(
                400, "InvalidRequestContent", "The request content is not a JSON object.", gateway=True
            )
        return parsed


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


class ConnectionLost(Exception):
    """Raised if the client gets no response. The entry point must behave like a broken connection.

    `carried_out` is true if the core carried out the request first. `timed_out` is true if the connection
    went silent, and false if it was reset.
    """

    def __init__(self, *, carried_out: bool, timed_out: bool) -> None:
        super().__init__("the response was lost" if carried_out else "the request was lost")
        self.carried_out = carried_out
        self.timed_out = timed_out
