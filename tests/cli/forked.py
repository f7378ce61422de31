"""The program as a process of its own that has nothing left to import: it is forked from one that has.

A start of the program takes a second of CPU, nearly all of it for the imports of the SDK. The tests that look at
imports, the time of a start, terminals or process groups start it as its users do (`program.command`).
"""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from pathlib import Path
from pkgutil import iter_modules
from subprocess import Popen

from reconciler import program
from reconciler.cli import acts
from reconciler.cli.verbs import HELP

# What processes inherit. With `__main__`, which is that of pytest, none imports pytest again.
_IMPORTS = (
    "__main__",
    "azure.identity",
    "tests.cli.forked",
    *(f"reconciler.cli.{verb}" for verb in HELP),
    *(f"reconciler.cli.acts.{module.name}" for module in iter_modules(acts.__path__)),
)


class ForkedProgram:
    """A run of the program. Its output goes to files."""

    def __init__(
        self, arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, out: Path, err: Path
    ) -> None:
        for path in (out, err):
            path.open("wb").close()  # whoever reads it at once finds nothing of an earlier run
        self._process = _server().Process(target=_act, args=(tuple(arguments), dict(env), cwd, out, err))
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        self._process.kill()
        self._process.join()

    def wait(self, timeout: float) -> int:
        """Wait for its exit code; a negative one is the signal that killed it. Raises TimeoutError."""
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise TimeoutError(f"the program still runs after {timeout:g} s")
        return code


class SpawnedProgram:
    """The same for a command."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, out: Path, err: Path
    ) -> None:
        with out.open("wb") as stdout, err.open("wb") as stderr:
            self._process = Popen(command, env=env, cwd=cwd, stdout=stdout, stderr=stderr)
        self.pid = self._process.pid

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        self._process.kill()
        self._process.wait()

    def wait(self, timeout: float) -> int:
        """Wait for its exit code; a negative one is the signal that killed it. Raises TimeoutExpired."""
        return self._process.wait(timeout)


@cache
def _server() -> ForkServerContext:
    """Ends with the process of the tests."""
    context = get_context("forkserver")
    context.set_forkserver_preload(list(_IMPORTS))
    return context


def _act(arguments: Sequence[str], env: Mapping[str, str], cwd: Path, out: Path, err: Path) -> None:
    """What the process does: become the program, and run it."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = ["reconciler", *arguments]
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        opened = os.open(path, os.O_WRONLY)
        os.dup2(opened, stream.fileno())
        os.close(opened)
    program.main()
