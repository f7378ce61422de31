"""Whether Azure Resource Manager can be reached at all, asked without an identity.

"/metadata/endpoints" is open to everybody: it is what clients discover a cloud by.
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

# What the failure says, in lower case, and the mend. The first that fits.
_FIXES = (
    (
        "certificate_verify_failed",
        "name the file of the certificate authority, with all others, in REQUESTS_CA_BUNDLE",
    ),
    ("ca certificate bundle", "correct REQUESTS_CA_BUNDLE, or unset it"),
    ("proxy", "correct HTTPS_PROXY, or name this host in NO_PROXY"),
    ("failed to resolve", "correct --arm-endpoint, or the name server of this machine"),
    ("", "let this machine reach it, or set HTTPS_PROXY"),
)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """That it answered, and what time it is there; None where it does not say."""

    date: datetime | None


def probe(endpoint: str) -> ProbeResult:
    """Ask `endpoint`. Raises Unreachable, with the mend."""
    transport = RequestsTransport(connection_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS)
    pipeline: Pipeline[HttpRequest, HttpResponse] = Pipeline(transport, [])
    try:
        with pipeline:
            response = pipeline.run(HttpRequest("GET", f"{endpoint}{_PATH}")).http_response
    except AzureError as error:
        raise _unreachable(str(failure(error))) from error
    except OSError as error:  # a REQUESTS_CA_BUNDLE that is not there
        raise _unreachable(str(error)) from error
    if not _is_arm(response):
        said = f"what answers (HTTP {response.status_code}) is not Azure Resource Manager"
        raise Unreachable(f"{said}; correct --arm-endpoint, or try again where it was right before")
    return ProbeResult(parse_date(response.headers.get("Date")))


def _is_arm(response: HttpResponse) -> bool:
    """It answers in JSON, also where it refuses: an older one, of Azure Stack, may not know this version."""
    try:
        return isinstance(response.json(), dict)
    except ValueError:
        return False


def _unreachable(said: str) -> Unreachable:
    fix = next(fix for sign, fix in _FIXES if sign in said.casefold())
    return Unreachable(f"{said}; {fix}")
