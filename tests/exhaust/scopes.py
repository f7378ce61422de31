"""The table of the worlds that are searched.

All disturbances together would have too many states. Each world therefore allows some kinds, a number of each, and a
number in all, in every order. The duration of an upgrade and the moments of observations are never limited: an
upgrade takes five minutes or forever, and there may be an observation at any moment or none.

Not in any of these worlds: deadlines, windows, approvals, `latest`, scaling, Flexible sets, throttling, two daemons at
once, more than three instances or two domains, and ages between two steps of five minutes.
"""

from reconciler.spec.amount import Count
from reconciler.spec.scale_set import Canary, OnFailure
from tests.exhaust.clock import UNIT
from tests.exhaust.world import Scope

ONE, TWO, THREE = ((0,),), ((0, 1),), ((0, 1, 0),)
APART = ((0,), (0,))  # two scale sets of one instance each
NEW = frozenset({1})


def each(*kinds: str, times: int = 1) -> dict[str, int]:
    return dict.fromkeys(kinds, times)


HEALTH = ("becomes unhealthy", "recovers", "comes up unhealthy", "fails")
PEOPLE = ("is evicted", "starts", "is protected", "is replaced", "second writer", "commit")
CALLS = ("restart", "lost answer", "conflict", "stale read", "patch fails", "no observation")
SUSPENSIONS = ("suspend", "resume")

# The worlds of the suite, which take seconds.
SMALL = (
    Scope(name="two instances, no disturbance", domains=TWO, disturbances={}, most=0),
    Scope(name="two instances, a restart", domains=TWO, disturbances=each("restart"), most=1),
    Scope(
        name="a bad image, rollback",
        domains=TWO,
        bad=NEW,
        disturbances=each("restart"),
        most=1,
        rollout={"on_failure": OnFailure.ROLLBACK},
    ),
    Scope(
        name="one instance, a suspension and a commit",
        domains=ONE,
        disturbances=each(*SUSPENSIONS, "commit"),
        most=3,
        images=2,
    ),
    Scope(name="a bad image, two scale sets", domains=APART, bad=NEW, disturbances={}, most=0),
)

# The other worlds of `make exhaust`, which take minutes.
LARGE = (
    Scope(
        name="two instances, any two disturbances",
        domains=TWO,
        disturbances=each(*HEALTH, *PEOPLE, *CALLS),
        most=2,
    ),
    Scope(
        name="two instances, a suspension",
        domains=TWO,
        disturbances=each(*SUSPENSIONS, "commit", "restart", "fails"),
        most=3,
    ),
    Scope(
        name="two instances, a check that fails",
        domains=TWO,
        disturbances={"the check": 2, "becomes unhealthy": 1, "restart": 1},
        most=3,
    ),
    Scope(
        name="two instances, the default times",
        domains=TWO,
        timeout=UNIT * 2,
        disturbances=each("becomes unhealthy", "fails", "restart", "stale read"),
        most=1,
        rollout={"progress_deadline": UNIT * 12},
    ),
    Scope(
        name="two instances, upgrades without the Updating state",
        domains=TWO,
        says_updating=False,
        disturbances=each(*HEALTH, *CALLS, "commit"),
        most=2,
    ),
    Scope(
        name="two instances, a soak and two passes",
        domains=TWO,
        passes=2,
        disturbances=each("becomes unhealthy", "comes up unhealthy", "restart", "commit"),
        most=1,
        rollout={"soak": UNIT, "bake_time": UNIT},
    ),
    Scope(
        name="three instances, a canary",
        domains=THREE,
        disturbances=each(*HEALTH, "restart"),
        most=1,
        rollout={"canary": Canary(Count(1), UNIT)},
    ),
    Scope(
        name="three instances, any one disturbance",
        domains=THREE,
        disturbances=each(*HEALTH, *PEOPLE, *CALLS),
        most=1,
    ),
    Scope(
        name="three instances, maxUnhealthyUpgraded of one",
        domains=THREE,
        disturbances=each(*HEALTH, "restart"),
        most=1,
        rollout={"max_unhealthy_upgraded": Count(1)},
    ),
    *(
        Scope(
            name=f"{'a bad' if bad else 'a good'} image, {on_failure}",
            domains=TWO,
            bad=bad,
            disturbances=each(*HEALTH, "commit", "second writer", "restart", "lost answer", "stale read"),
            most=1,
            rollout={"on_failure": on_failure},
        )
        for bad in (NEW, frozenset[int]())
        for on_failure in (OnFailure.HOLD, OnFailure.REPIN, OnFailure.ROLLBACK)
    ),
    Scope(
        name="two scale sets, breaker and pilot",
        domains=APART,
        bad=NEW,
        images=2,
        disturbances=each("restart", "commit", "comes up unhealthy"),
        most=1,
    ),
    Scope(
        name="two scale sets, one slot",
        domains=APART,
        images=2,
        fleet={"max_concurrent": Count(1)},
        disturbances=each("restart", "comes up unhealthy", "commit", "suspend"),
        most=1,
    ),
    Scope(
        name="two scale sets, one depends on the other",
        domains=APART,
        images=2,
        depends_on=True,
        disturbances=each("becomes unhealthy", "restart", "commit", "suspend"),
        most=1,
    ),
)
