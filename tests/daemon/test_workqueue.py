"""What is to be worked on: nothing twice at once, and no wake lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest

from reconciler.daemon.workqueue import WorkQueue

Act = Callable[[WorkQueue], object]


def adds(key: str) -> Act:
    return lambda queue: queue.add(key)


def gets(key: str | None) -> Act:
    def act(queue: WorkQueue) -> None:
        assert queue.get() == key

    return act


def finishes(key: str) -> Act:
    return lambda queue: queue.done(key)


def shuts_down(queue: WorkQueue) -> None:
    queue.shut_down()


@pytest.mark.parametrize(
    ("acts", "left"),
    [
        pytest.param(
            [adds("a"), adds("b"), gets("a"), gets("b")],
            2,
            id="keys are returned in the order in which they were added",
        ),
        pytest.param(
            [adds("a"), adds("a"), gets("a"), finishes("a")],
            0,
            id="a queued key is not queued twice",
        ),
        pytest.param(
            [adds("a"), gets("a"), adds("a"), adds("b"), gets("b")],
            2,
            id="a key is with one worker at a time",
        ),
        pytest.param(
            [adds("a"), gets("a"), adds("a"), adds("a"), finishes("a"), gets("a"), finishes("a")],
            0,
            id="a key that is added while a worker has it is returned again afterwards",
        ),
        pytest.param([adds("a"), shuts_down, gets(None)], 0, id="a shutdown drops queued keys"),
        pytest.param([shuts_down, adds("a"), gets(None)], 0, id="after a shutdown no key is accepted"),
        pytest.param(
            [adds("a"), gets("a"), adds("a"), shuts_down, finishes("a"), gets(None)],
            0,
            id="after a shutdown no key is returned again",
        ),
    ],
)
def test_which_keys_are_returned(acts: list[Act], left: int) -> None:
    queue = WorkQueue()
    for act in acts:
        act(queue)
    assert len(queue) == left


def test_a_worker_waits_for_a_key() -> None:
    queue = WorkQueue()
    with ThreadPoolExecutor(1) as pool:
        got = pool.submit(queue.get)
        queue.add("a")
        assert got.result(20) == "a"


def test_a_shutdown_wakes_every_waiting_worker() -> None:
    queue = WorkQueue()
    workers = [Thread(target=queue.get, daemon=True) for _ in range(3)]
    for worker in workers:
        worker.start()
    queue.shut_down()
    for worker in workers:
        worker.join(20)
    assert not any(worker.is_alive() for worker in workers)
