"""The garbage collector during playbacks: tuned by the first that begins, and left as it was by the last."""

import gc
from collections.abc import Iterator

import pytest

from reconciler.prediction.garbage import rare_collection

USUAL = (701, 11, 12)


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    yield
    gc.set_threshold(*before)


def test_of_two_playbacks_that_overlap_the_last_one_restores_the_thresholds() -> None:
    first, second = rare_collection(), rare_collection()
    first.__enter__()
    rare = gc.get_threshold()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold() == rare
    second.__exit__(None, None, None)
    assert gc.get_threshold() == USUAL
    assert rare[0] > USUAL[0]


def test_a_playback_that_fails_restores_the_thresholds() -> None:
    with pytest.raises(ValueError, match="no"), rare_collection():
        raise ValueError("no")
    assert gc.get_threshold() == USUAL
