"""The file of each transcript, and its expected text."""

from inspect import getdoc
from pathlib import Path

from tests.transcripts.rollouts import ROLLOUTS
from tests.transcripts.transcript import transcript
from tests.transcripts.witness import Witness

DIRECTORY = Path(__file__).parent


def path(name: str) -> Path:
    return DIRECTORY / f"{name}.txt"


def text(name: str, world: Witness) -> str:
    """The text of the file after the rollout of that name has happened in `world`."""
    premise = " ".join((getdoc(ROLLOUTS[name]) or "").split())
    return transcript(name.replace("-", " ").capitalize(), premise, world)
