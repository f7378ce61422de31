"""Verifies the signature of a commit with the keys that the daemon is given, and with no others.

Only git's verdict G counts. An SSH key that is merely listed with an end of its validity is judged at the
date that the commit claims, and its author chooses this date. To lock a key out, remove it or revoke it.
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
    "B": "its signature is bad",
    "U": "it is signed by an SSH key that is not allowed or not valid at the date of the commit",
    "X": "its signature has expired",
    "Y": "it is signed by an OpenPGP key that has expired",
    "R": "it is signed by an OpenPGP key that is revoked",
    "E": "it is signed by an OpenPGP key that is not allowed",
    "N": "it is not signed",
}
_ARMOR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
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
        """Why the signature of a commit is refused, or None if it is good or no signature is required.

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
            options = "no-autostart\nbatch\nno-tty\nno-auto-check-trustdb\n"  # no agent is left behind
            # All keys of the keyring are allowed, so each of them is trusted.
            options += "trust-model always\nno-default-keyring\nkeyring allowed.gpg\n"
            (home / "gpg.conf").write_text(options)
            (home / "allowed.gpg").write_bytes(_keyring(self.openpgp_keys) if self.openpgp_keys else b"")
            variables = {"GNUPGHOME": str(home), "TMPDIR": str(home)}
            yield Access(tuple(config), variables)


def _keyring(path: Path) -> bytes:
    """The exported keys in the form of a keyring. Raises KeysUnreadable."""
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
    """The base64 of an armored block: after the empty line that ends its headers, before its checksum."""
    lines = [line.strip() for line in block.splitlines()]
    lines = lines[lines.index(b"", 1) + 1 :] if b"" in lines[1:] else lines
    end = next((number for number, line in enumerate(lines) if line.startswith((b"=", b"-----"))), None)
    return b"".join(lines[:end])
