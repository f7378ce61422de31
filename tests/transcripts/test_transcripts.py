"""Whole rollouts come to pass as they are written down, and keep to the invariants.

Where behaviour has changed on purpose, `make transcripts` writes them anew.
"""

import doctest
from difflib import unified_diff

import pytest

from tests.transcripts import situations_of_fleets, situations_of_one, transcript
from tests.transcripts.endings import ENDINGS, Ending
from tests.transcripts.files import DIRECTORY, path, text
from tests.transcripts.rollouts import ROLLOUTS


@pytest.mark.parametrize("name", ROLLOUTS)
def test_a_rollout_comes_to_pass_as_it_is_written_down(name: str) -> None:
    world = ROLLOUTS[name]()
    if name in ENDINGS:
        assert Ending.of(world, world.shown) == ENDINGS[name]
    written = path(name).read_text() if path(name).exists() else ""
    changes = unified_diff(
        written.splitlines(), text(name, world).splitlines(), "written down", "came to pass", lineterm="", n=4
    )
    if diff := "\n".join(changes):
        pytest.fail(f"{path(name).name} says otherwise:\n{diff}", pytrace=False)
    world.judge()


def test_every_file_belongs_to_a_rollout() -> None:
    assert {each.stem for each in DIRECTORY.glob("*.txt")} == set(ROLLOUTS)


def test_every_situation_has_an_ending() -> None:
    situations = (*situations_of_one.SITUATIONS, *situations_of_fleets.SITUATIONS)
    assert {each.__name__.replace("_", "-") for each in situations} == set(ENDINGS)


def test_examples() -> None:
    assert doctest.testmod(transcript) == (0, 5)
