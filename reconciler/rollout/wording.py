"""Instances, steps and times in one line of text, however large the scale set is."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from reconciler.rollout.health import describe_problem
from reconciler.rollout.observed import Instance
from reconciler.rollout.step import Attempt, Upgrade
from reconciler.spec.image import short

T = TypeVar("T")

_MOST_NAMES = 4


def join(names: Iterable[str]) -> str:
    """The first few names, and how many more there are.

    >>> join(["a", "b", "c", "d", "e", "f"])
    'a, b, c, d and 2 more'
    """
    return join_first(list(names), str)


def join_first(every: Sequence[T], name: Callable[[T], str]) -> str:
    """Like `join`, and calls `name` only for those that are shown."""
    return ", ".join(map(name, every[:_MOST_NAMES])) + _more(len(every) - _MOST_NAMES)


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""


def describe(instances: Iterable[Instance]) -> str:
    """The first few by name, each group with its problem: "web_0, web_5 (unhealthy), web_1 (stopped)"."""
    by_problem: dict[str, list[str]] = {}
    every = list(instances)
    for each in every[:_MOST_NAMES]:
        by_problem.setdefault(describe_problem(each), []).append(each.name)
    groups = ", ".join(f"{', '.join(names)} ({problem})" for problem, names in by_problem.items())
    return f"{groups}{_more(len(every) - _MOST_NAMES)}"


def describe_upgrade(step: Upgrade) -> str:
    """Its instances by name, and their image: "web_1, web_6 to 24.04.202601140"."""
    named = step.names or step.instance_ids
    what = "" if step.names else "instance " if len(named) == 1 else "instances "
    return f"{what}{join(named)} to {short(step.image)}"


def describe_progress(attempt: Attempt) -> str:
    """What Azure has been doing since `attempt` was sent: the time is fixed, so the line stays the same."""
    step, since = attempt.step, f"since {attempt.at:%H:%M:%S}"
    if not isinstance(step, Upgrade):
        return f"Azure has been setting the image of the model to {short(step.image)} {since}"
    domain = f"{step.domain}: " if step.domain else ""
    batch = f"{count(step.instance_ids)} to {short(step.image)} ({join(step.names or step.instance_ids)})"
    return f"{domain}Azure has been upgrading {batch} {since}"


def count(instances: Sequence[object]) -> str:
    """
    >>> count(["0"]), count(["0", "5"])
    ('1 instance', '2 instances')
    """
    return "1 instance" if len(instances) == 1 else f"{len(instances)} instances"


def moment(at: datetime) -> str:
    """
    >>> moment(datetime(2026, 1, 31, 18, 0, tzinfo=UTC))
    '2026-01-31 18:00 UTC'
    """
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
