"""The verbs of the command line. Each is in the module of its name, which is imported when the verb is used.

Therefore `run` does not load the simulator, and `validate` does not load the Azure SDK.
"""

from collections.abc import Iterator, MutableMapping
from importlib import import_module

import click

NAMES = (
    "adopt",
    "approve",
    "check",
    "comment",
    "dismiss",
    "pause",
    "plan",
    "reconcile",
    "rehearse",
    "resume",
    "retry",
    "run",
    "schema",
    "simulate",
    "snapshot",
    "status",
    "validate",
    "why",
)


class Verbs(MutableMapping[str, click.Command]):
    """The commands of a click group. Listing their names imports no module."""

    def __init__(self) -> None:
        self._known: dict[str, click.Command | None] = dict.fromkeys(NAMES)

    def __getitem__(self, name: str) -> click.Command:
        command = self._known[name]
        if command is None:
            command = self._known[name] = getattr(import_module(f"reconciler.cli.{name}"), name)
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._known[name] = command

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
