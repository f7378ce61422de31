"""The worlds that are searched: the table of them.

All disturbances together would be too many states, so each world allows some kinds, each so often, and so many in
all; every order of those is tried. What Azure does with its work, and when the daemon looks, is never bounded: an
upgrade takes five minutes or for ever, and there is a look at any moment or none for as long.

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


SICKNESS = ("falls sick", "heals", "comes up sick", "fails")
PEOPLE = ("is evicted", "starts", "is protected", "is replaced", "second writer", "commit")
CALLS = ("restart", "lost answer", "conflict", "stale read", "patch fails", "asleep")
BRAKES = ("brake", "release")

# Those of the suite: seconds.
SMALL = (
    Scope(name="two instances, all goes well", domains=TWO, disturbances={}, most=0),
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
        name="one instance, brakes and a commit",
        domains=ONE,
        disturbances=each(*BRAKES, "commit"),
        most=3,
        images=2,
    ),
    Scope(name="a bad image, two scale sets", domains=APART, bad=NEW, disturbances={}, most=0),
)

# Those of `make exhaust`: minutes.
LARGE = (
    Scope(name="two instances, any two", domains=TWO, disturbances=each(*SICKNESS, *PEOPLE, *CALLS), most=2),
    Scope(
        name="two instances, brakes",
        domains=TWO,
        disturbances=each(*BRAKES, "commit", "restart", "fails"),
        most=3,
    ),
    Scope(
        name="two instances, a check",
        domains=TWO,
        disturbances={"the check": 2, "falls sick": 1, "restart": 1},
        most=3,
    ),
    Scope(
        name="two instances, times as by default",
        domains=TWO,
        timeout=UNIT * 2,
        disturbances=each("falls sick", "fails", "restart", "stale read"),
        most=1,
        rollout={"progress_deadline": UNIT * 12},
    ),
    Scope(
        name="two instances, silent upgrades",
        domains=TWO,
        says_updating=False,
        disturbances=each(*SICKNESS, *CALLS, "commit"),
        most=2,
    ),
    Scope(
        name="two instances, a soak and two passes",
        domains=TWO,
        passes=2,
        disturbances=each("falls sick", "comes up sick", "restart", "commit"),
        most=1,
        rollout={"soak": UNIT, "bake_time": UNIT},
    ),
    Scope(
        name="three instances, a canary",
        domains=THREE,
        disturbances=each(*SICKNESS, "restart"),
        most=1,
        rollout={"canary": Canary(Count(1), UNIT)},
    ),
    Scope(
        name="three instances, any one", domains=THREE, disturbances=each(*SICKNESS, *PEOPLE, *CALLS), most=1
    ),
    Scope(
        name="three instances, one may be lost",
        domains=THREE,
        disturbances=each(*SICKNESS, "restart"),
        most=1,
        rollout={"max_unhealthy_upgraded": Count(1)},
    ),
    *(
        Scope(
            name=f"{'a bad' if bad else 'a good'} image, {on_failure}",
            domains=TWO,
            bad=bad,
            disturbances=each(*SICKNESS, "commit", "second writer", "restart", "lost answer", "stale read"),
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
        disturbances=each("restart", "commit", "comes up sick"),
        most=1,
    ),
    Scope(
        name="two scale sets, one place",
        domains=APART,
        images=2,
        fleet={"max_concurrent": Count(1)},
        disturbances=each("restart", "comes up sick", "commit", "brake"),
        most=1,
    ),
    Scope(
        name="two scale sets, one depends on the other",
        domains=APART,
        images=2,
        depends_on=True,
        disturbances=each("falls sick", "restart", "commit", "brake"),
        most=1,
    ),
)
