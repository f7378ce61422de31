"""Failures of calls to Azure. The type of a failure says what to do next.

    AzureFailure
     ├── Refused           permanent: a person must change the spec or the scale set
     ├── Conflict          another writer or operation interferes: observe again, then decide again
     ├── TooManyRequests   throttled: retry at the time that Azure names
     ├── NotLeading        another replica may act soon, so nothing was sent
     └── Unreachable       no response: retry with backoff
          ├── MalformedResponse   a response that cannot be read
          └── NoToken             no token, so nothing was sent

Failures are classified by status first and by Azure's code second: throttling and permanent denial share the
code "OperationNotAllowed", and a failed precondition is visible only in the status.
"""

import re
from datetime import timedelta

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)

from reconciler.rollout.reason import Reason
from reconciler.rollout.wording import quote_error
from reconciler.spec.wording import ellipsize, one_line


class AzureFailure(Exception):
    """A failed call. `str()` is a single printable line that quotes Azure's code and message."""

    reason = Reason.BUG

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class Refused(AzureFailure):
    """A permanent failure: Azure will respond in the same way until a person changes something."""

    reason = Reason.REFUSED


class Conflict(AzureFailure):
    """The scale set has changed since it was observed, or another operation is in progress on it."""

    reason = Reason.CONFLICT


class TooManyRequests(AzureFailure):
    """Azure throttles requests, or the request budget is used up. Retry after `retry_after`.

    `policy` is the budget that Azure named, or "" if the gateway throttles all requests of a class.
    """

    reason = Reason.THROTTLED

    def __init__(self, message: str, retry_after: timedelta, *, policy: str = "") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.policy = policy


class NotLeading(AzureFailure):
    """Nothing was sent, because another replica may act before Azure answers."""

    reason = Reason.NOT_LEADING


class Unreachable(AzureFailure):
    """It is unknown whether the call had an effect. The next observation will tell."""

    reason = Reason.UNREACHABLE


class MalformedResponse(Unreachable):
    """A response that is not JSON, lacks a mandatory field, or has a field of the wrong type."""

    reason = Reason.MALFORMED_RESPONSE


class NoToken(Unreachable):
    """No token was issued, so nothing was sent. A later request may get a token."""


# A permanent 404, about a resource that the request names: "The gallery image ...", "The Resource
# 'Microsoft.Compute/images/base' ...", ".../galleries/g/images/i/versions/1.0.0 was not found", a disk
# encryption set. A 404 about the scale set or a virtual machine may contain "image" too, as part of a name.
_NEVER = frozenset({"GalleryImageNotFound", "ImageNotFound", "PlatformImageNotFound", "SubscriptionNotFound"})
_NAMED = re.compile(r"^The Resource '|/galleries/|\bimage\b", re.IGNORECASE)
_SCALE_SET = re.compile(r"^The Resource 'Microsoft\.Compute/virtualMachine(ScaleSet)?s/", re.IGNORECASE)
_GONE = frozenset({"ParentResourceNotFound", "ResourceGroupNotFound"})
# Temporary conflicts. Any other ("OperationNotAllowed", "ScopeLocked", ...) is permanent, unless its message
# says that another operation is in progress.
_PASSING = frozenset(
    {
        "AnotherOperationInProgress",
        "Conflict",
        "ConflictingConcurrentWriteNotAllowed",
        "OperationPreempted",
        "ReferencedResourceNotProvisioned",
        "ResourceNotReady",
        "RetryableError",
    }
)
_WAITING = re.compile(
    r"\bin progress\b|\bconcurrent\b|\banother operation\b|\bnot in Succeeded state\b", re.I
)
# "... the current tenant '...' is not authorized to access linked subscription '...'". If only a role is
# missing, the message names "linked scope(s)" instead.
_OTHER_TENANT = re.compile(r"\bcurrent tenant\b.*\blinked subscription\b", re.IGNORECASE | re.DOTALL)
_NO_IDENTITY = (
    "no Azure identity: no source of DefaultAzureCredential returned a token; run `az login`, or set "
    "AZURE_TOKEN_CREDENTIALS and the variables of an identity"
)
_DEFAULT_BACKOFF = timedelta(minutes=1)  # every Compute bucket refills within a minute
# Whole seconds. Azure names at most twenty minutes, and more than a day cannot be meant.
_RETRY_AFTER = re.compile(r"[0-9]{1,5}")
_LONGEST = 600  # characters of Azure's message in a log line


