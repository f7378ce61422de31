"""The transcripts as files: where each one is, and what it should say."""

from inspect import getdoc
from pathlib import Path

from tests.transcripts.rollouts import ROLLOUTS
from tests.transcripts.transcript import transcript
from tests.transcripts.witness import Witness

DIRECTORY = Path(__file__).parent


def path(name: str) -> Path:
    return DIRECTORY / f"{name}.txt"


def text(name: str, world: Witness) -> str:
    """What the file says once the rollout of that name has come to pass in `world`."""
    premise = " ".join((getdoc(ROLLOUTS[name]) or "").split())
    return transcript(name.replace("-", " ").capitalize(), premise, world)
