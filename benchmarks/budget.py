"""The cost of computing the request budgets, per request, in a fleet of any size.

python -m benchmarks.budget 10000
"""

import sys
from datetime import UTC, datetime, timedelta
from time import process_time

from benchmarks.azure import name
from benchmarks.figures import Figures, tell
from reconciler.azure.budget import Budget, OperationClass, Priority, Subject
from reconciler.simulator import SUBSCRIPTION

_REQUESTS = 5000
_ROUNDS = 5  # the cheapest is reported: the others include noise
# With ten sets, each is listed every six seconds: Azure allows ten lists of a set per minute.
_APART = timedelta(milliseconds=600)
_LEFT = {
    "x-ms-ratelimit-remaining-resource": "Microsoft.Compute/HighCostGetVMScaleSetSubscriptionMaximum;1079,"
    "Microsoft.Compute/HighCostGetVMScaleSetResource;29"
}


def lists(sets: int) -> Figures:
    """List the instances of one scale set after another, with only the budget's part of the work."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    budget = Budget()
    subjects = [Subject(SUBSCRIPTION, "westeurope", name(number)) for number in range(sets)]
    for subject in subjects:
        budget.note(subject, _LEFT, at)
    began = process_time()
    for number in range(_REQUESTS):
        at += _APART
        subject = subjects[number % sets]
        assert budget.acquire(OperationClass.HIGH_COST_GET, subject, Priority.ROLLOUT, at) is None
        budget.note(subject, _LEFT, at)
        budget.release(OperationClass.HIGH_COST_GET, subject)
    cpu = timedelta(seconds=process_time() - began)
    return Figures(_REQUESTS, 0, 0, cpu, timedelta(), timedelta(), 0)


if __name__ == "__main__":
    rounds = [lists(int(sys.argv[1])) for _ in range(_ROUNDS)]
    tell({"lists": min(rounds, key=lambda each: each.cpu)})