def failure(error: AzureError) -> AzureFailure:
    """The AzureFailure for an SDK error."""
    message = _line(error)
    if isinstance(error, ClientAuthenticationError) and error.response is None:
        attempts = _attempts(str(error.message or error))
        return NoToken(ellipsize(f"{_NO_IDENTITY}{attempts}", _LONGEST))
    if isinstance(error, ServiceRequestError):
        return Unreachable(f"Azure could not be reached ({message})")
    if not isinstance(error, HttpResponseError) or error.response is None:
        return Unreachable(f"Azure did not answer ({message})")
    status = error.response.status_code or 0
    if status == 429:
        return TooManyRequests(message, _retry_after(error), policy=_policy(error))
    if 200 <= status < 300:
        return MalformedResponse(message)
    if status >= 500 or status in {0, 401, 408} or isinstance(error, ClientAuthenticationError):
        return Unreachable(message)
    if status == 412 or "instanceIds" in _target(error):
        return Conflict(message)  # "target" names an instance that was removed by a scale-in
    if status == 404:
        return Refused(message) if _lacks_named_resource(error) else Conflict(message)
    if status == 403 and _OTHER_TENANT.search(_message(error)):
        return Refused(f"{message}; name the tenant of that subscription with --auxiliary-tenant")
    return Conflict(message) if status == 409 and _is_temporary(error) else Refused(message)


def _lacks_named_resource(error: HttpResponseError) -> bool:
    """Whether a 404 is about a resource that the request names.

    Otherwise the scale set or a virtual machine was deleted after it was read, or is not visible yet.
    """
    message = _message(error)
    if _code(error) in _NEVER or "image" in _target(error).casefold():
        return True
    if _code(error) in _GONE or _SCALE_SET.search(message):
        return False
    return bool(_NAMED.search(message))


def _is_temporary(error: HttpResponseError) -> bool:
    """Whether a conflict clears by itself. A conflict without a code may be of any kind, and is retried."""
    code = _code(error)
    return not code or code in _PASSING or bool(_WAITING.search(_message(error)))


def _retry_after(error: HttpResponseError) -> timedelta:
    seconds = str(getattr(error.response, "headers", {}).get("Retry-After", ""))
    return timedelta(seconds=int(seconds)) if _RETRY_AFTER.fullmatch(seconds) else _DEFAULT_BACKOFF


def _policy(error: HttpResponseError) -> str:
    """The name of the exhausted budget, such as "VMScaleSetActionsResource"."""
    details = getattr(error.error, "details", None) or ()
    return next((str(each.target) for each in details if each.target), "")


def _code(error: HttpResponseError) -> str:
    return str(getattr(error.error, "code", None) or "")


def _message(error: HttpResponseError) -> str:
    return str(getattr(error.error, "message", None) or "")


def _target(error: HttpResponseError) -> str:
    return str(getattr(error.error, "target", None) or "")


def _line(error: AzureError) -> str:
    if isinstance(error, HttpResponseError) and (_code(error) or _message(error)):
        code = _code(error) or (f"HTTP {error.response.status_code}" if error.response else "an error")
        text = f"Azure returned {quote_error(one_line(f'{code}: {_message(error)}').removesuffix(':'))}"
    elif isinstance(error, HttpResponseError) and error.response is not None:
        text = f"Azure returned HTTP {error.response.status_code} {error.reason}"  # the body is HTML or empty
    else:
        text = str(error.message or error)
    return ellipsize(one_line(text), _LONGEST)


def _attempts(message: str) -> str:
    """The error from each identity source, taken from the library's message."""
    errors = [one_line(line) for line in message.splitlines() if line.startswith("\t")]
    return f" ({'; '.join(errors)})" if errors else ""
