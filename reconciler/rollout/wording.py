"""Describes instances, steps and times in one line of text, however large the scale set is."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from reconciler.rollout.health import HEALTH_MISSING, HEALTH_UNKNOWN, POWER_UNKNOWN, describe_problem
from reconciler.rollout.observed import Instance
from reconciler.rollout.step import Attempt, Step, Upgrade
from reconciler.spec.image import Image, short
from reconciler.spec.wording import count, one_of

T = TypeVar("T")

MOST_NAMES = 4
_ALL = {2: "both"}
# Problems that are clauses, as phrases that can follow "both" and "all".
_SHARED = {
    POWER_UNKNOWN: "with unknown power state",
    HEALTH_UNKNOWN: "with unknown health",
    HEALTH_MISSING: "with no health reported yet",
}


def join(names: Iterable[str]) -> str:
    """The first few names, and how many more there are.

    >>> join(["a", "b", "c", "d", "e", "f"])
    'a, b, c, d and 2 more'
    """
    every = list(names)
    return join_first(every, str, len(every))


def join_first(first: Sequence[T], name: Callable[[T], str], size: int) -> str:
    """Like `join`, but `first` are only the first of `size` items. Calls `name` only for the items shown."""
    return ", ".join(map(name, first[:MOST_NAMES])) + _more(size - MOST_NAMES)


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""


def list_names(names: Iterable[str], size: int | None = None) -> str:
    """The first few names as part of a sentence. If `size` is given, there are that many names in total.

    >>> print(list_names(["a"]), list_names(["a", "b", "c"]), list_names("abcdef"), sep="; ")
    a; a, b and c; a, b, c, d and 2 more
    """
    first = list(names)
    size = len(first) if size is None else size
    if len(first) < 2 or size > MOST_NAMES:
        return join_first(first, str, size)
    return one_of(first, last="and")


def list_numbered(names: Sequence[str]) -> str:
    """Like `list_names`, but does not repeat a noun that all names begin with.

    >>> print(list_numbered(["zone 1"]), list_numbered(["zone 1", "zone 2"]), sep="; ")
    zone 1; zones 1 and 2
    """
    nouns = {name.rpartition(" ")[0] for name in names}
    if len(names) < 2 or len(nouns) > 1 or "" in nouns:
        return list_names(names)
    return f"{nouns.pop()}s {list_names(name.rpartition(' ')[2] for name in names)}"


def describe(instances: Iterable[Instance]) -> str:
    """The first few instances by name, grouped by problem.

    The text reads like "web_0 and web_5 (both unhealthy), web_1 (stopped)".
    """
    by_problem: dict[str, list[str]] = {}
    every = list(instances)
    for each in every[:MOST_NAMES]:
        by_problem.setdefault(describe_problem(each), []).append(each.name)
    groups = ", ".join(
        f"{list_names(names)} ({_in_words(problem, len(names))})" for problem, names in by_problem.items()
    )
    return f"{groups}{_more(len(every) - MOST_NAMES)}"


def _in_words(problem: str, number: int) -> str:
    """
    >>> _in_words("unhealthy", 2), _in_words("power state unknown", 3), _in_words("power state unknown", 1)
    ('both unhealthy', 'all with unknown power state', 'power state unknown')
    """
    if number == 1:
        return problem
    return f"{_ALL.get(number, 'all')} {_SHARED.get(problem, problem)}"


def share(number: int, total: int) -> str:
    """
    >>> print(share(1, 1), share(2, 2), share(10, 10), share(1, 10), sep="; ")
    the only instance; both instances; all 10 instances; 1 of 10 instances
    """
    if number == total:
        return {1: "the only instance", 2: "both instances"}.get(total, f"all {total} instances")
    return f"{number} of {count(total, 'instance')}"


def describe_upgrade(step: Upgrade) -> str:
    """The instances of an upgrade by name, and the image: "web_1 and web_6 to 24.04.202601140"."""
    return f"{_named_instances(step)} to {short(step.image)}"


def describe_step(step: Step, current: Image | None) -> str:
    """The step as an infinitive without "to": "upgrade web_1 and web_6 to 24.04.202601140".

    `current` is the model's image before the step.
    """
    if isinstance(step, Upgrade):
        return f"upgrade {describe_upgrade(step)}"
    return f"change the model's image{f' from {short(current)}' if current else ''} to {short(step.image)}"


def describe_progress(attempt: Attempt) -> str:
    """What Azure has been doing since `attempt` was sent. The text is the same at every observation."""
    step, since = attempt.step, f"since {time_of_day(attempt.at)}"
    if not isinstance(step, Upgrade):
        return f"Azure has been changing the model's image to {short(step.image)} {since}"
    domain = f" in {step.domain}" if step.domain else ""
    names = f" ({join(step.names)})" if step.names else ""
    number = count(len(step.instance_ids), "instance") if step.names else _named_instances(step)
    return f"Azure has been upgrading {number}{domain}{names} to {short(step.image)} {since}"


def _named_instances(step: Upgrade) -> str:
    if step.names:
        return list_names(step.names)
    return f"instance{'s' * (len(step.instance_ids) > 1)} {list_names(step.instance_ids)}"


def quote_error(error: str) -> str:
    """Azure's code and message, with quotes, so that the message is not mistaken for our own words.

    >>> print(quote_error("QuotaExceeded: No cores are left."))
    QuotaExceeded ("No cores are left")
    """
    code, _, message = error.partition(": ")
    return f'{code} ("{message.removesuffix(".")}")' if message else code


def time_of_day(at: datetime) -> str:
    """
    >>> time_of_day(datetime(2026, 1, 31, 18, 0, tzinfo=UTC))
    '18:00:00 UTC'
    """
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


def moment(at: datetime) -> str:
    """
    >>> moment(datetime(2026, 1, 31, 18, 0, tzinfo=UTC))
    '2026-01-31 18:00 UTC'
    """
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
