"""What the table of git's failures makes of the real program's output, and that its page is true."""

import os
import re
import socket
import stat
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.git.failure import FAILURES, find
from reconciler.git.repository import Repository, SourceUnreachable
from reconciler.git.revision import branch, commit
from tests.git import sshd
from tests.git.certificate import certificate
from tests.git.forge import Forge, serve
from tests.git.remote import Remote
from tests.git.sshd import Sshd, needs_sshd

TESTS = Path(__file__).parent.parent
PAGE = TESTS.parent / "docs" / "git.md"


def line(repository: Repository) -> str:
    """What is reported when the repository cannot be read, without its beginning."""
    with pytest.raises(SourceUnreachable) as raised:
        repository.commit()
    return str(raised.value).partition(" cannot be fetched: ")[2] or str(raised.value)


def of(url: str, clone: Path) -> Repository:
    return Repository(url, branch("main"), "specs", clone, timedelta(seconds=20))


# HTTP

HTML = b"<!DOCTYPE html>\n<html>\n<head><title>Sign in</title></head>\n<body>\n</body>\n</html>\n"
MINIFIED = b"<!doctype html><html><body>sign in</body></html>"
NO_GIT = (
    "the server's answer is not in the git protocol; "
    "check the URL; a sign-in page, a proxy or a maintenance page may have answered"
)
ANSWERS = [
    pytest.param(200, {}, HTML, NO_GIT, id="a page of HTML"),
    pytest.param(200, {}, MINIFIED, NO_GIT, id="a page of HTML on one line"),
    pytest.param(200, {"Content-Type": "application/json"}, b'{"message": "maintenance"}\n', NO_GIT, id="JSON"),
    pytest.param(200, {}, b"", NO_GIT, id="an empty answer"),
    pytest.param(302, {"Location": "/login"}, b"", "unable to access", id="a redirect without an end"),
    pytest.param(403, {}, b"", "the server forbids access (403)", id="403"),
    pytest.param(404, {}, b"", "the server has no repository at this URL, or the credentials cannot read it", id="404"),
    pytest.param(429, {"Retry-After": "120"}, b"", "the server limits the rate of requests (429)", id="429"),
    pytest.param(500, {}, b"", "the server failed (500); the next sweep retries", id="500"),
    pytest.param(503, {"Retry-After": "120"}, b"", "the server failed (503); the next sweep retries", id="503"),
]  # fmt: skip


@pytest.mark.parametrize("status, headers, body, message", ANSWERS)
def test_what_a_web_server_answers(
    web: Forge, tmp_path: Path, *, status: int, headers: dict[str, str], body: bytes, message: str
) -> None:
    web.answer = status, headers, body
    assert line(of(web.url(), tmp_path / "c")).startswith(message)


def test_an_answer_in_place_of_git_leaves_the_last_commit_readable(web: Forge, tmp_path: Path) -> None:
    repository = of(web.url(), tmp_path / "c")
    commit = repository.commit()
    web.answer = 200, {}, b""
    assert line(repository) == NO_GIT
    assert repository.last() == commit
    web.answer = None
    assert repository.commit() == commit


def test_a_repository_without_commits_is_still_reported_as_empty(empty: Remote, tmp_path: Path) -> None:
    with serve(empty.bare.parent) as forge:
        assert (
            line(of(forge.url(), tmp_path / "c"))
            == f"{forge.url()} is empty: push the specs to its branch main"
        )


def test_a_connection_that_is_cut(web: Forge, tmp_path: Path) -> None:
    web.cut = 40
    assert line(of(web.url(), tmp_path / "c")) == "the connection was interrupted; the next sweep retries"


