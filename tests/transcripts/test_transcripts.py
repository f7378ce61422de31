"""Whole rollouts match their transcripts and keep the invariants.

After an intended change of behaviour, `make transcripts` rewrites them.
"""

import doctest
from difflib import unified_diff

import pytest

from tests.transcripts import situations_of_fleets, situations_of_one, transcript
from tests.transcripts.endings import ENDINGS, Ending
from tests.transcripts.files import DIRECTORY, path, text
from tests.transcripts.rollouts import ROLLOUTS


@pytest.mark.parametrize("name", ROLLOUTS)
def test_a_rollout_matches_its_transcript(name: str) -> None:
    world = ROLLOUTS[name]()
    if name in ENDINGS:
        assert Ending.of(world, world.shown) == ENDINGS[name]
    expected = path(name).read_text() if path(name).exists() else ""
    changes = unified_diff(
        expected.splitlines(), text(name, world).splitlines(), "transcript", "rollout", lineterm="", n=4
    )
    if diff := "\n".join(changes):
        pytest.fail(f"{path(name).name} differs from the rollout:\n{diff}", pytrace=False)
    world.judge()


def test_every_file_belongs_to_a_rollout() -> None:
    assert {each.stem for each in DIRECTORY.glob("*.txt")} == set(ROLLOUTS)


def test_every_situation_has_an_ending() -> None:
    situations = (*situations_of_one.SITUATIONS, *situations_of_fleets.SITUATIONS)
    assert {each.__name__.replace("_", "-") for each in situations} == set(ENDINGS)


def test_the_examples_in_docstrings_are_correct() -> None:
    assert doctest.testmod(transcript) == (0, 5)
