"""Requests and responses of the daemon's HTTP servers, as their handlers see them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

TEXT = "text/plain; charset=utf-8"

Headers = Mapping[str, str]
"""The headers of a request, by name in lower case."""


class Response(NamedTuple):
    status: HTTPStatus
    body: bytes
    kind: str = TEXT
