"""Write every transcript anew: `make transcripts`. What changed is for `git diff` to show, and for a person to judge."""

import logging

from tests.transcripts.files import DIRECTORY, path, text
from tests.transcripts.rollouts import ROLLOUTS

logging.disable()  # what the daemons log is in the transcripts
for stale in set(DIRECTORY.glob("*.txt")) - set(map(path, ROLLOUTS)):
    stale.unlink()
for name, rollout in ROLLOUTS.items():
    path(name).write_text(text(name, rollout()))
