"""Why a call about the Lease failed, typed by what the elector does next."""

from reconciler.spec.wording import one_line


class LeaseFailure(Exception):
    """A call that failed. It is made again after the retry period. `str()` is a clause on one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class Unanswered(LeaseFailure):
    """No answer, or one that cannot be read: it is unknown whether the call had an effect."""


class Denied(LeaseFailure):
    """Kubernetes refuses the call until a person changes something."""


class Changed(LeaseFailure):
    """The Lease has another version than the call says, or exists already."""


class NotThere(LeaseFailure):
    """There is no such Lease."""
