"""The options that say where specs come from: a directory, or a git repository with its credentials."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.duration import Duration
from reconciler.cli.shard import SHARD_OPTIONS

if TYPE_CHECKING:
    from reconciler.daemon.specs import Specs

_FILE = click.Path(path_type=Path, dir_okay=False)
_PLACE = click.Path(path_type=Path, file_okay=False)

_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "--specs": {
        "type": click.Path(path_type=Path),
        "help": "A directory of specs.  [default: specs]",
    },
    "--git": {
        "metavar": "URL",
        "help": "A git repository of specs, fetched when it has changed, instead of --specs.",
    },
    "--branch": {"metavar": "NAME", "help": "The branch to follow.  [default: main]"},
    "--tag": {"metavar": "NAME", "help": "The tag to follow, instead of a branch."},
    "--commit": {"metavar": "ID", "help": "The commit to use, instead of a branch."},
    "--path": {
        "default": "specs",
        "show_default": True,
        "help": "The directory of specs in the repository.",
    },
    "--clone": {
        "type": _PLACE,
        "help": "Directory for the clone; may be deleted at any time.  [default: a temporary directory]",
    },
    "--git-timeout": {
        "type": Duration(),
        "default": "2m",
        "show_default": True,
        "help": "Time limit for each git command.",
    },
    "--git-token-file": {"type": _FILE, "help": "File with a token, read at every fetch."},
    "--git-azure-identity": {"is_flag": True, "help": "Fetch from Azure DevOps with the identity for Azure."},
    "--github-app-id": {"metavar": "ID", "help": "Fetch as this GitHub App."},
    "--github-app-installation": {"metavar": "ID", "help": "The installation of the GitHub App."},
    "--github-app-key": {"type": _FILE, "help": "File with the private key of the GitHub App."},
    "--ssh-key": {"type": _FILE, "help": "File with the private SSH key, without a passphrase."},
    "--ssh-known-hosts": {"type": _FILE, "help": "File with the accepted SSH host keys."},
    "--allowed-signers": {
        "type": _FILE,
        "help": "File with the SSH keys that may sign commits; every commit must be signed.",
    },
    "--revoked-keys": {"type": _FILE, "help": "File with revoked SSH keys, whose signatures are refused."},
    "--openpgp-keys": {
        "type": _FILE,
        "help": "File with the OpenPGP keys that may sign commits; every commit must be signed.",
    },
    **SHARD_OPTIONS,
}


def specs_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --specs, --git and the options for them to a command, and pass it `specs`."""

    @specs_on_demand
    @functools.wraps(command)
    def with_specs(*, open_specs: "Callable[[], Specs]", **others: Any) -> None:
        command(specs=open_specs(), **others)

    return with_specs


def specs_on_demand(command: Callable[..., None]) -> Callable[..., None]:
    """Add --specs, --git and the options for them to a command, and pass it `open_specs`.

    Calling `open_specs` may raise UsageError.
    """

    @functools.wraps(command)
    def with_specs(**given: Any) -> None:
        own = {name: given.pop(_parameter(name)) for name in _OPTIONS}

        def open_specs() -> "Specs":
            from reconciler.cli import specs_access

            return specs_access.open_specs(click.get_current_context(), own)

        command(open_specs=open_specs, **given)

    for name, settings in reversed(tuple(_OPTIONS.items())):
        variable = f"VMSS_RECONCILER_{_parameter(name).upper()}"
        click.option(name, envvar=variable, show_envvar=True, **settings)(with_specs)
    return with_specs


def _parameter(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")
