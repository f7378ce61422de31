"""The verbs of the command line. Each has a module of the same name, which is imported on first use.

Therefore, `--help` imports no verb, `run` does not load the simulator, and `validate` does not load the Azure
SDK.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

# The first sentence of the help of each verb, which `reconciler --help` shows.
HELP: Mapping[str, str] = {
    "adopt": "Write a spec for each live scale set that has none.",
    "approve": "Approve the declared image of scale sets, if `rollout.approval` requires it.",
    "check": "Check whether the first rollout will work.",
    "comment": "Post text on a pull request, as one comment that is updated in place.",
    "completion": "Print a script that completes commands in a shell.",
    "config": "Show each setting and where it comes from.",
    "diff": "Show where scale sets differ from their specs.",
    "dismiss": "Dismiss orphans: scale sets whose spec was removed in the middle of a rollout.",
    "history": "Show the last rollouts of a scale set, newest first.",
    "pause": "Pause the fleet or scale sets: nothing is written to them until `reconciler resume`.",
    "plan": "Show what a change will do, to how many instances, when, and its risks.",
    "reconcile": "Have the daemon reconcile scale sets now instead of when they are due.",
    "rehearse": "Run the declared change on a copy of the fleet, with faults if requested.",
    "report": "Save a page of the daemon to a file, for a post-mortem.",
    "resume": "Resume the fleet or scale sets that `reconciler pause` has paused.",
    "retry": "Retry an image that has failed, or a rollout that has stopped.",
    "revert": "Declare the last good image of a scale set again, in its spec file.",
    "run": "Bring every scale set into line with its spec, and keep it there.",
    "schema": "Print the JSON Schema of a spec, or of KIND.",
    "simulate": "Serve a fleet file as Azure would, while COMMAND runs or until interrupted.",
    "snapshot": "Print live scale sets as a fleet file for `reconciler simulate` and `reconciler rehearse`.",
    "status": "Show the status of every scale set.",
    "upgrade": "Upgrade hand-picked instances of a scale set next.",
    "validate": "Check spec files and directories (default: specs).",
    "wait": "Wait until scale sets reach a state.",
    "why": "Explain the status of a scale set, and what would let it continue.",
}


class Verbs(MutableMapping[str, click.Command]):
    """The commands of a click group. Listing their names imports no module."""

    def __init__(self) -> None:
        self._known: dict[str, click.Command | None] = dict.fromkeys(HELP)

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


class VerbGroup(click.Group):
    """A group that lists its verbs from the table HELP, without importing them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(commands=Verbs(), **settings)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs as click does."""
        listed = {name: click.Command(name, help=text) for name, text in HELP.items()}
        click.Group(commands=listed).format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs and options that begin with `incomplete`."""
        verbs = [
            CompletionItem(name, help=text) for name, text in HELP.items() if name.startswith(incomplete)
        ]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]
