"""The webhook secret, in a file that may be replaced while the daemon runs."""

import logging
from pathlib import Path

import click

_log = logging.getLogger("reconciler")


class SecretFile:
    """The file named by --webhook-secret-file. Raises UsageError if it contains no secret at startup."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._error = ""
        self._secret = self._read()

    def secret(self) -> bytes:
        """Read the secret from the file.

        If the file has none, the last secret stays in use, and an error is logged.
        """
        try:
            self._secret, error = self._read(), ""
        except click.UsageError as found:
            error = found.message
        if error and error != self._error:
            _log.error("%s; the last secret remains in use", error)
        self._error = error
        return self._secret

    def _read(self) -> bytes:
        try:
            secret = self._path.read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise click.UsageError(f"--webhook-secret-file: {self._path}: {error.strerror}") from error
        if not secret:
            raise click.UsageError(f"--webhook-secret-file: {self._path} is empty; write the secret into it")
        return secret
