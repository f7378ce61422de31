"""The verbs of the command line. Each has a module of the same name, which is imported on first use.

Therefore, `--help` imports no verb, `run` does not load the simulator, and `validate` does not load the Azure
SDK.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

# The first sentence of the help of each verb, which `reconciler --help` shows.
HELP: Mapping[str, str] = {
    "adopt": "Write a spec for each live scale set that has none.",
    "approve": "Approve the declared image, where `rollout.approval` needs it.",
    "check": "Check whether the first rollout will work.",
    "comment": "Post text on a pull request, as one comment that is kept.",
    "completion": "Print a script that completes commands in a shell.",
    "config": "Show each setting and where it comes from.",
    "diff": "Show where scale sets differ from their specs.",
    "dismiss": "Dismiss orphans: scale sets whose spec was removed half-way.",
    "history": "Show the last rollouts of a scale set, newest first.",
    "pause": "Pause the fleet or scale sets until `reconciler resume`.",
    "plan": "Show what a change will do, when, and what could go wrong.",
    "reconcile": "Have the daemon reconcile scale sets now.",
    "rehearse": "Run the declared change on a copy of the fleet, with faults.",
    "report": "Save a page of the daemon to a file, for a post-mortem.",
    "resume": "Resume the fleet or scale sets after `reconciler pause`.",
    "retry": "Retry an image that has failed, or a rollout that has stopped.",
    "revert": "Declare the last good image of a scale set again.",
    "run": "Bring scale sets into line with their specs, and keep them so.",
    "schema": "Print the JSON Schema of a spec, or of KIND.",
    "simulate": "Serve a fleet file as Azure would, for COMMAND or until Ctrl-C.",
    "snapshot": "Print live scale sets as a fleet file, for a simulation.",
    "status": "Show the status of every scale set.",
    "upgrade": "Upgrade hand-picked instances of a scale set next.",
    "validate": "Check spec files and directories (default: specs).",
    "wait": "Wait until scale sets reach a state.",
    "why": "Explain the status of a scale set, and what would let it continue.",
}


# What other programs call it: kubectl, flux, argocd, terraform and helm.
ELSEWHERE: Mapping[str, str] = {
    "abort": "pause",
    "apply": "run",
    "app": "status",
    "cancel": "pause",
    "debug": "why",
    "describe": "why",
    "events": "history",
    "explain": "schema",
    "export": "snapshot",
    "freeze": "pause",
    "get": "status",
    "help": "--help",
    "import": "adopt",
    "lint": "validate",
    "list": "status",
    "logs": "history",
    "ls": "status",
    "promote": "approve",
    "prune": "dismiss",
    "ps": "status",
    "refresh": "reconcile",
    "rollback": "revert",
    "rollout": "status",
    "show": "why",
    "state": "status",
    "stats": "status",
    "stop": "pause",
    "suspend": "pause",
    "sync": "reconcile",
    "tree": "status",
    "undo": "revert",
    "unpause": "resume",
    "version": "--version",
    "watch": "status",
}
# The least likeness of a word that is a misspelt command, such as "paln". Other verbs do not reach it:
# "restart" has 0.67 of "retry", and "start" has 0.73 of "status".
_LIKENESS = 0.75


def unknown_verb(word: str) -> str:
    """The error for an unknown verb. It names the verb that was probably meant.

    >>> for word in ("staus", "describe", "restart"):
    ...     print(unknown_verb(word))
    no command is named 'staus'; did you mean `reconciler status`?
    no command is named 'describe'; did you mean `reconciler why`?
    no command is named 'restart'; run `reconciler --help` to see the commands
    """
    meant = ELSEWHERE.get(word) or next(iter(get_close_matches(word, HELP, n=1, cutoff=_LIKENESS)), None)
    fix = f"did you mean `reconciler {meant}`?" if meant else "run `reconciler --help` to see the commands"
    return f"no command is named {word!r}; {fix}"


class Verbs(MutableMapping[str, click.Command]):
    """The commands of a Click group. Listing their names imports no module."""

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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb. The error for an unknown word names the verb that was probably meant."""
        word = args[0]
        if ctx.resilient_parsing or word.startswith("-") or word in self.commands:
            return super().resolve_command(ctx, args)
        raise click.UsageError(unknown_verb(word), ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of verbs. Click would cut the help of each verb to one line."""
        with formatter.section("Commands"):
            formatter.write_dl(list(HELP.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs and options that begin with `incomplete`."""
        verbs = [
            CompletionItem(name, help=text) for name, text in HELP.items() if name.startswith(incomplete)
        ]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]
