"""Failures of calls about the Lease. The type of a failure says what the elector does next."""

from reconciler.spec.wording import one_line


class LeaseFailure(Exception):
    """A failed call, which is repeated after the retry period. `str()` is a clause on one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class Unanswered(LeaseFailure):
    """There was no readable answer. It is unknown whether the call had an effect."""


class Denied(LeaseFailure):
    """Kubernetes refused the call, and will refuse it again until a person changes something."""


class Changed(LeaseFailure):
    """The Lease has a different version than the call expects, or already exists."""


class NotThere(LeaseFailure):
    """The Lease does not exist."""
