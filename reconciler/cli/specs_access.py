"""Opens the specs that a command line names: a directory, or a git repository with its credentials."""

import functools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import click

from reconciler.azure.failure import AzureFailure
from reconciler.azure.token import default_credential, obtain
from reconciler.cli.shard import shard_of
from reconciler.daemon.git_source import Git
from reconciler.daemon.specs import Directory, Specs
from reconciler.git import credentials, revision
from reconciler.git.address import parse
from reconciler.git.credentials import Credentials, CredentialsMissing
from reconciler.git.repository import Repository
from reconciler.git.revision import Revision
from reconciler.git.signatures import Signatures

_AZURE_DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798/.default"
_ONE_OF_REVISIONS = "--branch, --tag and --commit cannot be combined; choose one revision"
_ONE_OF_CREDENTIALS = (
    "--git-token-file, --git-azure-identity, --github-app-id and --ssh-key cannot be combined; choose one "
    "kind of credentials"
)


def open_specs(ctx: click.Context, given: Mapping[str, Any]) -> Specs:
    """Open the specs that the options in `given` name. Raises UsageError."""
    if given["--specs"] and given["--git"]:
        raise click.UsageError("--specs and --git cannot be combined; choose one source of specs")
    shard = shard_of(given["--shard"], given["--shard-selector"], given["--shard-subscriptions"])
    if not given["--git"]:
        return Specs(Directory(given["--specs"] or Path("specs")), shard=shard)
    stop = Event()
    clone = given["--clone"] or Path(
        ctx.with_resource(tempfile.TemporaryDirectory(prefix="reconciler-clone-"))
    )
    if given["--revoked-keys"] and not given["--allowed-signers"]:
        raise click.UsageError("--revoked-keys requires --allowed-signers")
    try:
        access, forget = _credentials(given)
        repository = Repository(
            given["--git"],
            _revision(given),
            given["--path"],
            clone,
            given["--git-timeout"],
            access,
            Signatures(given["--allowed-signers"], given["--revoked-keys"], given["--openpgp-keys"]),
            stop,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return Specs(
        Git(repository),
        stop=stop,
        remote=parse(given["--git"]).bare,
        forget_credentials=forget,
        shard=shard,
    )


def _revision(given: Mapping[str, Any]) -> Revision:
    kinds = {"--branch": revision.branch, "--tag": revision.tag, "--commit": revision.commit}
    named = [option for option in kinds if given[option]]
    if len(named) > 1:
        raise click.UsageError(_ONE_OF_REVISIONS)
    return kinds[named[0]](given[named[0]]) if named else revision.branch("main")


def _credentials(given: Mapping[str, Any]) -> tuple[Credentials, Callable[[], None]]:
    """The credentials, and a function that discards anything cached between fetches."""
    app = [given[f"--github-app-{part}"] for part in ("id", "installation", "key")]
    is_ssh = bool(given["--ssh-key"] or given["--ssh-known-hosts"])
    if sum(map(bool, (given["--git-token-file"], given["--git-azure-identity"], any(app), is_ssh))) > 1:
        raise click.UsageError(_ONE_OF_CREDENTIALS)
    if any(app) and not all(app):
        raise click.UsageError(
            "--github-app-id, --github-app-installation and --github-app-key must be used together"
        )
    if given["--git-token-file"]:
        return credentials.token_file(given["--git-token-file"]), _nothing_kept
    if given["--git-azure-identity"]:
        host = urlsplit(parse(given["--git"]).bare).hostname or ""
        if host != "dev.azure.com" and not host.endswith(
            ".visualstudio.com"
        ):  # others must not get the token
            raise click.UsageError("--git-azure-identity requires a --git URL on https://dev.azure.com")
        return credentials.bearer(devops_token), _identity.cache_clear
    if any(app):
        from reconciler.git import github_app  # loads cryptography, which others do not need

        tokens = github_app.Tokens(github_app.App(*app))
        return credentials.token(tokens), tokens.forget
    if is_ssh:
        return credentials.ssh_key(given["--ssh-key"], given["--ssh-known-hosts"]), _nothing_kept
    return credentials.of_url, _nothing_kept


def _nothing_kept() -> None:
    """Do nothing, because each fetch reads these credentials again."""


def devops_token() -> str:
    """A token for Azure DevOps, which the identity library renews before it expires."""
    try:
        return obtain(_identity(), _AZURE_DEVOPS).token
    except AzureFailure as error:
        raise CredentialsMissing(f"the Azure identity got no token for Azure DevOps: {error}") from error


@functools.cache
def _identity() -> Any:
    return default_credential()
