"""A program that stands for git on the PATH of a process: it counts blobs, or kills that process."""

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Moment = Literal["before", "during", "after"]
"""The process is killed and git does nothing; it is killed and git goes on alone; it is killed when git has
ended."""

_SCRIPT = """#!/bin/sh
git={git} blobs={blobs} kill={kill}
if [ -s "$kill" ]; then
    {{ read -r left; read -r moment; IFS= read -r call; }} < "$kill"
    case " $* " in *"$call"*)
        left=$((left - 1))
        if [ $left -gt 0 ]; then
            printf '%s\\n%s\\n%s\\n' $left "$moment" "$call" > "$kill"
        else
            rm "$kill"
            if [ "$moment" != after ]; then kill -KILL $PPID; fi
            if [ "$moment" = before ]; then exit 137; fi
            "$git" "$@"
            status=$?
            kill -KILL $PPID 2>/dev/null
            exit $status
        fi
    esac
fi
case " $* " in *" cat-file --batch ") tee -a "$blobs" | "$git" "$@" ;; *) exec "$git" "$@" ;; esac
"""


@dataclass(frozen=True, slots=True)
class StandIn:
    """The program and what it notes, in a directory."""

    directory: Path

    @classmethod
    def make(cls, directory: Path) -> "StandIn":
        """Write the program into a new directory."""
        directory.mkdir()
        made = cls(directory)
        git = shutil.which("git")
        assert git
        places = {"git": git, "blobs": str(made._blobs), "kill": str(made._kill)}
        program = directory / "git"
        program.write_text(_SCRIPT.format(**{name: shlex.quote(each) for name, each in places.items()}))
        program.chmod(0o755)
        return made

    @property
    def path(self) -> str:
        """The PATH on which it stands for git."""
        return f"{self.directory}:{os.environ['PATH']}"

    def take_blobs(self) -> list[str]:
        """The ids of the blobs whose contents were read since this was called last."""
        found = self._blobs.read_text().split() if self._blobs.exists() else []
        self._blobs.unlink(missing_ok=True)
        return found

    def kill_at(self, call: str, moment: Moment, *, number: int = 1) -> None:
        """Kill the process at the next call of git with `call` in its arguments, or at a later one.

        `call` is compared with the arguments, each of which is followed by a space. "" is any call.
        """
        self._kill.write_text(f"{number}\n{moment}\n{call}\n")

    def spare(self) -> None:
        """Kill nothing any more."""
        self._kill.unlink(missing_ok=True)

    @property
    def _blobs(self) -> Path:
        return self.directory / "blobs"

    @property
    def _kill(self) -> Path:
        return self.directory / "kill"
