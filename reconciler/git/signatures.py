"""Verifies the signature of a commit, using only the keys that the daemon was given.

Only git's verdict G (good) is accepted. To lock out an SSH key, remove it or revoke it. An expiry date is not
enough: git compares it with the date of the commit, and whoever signs a commit can choose that date.
"""

import base64
import binascii
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler.git.clone import Clone
from reconciler.git.credentials import Access

_VERDICTS = {
    "B": "has a bad signature",
    "U": "is signed by an SSH key that is not allowed or not valid at the date of the commit",
    "X": "has an expired signature",
    "Y": "is signed by an OpenPGP key that has expired",
    "R": "is signed by an OpenPGP key that is revoked",
    "E": "is signed by an OpenPGP key that is not allowed",
    "N": "is not signed",
}
_ARMOR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_FIX = "sign the commit with an allowed key"


class KeysUnreadable(Exception):
    """The keys cannot be used. The message is one line."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """The keys that may sign a commit.

    allowed_signers: SSH keys, in the ALLOWED SIGNERS format of ssh-keygen(1).
    revoked_keys: SSH keys, or a KRL. Signatures made with these keys are refused, whatever the date of the
        commit.
    openpgp_keys: exported OpenPGP keys, with their revocations.
    """

    allowed_signers: Path | None = None
    revoked_keys: Path | None = None
    openpgp_keys: Path | None = None

    @property
    def are_required(self) -> bool:
        """Whether every commit must be signed."""
        return self.allowed_signers is not None or self.openpgp_keys is not None

    def error(self, clone: Clone, sha: str) -> str | None:
        """The error if the signature of a commit is refused. None if it is good, or if no signature is
        required.

        Raises KeysUnreadable if the keys cannot be used, and GitFailed if git fails.
        """
        if not self.are_required:
            return None
        with self._access(clone) as access:
            shown = clone.git(["log", "-1", "--no-show-signature", "--format=%G?", sha, "--"], access=access)
        verdict = shown.decode(errors="replace").strip()
        if verdict == "G":
            return None
        return f"{_VERDICTS.get(verdict, 'has a signature that cannot be verified')}: {_FIX}"

    @contextmanager
    def _access(self, clone: Clone) -> Iterator[Access]:
        """An `Access` that lets git use these keys and no others.

        GnuPG gets a temporary directory in the clone. Raises KeysUnreadable if the keys cannot be used.
        """
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
            options = "no-autostart\nbatch\nno-tty\nno-auto-check-trustdb\n"  # no agent is left behind
            # Every key in the keyring is allowed, so GnuPG must trust all of them.
            options += "trust-model always\nno-default-keyring\nkeyring allowed.gpg\n"
            (home / "gpg.conf").write_text(options)
            (home / "allowed.gpg").write_bytes(_keyring(self.openpgp_keys) if self.openpgp_keys else b"")
            variables = {"GNUPGHOME": str(home), "TMPDIR": str(home)}
            yield Access(tuple(config), variables)


def _keyring(path: Path) -> bytes:
    """The exported keys, without their armor. Raises KeysUnreadable if the file contains no exported keys."""
    content = path.read_bytes()
    if _ARMOR in content:
        try:
            content = b"".join(base64.b64decode(_body(each)) for each in content.split(_ARMOR)[1:])
        except binascii.Error as error:
            raise KeysUnreadable(f"{path} is damaged: export the OpenPGP keys again") from error
    if not content or not content[0] & 0x80:  # the mark of an OpenPGP packet
        raise KeysUnreadable(f"{path} contains no OpenPGP keys: write it with `gpg --armor --export`")
    return content


def _body(block: bytes) -> bytes:
    """The base64 text of an armored block: the lines between the headers and the checksum."""
    lines = [line.strip() for line in block.splitlines()]
    lines = lines[lines.index(b"", 1) + 1 :] if b"" in lines[1:] else lines
    end = next((number for number, line in enumerate(lines) if line.startswith((b"=", b"-----"))), None)
    return b"".join(lines[:end])
