"""sshd on this machine, with keys and configuration of its own."""

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")


def may_be_skipped(environment: Mapping[str, str]) -> bool:
    """Whether a machine needs no sshd. `.ci/run` installs it in CI, where a skip would go unnoticed."""
    return environment.get("CI") != "true"


needs_sshd = pytest.mark.skipif(
    SSHD is None and may_be_skipped(os.environ),
    reason="sshd is not installed: .ci/packages names its package",
)


@dataclass(frozen=True, slots=True)
class Sshd:
    """A server on the loopback interface that accepts the key `id`."""

    directory: Path
    port: int

    @property
    def key(self) -> Path:
        return self.directory / "id"

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    def know(self, host_key: str) -> None:
        """Have known_hosts list one of the keys `host` and `other`, or none."""
        key = (self.directory / f"{host_key}.pub").read_text() if host_key else ""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {key}" if key else "")

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def command(self, key: Path | None = None) -> str:
        """A GIT_SSH_COMMAND as an operator may have it."""
        options = [
            "-F",
            "none",
            "-o",
            f"UserKnownHostsFile={self.known_hosts}",
            "-o",
            "StrictHostKeyChecking=yes",
        ]
        return shlex.join(["ssh", *options, "-o", "IdentitiesOnly=yes", "-i", str(key or self.key)])


def make_key(path: Path, passphrase: str = "") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(path)], check=True
    )
    return path


@contextmanager
def serve(directory: Path) -> Iterator[Sshd]:
    """sshd for as long as this lasts. Skips the test if it does not start, except in CI."""
    assert SSHD, "sshd is not installed"
    directory.mkdir(mode=0o700)
    for name in ("host", "other", "id", "stranger"):
        make_key(directory / name)
    make_key(directory / "locked", "passphrase")
    authorized = directory / "authorized_keys"
    authorized.write_text("".join((directory / f"{name}.pub").read_text() for name in ("id", "locked")))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    banner = directory / "banner"  # ssh prints it among its own messages
    banner.write_text("Be careful: No space left on device.\nRead-only file system: do not write.\n")
    configuration = directory / "sshd_config"
    configuration.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\nAuthorizedKeysFile {authorized}\n"
        f"Banner {banner}\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nPidFile none\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    log = directory / "log"
    process = subprocess.Popen([SSHD, "-D", "-f", str(configuration), "-E", str(log)])
    try:
        end = time.monotonic() + 20
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > end:
                (pytest.skip if may_be_skipped(os.environ) else pytest.fail)(
                    f"sshd does not start: {log.read_text() if log.exists() else ''}"
                )
            time.sleep(0.05)
        yield Sshd(directory, port)
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