def test_credentials_that_are_missing_or_refused(web: Forge, tmp_path: Path) -> None:
    web.user = "ada:s3cr3t"
    assert line(of(web.url(), tmp_path / "c")) == (
        "the server requires credentials, and git found none; "
        "set --git-token-file or configure a credential helper"
    )
    wrong = web.url().replace("://", "://ada:wr0ng@")
    assert line(of(wrong, tmp_path / "c")) == (
        "the server refused the credentials; renew the token, and give it read access to the repository"
    )


def test_a_commit_that_the_server_does_not_have(web: Forge, tmp_path: Path) -> None:
    missing = replace(of(web.url(), tmp_path / "c"), revision=commit("1" * 40))
    with pytest.raises(SourceUnreachable) as raised:
        missing.commit()
    assert str(raised.value) == (
        f"commit {'1' * 40} of {web.url()} cannot be fetched: the server does not have this commit, or does not serve"
        " commits by their id; check the id, or follow a branch or a tag"
    )


def test_nobody_listens(tmp_path: Path) -> None:
    assert line(of("https://127.0.0.1:1/r.git", tmp_path)) == (
        "cannot connect to 127.0.0.1 port 1; check the URL, the firewall, and HTTPS_PROXY and NO_PROXY"
    )


def test_a_path_without_a_repository(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("scaleSets: []\n")
    for path in (file, tmp_path / "nothere"):
        assert line(of(str(path), tmp_path / "clone")) == (
            f"{path} is not a git repository; check the URL; its path must be that of a clone or a bare repository"
        )


def test_a_host_that_is_unknown(tmp_path: Path) -> None:
    assert line(of("https://forge.invalid/r.git", tmp_path)) == (
        "the host forge.invalid cannot be resolved; check the URL and the DNS of this machine"
    )


def test_a_server_that_is_too_slow(web: Forge, tmp_path: Path) -> None:
    web.delay = 30
    slow = replace(of(web.url(), tmp_path / "c"), timeout=timedelta(seconds=0.5))
    assert line(slow) == "git ls-remote took longer than 0.5 s; set a longer --git-timeout"


# Proxies


@pytest.fixture
def no_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")


PROXIES = [
    pytest.param(407, "the proxy requires credentials (407)", id="one that requires credentials"),
    pytest.param(403, "the proxy refuses the connection (403)", id="one that refuses the host"),
]


@pytest.mark.usefixtures("no_exception")
@pytest.mark.parametrize("status, message", PROXIES)
def test_a_proxy(
    web: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, message: str
) -> None:
    web.answer = status, {}, b""
    monkeypatch.setenv("https_proxy", f"http://ada:s3cr3t@{web.host}")
    told = line(of("https://forge.invalid/r.git", tmp_path / "c"))
    assert told.startswith(message)
    assert "s3cr3t" not in told


@pytest.mark.usefixtures("no_exception")
def test_a_proxy_that_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://ada:s3cr3t@proxy.invalid:3128")
    assert line(of("https://forge.invalid/r.git", tmp_path)) == (
        "the proxy proxy.invalid cannot be resolved; check HTTPS_PROXY and http.proxy"
    )


@pytest.mark.usefixtures("no_exception")
def test_a_proxy_is_used_except_for_the_hosts_in_no_proxy(
    web: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = "http://ada:s3cr3t@127.0.0.1:1"
    monkeypatch.setenv("http_proxy", f"http://{web.host}")
    commit = of("http://localhost:1/fleet.git", tmp_path / "c").commit()
    assert web.requests[0][1].startswith("http://localhost:1/fleet.git/")
    monkeypatch.setenv("http_proxy", dead)
    assert line(of(web.url(), tmp_path / "d")).startswith("cannot connect to 127.0.0.1 port 1; ")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert of(web.url(), tmp_path / "d").commit() == commit


# TLS


@pytest.fixture
def secure(remote: Remote, tmp_path: Path) -> Iterator[Forge]:
    with serve(remote.bare.parent, certificate(tmp_path, "localhost")) as forge:
        yield forge


# A git with an older GnuTLS does not say why.
UNVERIFIED = (
    "the server's certificate cannot be verified (git gives no reason); "
    "set GIT_SSL_CAINFO to a file that contains its CA, and check that the certificate has not expired"
)


def test_a_company_ca(secure: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = secure.url().replace("127.0.0.1", "localhost")
    assert line(of(url, tmp_path / "c")) in (
        "the server's certificate is signed by an unknown CA; set GIT_SSL_CAINFO to a file that contains the CA",
        UNVERIFIED,
    )
    monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "localhost.pem"))
    assert len(of(url, tmp_path / "c").commit().files) == 1
    assert line(of(secure.url(), tmp_path / "c")).startswith("the server's certificate is for another host; ")
    monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "missing.pem"))
    assert line(of(url, tmp_path / "c")).startswith("the CA certificate file cannot be read; ")


