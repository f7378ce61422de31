"""Verifies the signature of a commit with the keys that the daemon is given, and with no others.

Only git's verdict G counts. An SSH key that is merely listed with an end of its validity is judged at the
date that the commit claims, and its author chooses this date. To lock a key out, remove it or revoke it.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.git.clone import Clone
from reconciler.git.credentials import Access
from reconciler.git.program import GitFailed

_VERDICTS = {
    "B": "its signature is bad",
    "U": "it is signed by an SSH key that is not allowed or not valid at the date of the commit",
    "X": "its signature has expired",
    "Y": "it is signed by an OpenPGP key that has expired",
    "R": "it is signed by an OpenPGP key that is revoked",
    "E": "it is signed by an OpenPGP key that is not allowed",
    "N": "it is not signed",
}
_FIX = "sign the commit with an allowed key"


class KeysUnreadable(Exception):
    """The keys cannot be used. The message is one line."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """The keys that may sign a commit.

    allowed_signers: SSH keys, in the form of ssh-keygen(1).
    revoked_keys: SSH keys, or a KRL, that verify nothing, whatever date a commit has.
    openpgp_keys: exported OpenPGP keys, with their revocations.
    """

    allowed_signers: Path | None = None
    revoked_keys: Path | None = None
    openpgp_keys: Path | None = None

    @property
    def are_required(self) -> bool:
        """Whether only a signed commit is accepted."""
        return self.allowed_signers is not None or self.openpgp_keys is not None

    def error(self, clone: Clone, sha: str) -> str | None:
        """Why the signature of a commit is refused, None if it is good or none is required.

        Raises KeysUnreadable, and GitFailed.
        """
        if not self.are_required:
            return None
        with self._access(clone) as access:
            shown = clone.git(["log", "-1", "--no-show-signature", "--format=%G?", sha, "--"], access=access)
        verdict = shown.decode(errors="replace").strip()
        if verdict == "G":
            return None
        return f"{_VERDICTS.get(verdict, 'its signature cannot be verified')}: {_FIX}"

    @contextmanager
    def _access(self, clone: Clone) -> Iterator[Access]:
        """Configuration for these keys alone. GnuPG gets a directory of its own beside the clone."""
        for path in (self.allowed_signers, self.revoked_keys, self.openpgp_keys):
            if path and not os.access(path, os.R_OK):
                raise KeysUnreadable(f"the keys in {path} cannot be read, so no signature can be verified")
        config = [
            ("gpg.ssh.program", "ssh-keygen"),
            ("gpg.program", "gpg"),
            ("gpg.openpgp.program", "gpg"),
            ("gpg.x509.program", "false"),
            ("gpg.minTrustLevel", "fully"),
            ("gpg.ssh.allowedSignersFile", str((self.allowed_signers or Path(os.devnull)).absolute())),
            ("gpg.ssh.revocationFile", str(self.revoked_keys.absolute()) if self.revoked_keys else ""),
        ]
        with tempfile.TemporaryDirectory(dir=clone.repository, prefix="tmp_keys_") as directory:
            home = Path(directory)
            # Only these keys are in the directory, so each of them is trusted. No agent is left behind.
            (home / "gpg.conf").write_text("no-autostart\ntrust-model always\nbatch\nno-tty\n")
            variables = {"GNUPGHOME": str(home), "TMPDIR": str(home)}
            if self.openpgp_keys:
                # git runs gpg, so that its time limit and a stop hold here too.
                keys = str(self.openpgp_keys.absolute())
                alias = ("alias.import-keys", '!f() { exec gpg --quiet --import "$1"; }; f')
                try:
                    clone.git(["import-keys", keys], access=Access((alias,), variables))
                except GitFailed as error:
                    message = f"the keys in {self.openpgp_keys} cannot be imported: {error}"
                    raise KeysUnreadable(message) from error
            yield Access(tuple(config), variables)
