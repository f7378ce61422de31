"""What can go wrong with a call to Azure, typed by what to do next.

    AzureFailure
     ├── Refused       Azure says never: a person must change the spec or the scale set
     ├── Conflict      somebody else was faster: look again, then decide anew
     ├── Throttled     too many requests: come back at a time
     └── Unreachable   no answer: back off
          └── Malformed   an answer that makes no sense

Classified by status first and Azure's code second: throttling and permanent denial share the code
"OperationNotAllowed", and a failed precondition is told only by its status.
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


class AzureFailure(Exception):
    """A call failed. `str()` is one line in Azure's own words."""

    reason = Reason.BUG


class Refused(AzureFailure):
    """Azure will give the same answer until a person changes something."""

    reason = Reason.REFUSED


class Conflict(AzureFailure):
    """The scale set is no longer what was looked at, or something else is at work on it."""

    reason = Reason.CONFLICT


class TooManyRequests(AzureFailure):
    """Azure asks to be left alone for `retry_after`, or its budget leaves nothing to us before then.

    `policy` is the budget that Azure named, "" where the gateway refused all requests of a kind.
    """

    reason = Reason.THROTTLED

    def __init__(self, message: str, retry_after: timedelta, *, policy: str = "") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.policy = policy


class Unreachable(AzureFailure):
    """Whether the call had an effect is not known; the next look tells."""

    reason = Reason.UNREACHABLE


class MalformedResponse(Unreachable):
    """An answer that is not JSON, lacks what every such answer has, or has a field of another type."""

    reason = Reason.MALFORMED_RESPONSE


# A 404 that is about what a request names, and lasts: "The gallery image ...", "The Resource
# 'Microsoft.Compute/images/base' ...", ".../galleries/g/images/i/versions/1.0.0 was not found", a disk
# encryption set. One about the scale set or a machine of it may name an image, too: it may be called so.
_NEVER = frozenset({"GalleryImageNotFound", "ImageNotFound", "PlatformImageNotFound", "SubscriptionNotFound"})
_NAMED = re.compile(r"^The Resource '|/galleries/|\bimage\b", re.IGNORECASE)
_SCALE_SET = re.compile(r"^The Resource 'Microsoft\.Compute/virtualMachine(ScaleSet)?s/", re.IGNORECASE)
_GONE = frozenset({"ParentResourceNotFound", "ResourceGroupNotFound"})
# Conflicts that pass. Any other one ("OperationNotAllowed", "ScopeLocked", ...) is a denial in other words,
# unless its message says that something else is under way.
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
_NO_IDENTITY = (
    "no Azure identity: none of the sources of DefaultAzureCredential gave a token; run az login, or set "
    "AZURE_TOKEN_CREDENTIALS and the variables of the identity that it names"
)
_DEFAULT_REST = timedelta(minutes=1)  # every Compute bucket refills within a minute
# In whole seconds. Azure names twenty minutes at most; of more than a day, nobody could have meant it.
_RETRY_AFTER = re.compile(r"[0-9]{1,5}")
_LONGEST = 600  # characters of Azure's message that fit a log line


def failure(error: AzureError) -> AzureFailure:
    """`error` as one of ours."""
    message = _line(error)
    if isinstance(error, ClientAuthenticationError) and error.response is None:
        return Unreachable(_cut(f"{_NO_IDENTITY}{_attempts(str(error.message or error))}"))
    if isinstance(error, ServiceRequestError):
        return Unreachable(f"Azure cannot be reached: {message}")
    if not isinstance(error, HttpResponseError) or error.response is None:
        return Unreachable(message)
    status = error.response.status_code or 0
    if status == 429:
        return TooManyRequests(message, _retry_after(error), policy=_policy(error))
    if 200 <= status < 300:
        return MalformedResponse(message)
    if status >= 500 or status in {0, 401, 408} or isinstance(error, ClientAuthenticationError):
        return Unreachable(message)
    if status == 412 or "instanceIds" in _target(error):
        return Conflict(message)  # an instance that scaled in meanwhile is named in "target"
    if status == 404:
        return Refused(message) if _misses_what_is_named(error) else Conflict(message)
    return Conflict(message) if status == 409 and _will_pass(error) else Refused(message)


def _misses_what_is_named(error: HttpResponseError) -> bool:
    """Whether a 404 is about what a request names.

    Else the scale set or a machine went after it was read, or is not known everywhere yet.
    """
    message = str(getattr(error.error, "message", None) or "")
    if _code(error) in _NEVER or "image" in _target(error).casefold():
        return True
    if _code(error) in _GONE or _SCALE_SET.search(message):
        return False
    return bool(_NAMED.search(message))


def _will_pass(error: HttpResponseError) -> bool:
    """Whether a 409 ends by itself."""
    return _code(error) in _PASSING or bool(_WAITING.search(str(getattr(error.error, "message", None) or "")))


def _retry_after(error: HttpResponseError) -> timedelta:
    seconds = str(getattr(error.response, "headers", {}).get("Retry-After", ""))
    return timedelta(seconds=int(seconds)) if _RETRY_AFTER.fullmatch(seconds) else _DEFAULT_REST


def _policy(error: HttpResponseError) -> str:
    """The name of the budget that is used up, such as "VMScaleSetActionsResource"."""
    details = getattr(error.error, "details", None) or ()
    return next((str(each.target) for each in details if each.target), "")


def _code(error: HttpResponseError) -> str:
    return str(getattr(error.error, "code", None) or "")


def _target(error: HttpResponseError) -> str:
    return str(getattr(error.error, "target", None) or "")


def _line(error: AzureError) -> str:
    if isinstance(error, HttpResponseError) and error.error is not None:
        text = f"{error.error.code}: {error.error.message}"
    elif isinstance(error, HttpResponseError) and error.response is not None:
        text = f"HTTP {error.response.status_code} {error.reason}"  # a page of HTML, or nothing, came with it
    else:
        text = str(error.message or error)
    return _cut(" ".join(text.split()))


def _attempts(message: str) -> str:
    """What each source of an identity said, one to a line in the library's message."""
    said = [" ".join(line.split()) for line in message.splitlines() if line.startswith("\t")]
    return f" ({'; '.join(said)})" if said else ""


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