def test_a_company_ca_in_the_configuration_of_git(secure: Forge, tmp_path: Path, fresh_machine: Path) -> None:
    (fresh_machine / ".gitconfig").write_text(f"[http]\n\tsslCAInfo = {tmp_path}/localhost.pem\n")
    url = secure.url().replace("127.0.0.1", "localhost")
    assert len(of(url, tmp_path / "c").commit().files) == 1


def test_a_certificate_that_has_expired(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(remote.bare.parent, certificate(tmp_path, "localhost", days=-1)) as forge:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(tmp_path / "localhost.pem"))
        assert line(of(forge.url().replace("127.0.0.1", "localhost"), tmp_path / "c")) in (
            "the server's certificate has expired or is not valid yet;"
            " renew the certificate, and check the clock of this machine",
            UNVERIFIED,
        )


def test_a_connection_that_is_cut_before_tls(tmp_path: Path) -> None:
    """As by a firewall that does not let TLS through."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def cut() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)

        thread = threading.Thread(target=cut)
        thread.start()
        told = line(of(f"https://127.0.0.1:{listener.getsockname()[1]}/r.git", tmp_path))
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert told.startswith("the TLS handshake failed (")
    assert told.endswith("check the port in the URL, the firewall, and HTTPS_PROXY and NO_PROXY")


def test_https_at_a_port_of_plain_http(web: Forge, tmp_path: Path) -> None:
    assert line(of(web.url().replace("http:", "https:"), tmp_path / "c")) == (
        "the server does not speak TLS on this port; check the port in the URL"
    )


# SSH


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with sshd.serve(tmp_path / "sshd") as found:
        found.know("host")
        yield found


@needs_sshd
def test_host_keys(server: Sshd, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSH_COMMAND", server.command())
    repository = of(server.url(remote.bare), tmp_path / "c")
    commit = repository.commit()
    server.know("")
    assert line(repository) == (
        f"the host key of [127.0.0.1]:{server.port} is not in known_hosts; add the key that the forge publishes"
    )
    server.know("other")
    offered = subprocess.run(
        ["ssh-keygen", "-l", "-f", server.directory / "host.pub"], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    told = line(repository)
    assert told == (
        f"the host key of [127.0.0.1]:{server.port} has CHANGED to {offered}: someone may be intercepting the connection; "
        "verify this fingerprint with the forge before you change known_hosts"
    )
    assert "add" not in told
    server.know("host")
    assert repository.commit() == commit


@needs_sshd
def test_ssh_keys(server: Sshd, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(key: str) -> str:
        monkeypatch.setenv("GIT_SSH_COMMAND", server.command(server.directory / key))
        return line(of(server.url(remote.bare), tmp_path / "c"))

    open_to_all = server.directory / "open"
    open_to_all.write_bytes(server.key.read_bytes())
    open_to_all.chmod(0o644)
    (server.directory / "locked.pub").unlink()
    garbage = server.directory / "garbage"
    garbage.write_text("garbage")
    garbage.chmod(0o600)
    assert told("missing") == (
        f"ssh cannot read the key {server.directory}/missing: No such file or directory; "
        "name the private key file"
    )
    assert "passphrase" in told("locked")
    assert told("open") == (
        f"ssh ignores the key {open_to_all} because its mode 0644 lets others read it; "
        "set its mode to 0400 (`defaultMode` of a Secret volume)"
    )
    assert told("garbage").startswith(f"ssh cannot use the key {garbage}: ")
    assert "accepted none of the SSH keys (publickey)" in told("stranger")


def test_a_server_that_ssh_does_not_reach(tmp_path: Path) -> None:
    assert line(of("ssh://ada@127.0.0.1:1/r.git", tmp_path)).startswith(
        "cannot connect to 127.0.0.1 port 1; "
    )
    assert line(of("ssh://ada@forge.invalid/r.git", tmp_path)).startswith(
        "the host forge.invalid cannot be resolved; "
    )


def test_a_user_id_that_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "ssh"
    script.write_text("#!/bin/sh\necho 'No user exists for uid 1000540000' >&2\nexit 255\n")
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    assert line(of("ssh://ada@127.0.0.1/r.git", tmp_path / "c")) == (
        "ssh found no user for the user id 1000540000; "
        "add this user id to /etc/passwd in the image, or use https"
    )


# This machine


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a volume and give files away")


@pytest.mark.parametrize(
    "home", [pytest.param(None, id="none"), pytest.param("/", id="one that is not ours")]
)
def test_git_needs_no_home_directory(
    web: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    """As for a user id that the image does not know."""
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name)
    if home:
        monkeypatch.setenv("HOME", home)
    assert len(of(web.url(), tmp_path / "c").commit().files) == 1


@needs_root
def test_a_clone_of_another_user_is_used(remote: Remote) -> None:
    commit = remote.repository().commit()
    for path in (remote.clone, *remote.clone.rglob("*")):
        os.chown(path, 4242, 4242)
    assert remote.repository().last() == remote.repository().commit() == commit
    remote.write("specs/api.yaml")
    after = remote.push()
    assert remote.repository().commit().sha == after


@needs_root
def test_a_volume_that_is_read_only_or_runs_no_programs(
    remote: Remote, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remount(small, "noexec,nosuid,nodev")
    monkeypatch.setenv("TMPDIR", str(small))
    commit = of(remote.url, small / "clone").commit()
    remount(small, "ro")
    assert (
        line(of(remote.url, small / "clone"))
        == f"the clone in {small}/clone cannot be used: read-only file system"
    )
    assert of(remote.url, tmp_path / "c").commit() == commit, "nothing is written to TMPDIR"


def remount(volume: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(volume)], check=True)


def test_a_repository_of_another_user(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # what git itself tests this with
    assert line(of(remote.url, tmp_path / "c")) == (
        f"the repository {remote.bare} belongs to another user; "
        f"run `git config --global --add safe.directory {remote.bare}`"
    )


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A volume with room for a clone of one small file, and little more."""
    volume = tmp_path / "volume"
    volume.mkdir()
    options = ["-t", "tmpfs", "-o", "size=400k,nr_inodes=120", "tmpfs", str(volume)]
    if os.geteuid() or subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small volume")
    yield volume
    subprocess.run(["umount", "--lazy", str(volume)], check=True)


