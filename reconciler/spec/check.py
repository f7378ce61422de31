"""Checks outside Azure that must pass before healthy instances are taken out of service."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """Passes if a GET request to `url` returns `status`."""

    name: str
    url: str
    status: int


@dataclass(frozen=True, slots=True)
class PrometheusCheck:
    """Passes if the Prometheus at `server` returns a sample for `query`, like the condition of an alert.

    `errors < 5` passes while there are fewer than five errors. Zero errors pass only if the series exists: a
    missing series fails.
    """

    name: str
    server: str
    query: str


Check = HttpCheck | PrometheusCheck
