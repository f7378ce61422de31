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
            id="keys come in the order in which they were added",
        ),
        pytest.param(
            [adds("a"), adds("a"), gets("a"), finishes("a")],
            0,
            id="a key that is queued already is not queued twice",
        ),
        pytest.param(
            [adds("a"), gets("a"), adds("a"), adds("b"), gets("b")],
            2,
            id="a key that a worker has is given to no other",
        ),
        pytest.param(
            [adds("a"), gets("a"), adds("a"), adds("a"), finishes("a"), gets("a"), finishes("a")],
            0,
            id="a key that is added while a worker has it comes once more after that",
        ),
        pytest.param([adds("a"), shuts_down, gets(None)], 0, id="shut down it drops what nobody has begun"),
        pytest.param([shuts_down, adds("a"), gets(None)], 0, id="shut down it takes in nothing"),
        pytest.param(
            [adds("a"), gets("a"), adds("a"), shuts_down, finishes("a"), gets(None)],
            0,
            id="shut down it gives out nothing again",
        ),
    ],
)
def test_what_comes_out(acts: list[Act], left: int) -> None:
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


def test_every_worker_that_waits_is_let_go_at_the_end() -> None:
    queue = WorkQueue()
    workers = [Thread(target=queue.get, daemon=True) for _ in range(3)]
    for worker in workers:
        worker.start()
    queue.shut_down()
    for worker in workers:
        worker.join(20)
    assert not any(worker.is_alive() for worker in workers)