FULL = [pytest.param("bytes", id="no bytes are left"), pytest.param("inodes", id="no inodes are left")]


@pytest.mark.parametrize("what", FULL)
def test_a_full_volume_costs_no_commit(remote: Remote, small: Path, what: str) -> None:
    repository = of(remote.url, small / "clone")
    commit = repository.commit()
    remote.write("specs/large.yaml", os.urandom(300_000))
    remote.push()
    fill(small, what)
    for _ in range(2):
        assert "no space" in line(of(remote.url, small / "clone"))
        assert of(remote.url, small / "clone").last() == commit
    for path in small.glob("fill*"):
        path.unlink()
    remote.git("rm", "--quiet", "--force", "specs/large.yaml")
    after = remote.push()
    assert of(remote.url, small / "clone").commit().sha == after


def fill(volume: Path, what: str) -> None:
    try:
        for number in range(1000):
            (volume / f"fill{number}").write_bytes(b"x" * (4096 if what == "bytes" else 0))
    except OSError:
        return
    raise AssertionError("the volume is not full")


def test_a_full_tmp_has_no_effect(
    remote: Remote, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(small))
    remote.write("specs/large.yaml", b"# " + b"x" * 500_000)
    remote.push()
    fill(small, "bytes")
    repository = of(remote.url, tmp_path / "c")
    commit = repository.commit()
    inode = (tmp_path / "c" / "repository.git").stat()[stat.ST_INO]
    again = of(remote.url, tmp_path / "c")
    assert (again.last(), again.commit()) == (commit, commit)
    assert (tmp_path / "c" / "repository.git").stat()[stat.ST_INO] == inode


