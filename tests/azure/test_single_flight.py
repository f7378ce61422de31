"""Threads that need the same answer: one looks it up, and nobody waits for ever."""

from threading import Barrier, Event, Thread

import pytest

from reconciler.azure.single_flight import SingleFlight


def test_of_many_threads_one_looks_up() -> None:
    flight, together, known, looked_up = SingleFlight(), Barrier(16), dict[str, int](), list[int]()

    def need(number: int) -> None:
        together.wait()
        with flight.of("image"):
            if "image" not in known:
                looked_up.append(number)
                known["image"] = number

    threads = [Thread(target=need, args=(number,)) for number in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(looked_up) == 1


def test_a_thread_whose_patience_ends_looks_for_itself() -> None:
    flight, is_in, may_end, entered = SingleFlight(patience=0.01), Event(), Event(), list[str]()

    def hang() -> None:
        with flight.of("image"):
            is_in.set()
            may_end.wait(30)

    hanging = Thread(target=hang)
    hanging.start()
    is_in.wait(30)
    with flight.of("image"):
        entered.append("second")
    with flight.of("image"):
        entered.append("third")
    may_end.set()
    hanging.join()
    assert entered == ["second", "third"]


def test_a_failure_lets_the_next_one_in() -> None:
    flight = SingleFlight(patience=30)
    with pytest.raises(KeyError), flight.of("image"):
        raise KeyError("no such image")
    with flight.of("image"):
        pass
