"""Checks outside of Azure that must pass before working instances are taken down."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """Passes when a GET of `url` is answered with `status`."""

    name: str
    url: str
    status: int


@dataclass(frozen=True, slots=True)
class PrometheusCheck:
    """Passes when `query`, put to the Prometheus at `server`, returns a sample: as an alert would fire.

    So `errors < 5` passes while there are fewer than five, and none at all counts as fewer only if the series
    is there.
    """

    name: str
    server: str
    query: str


Check = HttpCheck | PrometheusCheck