def test_a_malformed_object_is_refused(web: Forge, remote: Remote, tmp_path: Path) -> None:
    tree = remote.git("rev-parse", "HEAD^{tree}")
    text = f"tree {tree}\nauthor Ada <ada@example.com> 1 +0000\ncommitter no date\n\nmalformed\n"
    (tmp_path / "commit").write_text(text)
    sha = remote.git("hash-object", "-t", "commit", "--literally", "-w", str(tmp_path / "commit"))
    remote.git("-c", "core.compression=0", "push", "--quiet", "--force", "origin", f"{sha}:refs/heads/main")
    assert line(of(web.url(), tmp_path / "c")).startswith("the repository contains a malformed object; ")


# What git and ssh were seen to write, for what cannot be made here.

SEEN = [
    ("fatal: write error: No space left on device", "no space"),
    ("remote: fatal: write error: No space left on device\nfatal: early EOF", "cut connection"),
    ("error: unable to create temporary file: No space left on device\nfatal: failed to write object", "no space"),
    ("No space left on device\nfatal: '/srv/r' does not appear to be a git repository", "no repository"),
    ("gpg: fatal: can't create temporary file: No space left on device", "no space"),
    ("fatal: Unable to create 'x.lock': Read-only file system", "read-only volume"),
    ("fatal: Out of memory, malloc failed (tried to allocate 9 bytes)", "no memory or processes"),
    ("error: cannot fork() for fetch-pack: Resource temporarily unavailable", "no memory or processes"),
    ("fatal: unable to access 'https://h/r/': SSL certificate problem: certificate has expired", "expired certificate"),
    ("fatal: unable to access 'https://h/r/': SSL certificate problem: self-signed certificate", "unknown CA"),
    ("fatal: unable to access 'https://h/r/': SSL certificate problem: unable to get local issuer certificate", "unknown CA"),
    ("fatal: unable to access 'https://h/r/': server verification failed: certificate signer not trusted. (CAfile: /ca CRLfile: none)", "unknown CA"),
    ("fatal: unable to access 'https://h/r/': server verification failed: certificate has expired. (CAfile: /ca CRLfile: none)", "expired certificate"),
    ("fatal: unable to access 'https://h/r/': SSL certificate verification failed: certificate signer not trusted. (CAfile: /ca)", "unknown CA"),
    ("fatal: unable to access 'https://h/r/': SSL certificate verification failed: certificate uses insecure algorithm. (CAfile: /ca)", "unverified certificate"),
    ("fatal: unable to access 'https://h/r/': server certificate verification failed. CAfile: none CRLfile: none", "unverified certificate"),
    ("fatal: unable to access 'https://h/r/': SSL certificate problem: CA md too weak", "unverified certificate"),
    ("fatal: unable to access 'https://h/r/': error adding trust anchors from file: /ca", "unreadable CA file"),
    ("fatal: unable to access 'https://h/r/': GnuTLS, handshake failed: The TLS connection was non-properly terminated.", "failed TLS handshake"),
    ("fatal: unable to access 'https://h/r/': gnutls_handshake() failed: The TLS connection was non-properly terminated.", "failed TLS handshake"),
    ("fatal: unable to access 'https://h/r/': gnutls_handshake() failed: An unexpected TLS packet was received.", "no TLS"),
    ("fatal: unable to access 'https://h/r/': OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to h:443", "failed TLS handshake"),
    ("fatal: unable to access 'https://h/r/': TLS connect error: error:0A000126:SSL routines::unexpected eof while reading", "failed TLS handshake"),
    ("fatal: unable to access 'https://h/r/': TLS connect error: error:0A00010B:SSL routines::wrong version number", "no TLS"),
    ("fatal: unable to access 'https://h/r/': GnuTLS recv error (-110): The TLS connection was non-properly terminated.", "cut connection"),
    ("fatal: unable to access 'https://h/r/': OpenSSL/1: error:1408F10B:SSL routines:wrong version number", "no TLS"),
    ('Load key "/k": incorrect passphrase supplied to decrypt private key\na@h: Permission denied (publickey).', "key with a passphrase"),
    ("fatal: unable to access 'http://h/r/': The requested URL returned error: 301", "moved repository"),
    ("fatal: unable to access 'https://h/r/': Received HTTP code 407 from proxy after CONNECT", "proxy that requires credentials"),
    ("kex_exchange_identification: Connection closed by remote host\nfatal: Could not read from remote repository.", "cut connection"),
    ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", "unknown repository"),
    ("fatal: '/srv/r' does not appear to be a git repository\nfatal: Could not read from remote repository.", "no repository"),
]  # fmt: skip


