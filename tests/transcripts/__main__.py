"""Rewrite every transcript: `make transcripts`. A person reads the changes in `git diff`."""

import logging

from tests.transcripts.files import DIRECTORY, path, text
from tests.transcripts.rollouts import ROLLOUTS

logging.disable()  # what the daemons log is in the transcripts
for stale in set(DIRECTORY.glob("*.txt")) - set(map(path, ROLLOUTS)):
    stale.unlink()
for name, rollout in ROLLOUTS.items():
    path(name).write_text(text(name, rollout()))
