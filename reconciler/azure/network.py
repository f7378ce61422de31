"""Checks whether Azure Resource Manager can be reached. Needs no identity.

The request for "/metadata/endpoints" needs no token, because clients send it to discover a cloud.
"""

from dataclasses import dataclass
from datetime import datetime

from azure.core.exceptions import AzureError
from azure.core.pipeline import Pipeline
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse

from reconciler.azure.clock import parse_date
from reconciler.azure.failure import Unreachable, failure

_PATH = "/metadata/endpoints?api-version=2022-09-01"
_CONNECT_SECONDS = 5
_READ_SECONDS = 10

# A part of the error in lower case, and the fix for this error. The first row that matches applies.
_FIXES = (
    (
        "certificate_verify_failed",
        "set REQUESTS_CA_BUNDLE to a file that contains this certificate authority and all others",
    ),
    ("ca certificate bundle", "correct REQUESTS_CA_BUNDLE, or unset it"),
    ("proxy", "correct HTTPS_PROXY, or add this host to NO_PROXY"),
    ("failed to resolve", "correct --arm-endpoint, or the DNS of this machine"),
    ("", "allow this machine to reach it, or set HTTPS_PROXY"),
)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The response of Azure Resource Manager. `date` is the date in the response headers, or None."""

    date: datetime | None


def probe(endpoint: str) -> ProbeResult:
    """Send a request to `endpoint`.

    Raises Unreachable if Azure Resource Manager does not answer. The message contains the fix.
    """
    transport = RequestsTransport(connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
    pipeline: Pipeline[HttpRequest, HttpResponse] = Pipeline(transport, [])
    try:
        with pipeline:
            response = pipeline.run(HttpRequest("GET", f"{endpoint}{_PATH}")).http_response
    except AzureError as error:
        raise _unreachable(str(failure(error))) from error
    except OSError as error:  # for example a missing REQUESTS_CA_BUNDLE
        raise _unreachable(str(error)) from error
    if not _is_arm(response):
        reason = f"the response (HTTP {response.status_code}) is not from Azure Resource Manager"
        raise Unreachable(f"{reason}; correct --arm-endpoint, or retry if it was correct before")
    return ProbeResult(parse_date(response.headers.get("Date")))


def _is_arm(response: HttpResponse) -> bool:
    """Whether the response is a JSON object.

    An error response counts too, because an older Azure Stack might not know the api-version.
    """
    try:
        return isinstance(response.json(), dict)
    except (ValueError, RecursionError):
        return False


def _unreachable(error: str) -> Unreachable:
    fix = next(fix for sign, fix in _FIXES if sign in error.casefold())
    return Unreachable(f"{error}; {fix}")
