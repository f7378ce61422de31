"""Checks against systems outside Azure. Healthy instances stay in service until all checks pass."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """A check that passes if a GET request to `url` returns `status`."""

    name: str
    url: str
    status: int


@dataclass(frozen=True, slots=True)
class PrometheusCheck:
    """A check that passes if the Prometheus server returns at least one sample for `query`.

    `errors < 5` passes while there are fewer than five errors. If the series is missing, no sample is
    returned and the check fails, so zero errors must be exported as 0.
    """

    name: str
    server: str
    query: str


Check = HttpCheck | PrometheusCheck
