"""`reconciler comment`: post text on a pull request, as one comment that is updated in place."""

import json
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from reconciler.cli.failure import fail
from reconciler.forge.client import Client
from reconciler.forge.environment import Given, Place, PlaceUnknown, locate
from reconciler.forge.failure import ForgeFailure
from reconciler.forge.patience import Patience
from reconciler.forge.publish import Published, publish
from reconciler.spec.wording import count


def act(
    *,
    file: Path,
    key: str,
    timeout: timedelta,
    forge: str | None,
    api_url: str | None,
    repository: str | None,
    pull_request: str | None,
    token_file: Path | None,
) -> None:
    """Post text on a pull request, as one comment that is updated in place."""
    given = Given(forge, api_url, repository, pull_request, _token(token_file))
    try:
        place = locate(given, os.environ, _event(os.environ))
    except PlaceUnknown as unknown:
        raise click.UsageError(str(unknown)) from unknown
    text, patience = _text(file), Patience(timeout)
    client = Client(place.forge, place.at.api, place.token, patience)
    try:
        published = publish(client, place.at, key, text, patience)
    except ForgeFailure as failure:
        fail(f"{place.at}: {failure}")
    _report(published, place, key)


def _report(published: Published, place: Place, key: str) -> None:
    if not published.is_own:
        click.echo(
            f"warning: {place.forge.name} does not say whose token this is, so the first comment with the "
            f"key {key} counts, even if someone else wrote it",
            err=True,
        )
    if others := [each.url or each.key for each in published.others]:
        verb = "was" if len(others) == 1 else "were"
        click.echo(
            f"warning: {count(len(others), 'more comment')} with the key {key} {verb} not updated; delete "
            f"{', '.join(others)}",
            err=True,
        )
    where = published.comment.url or " on ".join(filter(None, (published.comment.key, str(place.at))))
    click.echo(f"comment {published.action}: {where}")


def _text(file: Path) -> str:
    """The text of the comment. Ends the command if the text cannot be read or is empty."""
    is_input = str(file) == "-"
    name = "standard input" if is_input else str(file)
    try:
        content = sys.stdin.buffer.read() if is_input else file.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        fail(f"{name} cannot be read: {(error.strerror or str(error)).lower()}")
    except UnicodeDecodeError as error:
        fail(f"{name} is not UTF-8 at byte {error.start}; write the text in UTF-8")
    if not text.strip():
        fail(f"{name} is empty, so nothing was written; check whether the previous command failed")
    return text


def _token(path: Path | None) -> str | None:
    """The token in a file, or None if `path` is None. Ends the command if the file has no token."""
    if path is None:
        return None
    try:
        token = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        fail(f"the token file {path} cannot be read: {(error.strerror or str(error)).lower()}")
    return token or fail(f"the token file {path} is empty")


def _event(variables: Mapping[str, str]) -> Any:
    """The event that triggered the GitHub workflow, or None if the event cannot be read."""
    try:
        return json.loads(Path(variables.get("GITHUB_EVENT_PATH", "")).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