@pytest.mark.parametrize("output, name", [pytest.param(*each, id=each[0][:60]) for each in SEEN])
def test_recorded_output_finds_its_row(output: str, name: str) -> None:
    row = find(output)
    assert row is not None
    assert row.name == name


def test_the_reason_for_a_certificate_that_cannot_be_verified_is_named() -> None:
    output = "fatal: unable to access 'https://h/r/': SSL certificate problem: CA md too weak"
    row = find(output)
    assert row is not None
    assert row.describe(output)[0] == "the server's certificate cannot be verified (CA md too weak)"


def test_what_the_output_does_not_name_is_left_open() -> None:
    row = find("Host key verification failed.\nfatal: Could not read from remote repository.")
    assert row is not None
    assert (
        row.describe("Host key verification failed.")[0] == "the host key of the server is not in known_hosts"
    )


def test_output_that_fits_no_row_is_left_in_the_words_of_git() -> None:
    assert find("fatal: bad object HEAD") is None


# The page


def shown(text: str) -> str:
    """A message of the table as the page shows it: what it names is in capitals."""
    return re.sub(r"{(\w+)}", lambda match: match[1].upper(), text)


ROWS = [
    [cell.strip() for cell in row.strip("|").split("|")]
    for row in PAGE.read_text().splitlines()
    if row.startswith("|") and not row.startswith(("|---", "| failure"))
]


def test_the_page_has_a_row_for_each_failure_in_the_words_of_the_code() -> None:
    assert [row[:3] for row in ROWS] == [
        [each.name, shown(each.message), shown(each.remedy)] for each in FAILURES
    ]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_row_of_the_page_is_held_by_tests_that_exist(row: list[str]) -> None:
    held = re.findall(r"`([\w/]+\.py)::(test_\w+)(?:\[(.+?)\])?`", row[3])
    assert held
    assert row[3] == ", ".join(f"`{f}::{t}{f'[{c}]' if c else ''}`" for f, t, c in held)
    for file, test, case in held:
        text = (TESTS / file).read_text()
        assert f"def {test}(" in text
        assert not case or f'id="{case}"' in text or case in text
