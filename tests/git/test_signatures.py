"""Signed commits: which are accepted, and why others are refused, with the real gpg and ssh-keygen."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.git.repository import Commit, Repository, SourceUnreachable
from reconciler.git.signatures import Signatures
from tests.git.remote import Remote
from tests.git.sshd import make_key

FIX = "sign the commit with an allowed key"


def signed(remote: Remote, key: Path, *, at: str = "2026-01-02T03:04:05Z") -> str:
    """A pushed commit with the signature of an SSH key."""
    os.environ["GIT_COMMITTER_DATE"] = at
    remote.git(
        "-c", "gpg.format=ssh", "-c", f"user.signingKey={key}.pub", "-c", "commit.gpgSign=true", *_commit()
    )
    remote.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    return remote.git("rev-parse", "HEAD")


def _commit() -> tuple[str, ...]:
    return "commit", "--quiet", "--allow-empty", "-m", "signed"


def of(remote: Remote, **keys: Path) -> Repository:
    return replace(remote.repository(), signatures=Signatures(**keys))


def refusal(commit: Commit) -> str:
    assert commit.files == ()
    (problem,) = commit.problems
    prefix = f"commit {commit.sha[:10]} "
    assert str(problem).startswith(prefix)
    return str(problem).removeprefix(prefix)


# SSH


@pytest.fixture
def ada(tmp_path: Path) -> Path:
    return make_key(tmp_path / "ada")


@pytest.fixture
def signers(tmp_path: Path, ada: Path) -> Path:
    path = tmp_path / "allowed signers"
    path.write_text(f"ada@example.com {ada.with_suffix('.pub').read_text()}")
    return path


@pytest.fixture(autouse=True)
def committer_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")


def test_a_commit_that_an_allowed_key_signed_is_accepted(remote: Remote, signers: Path, ada: Path) -> None:
    sha = signed(remote, ada)
    commit = of(remote, allowed_signers=signers).commit()
    assert (commit.sha, commit.problems, len(commit.files)) == (sha, (), 1)
    assert of(remote, allowed_signers=signers).last() == commit


def test_a_commit_without_a_signature_is_refused(remote: Remote, signers: Path) -> None:
    assert refusal(of(remote, allowed_signers=signers).commit()) == f"is not signed: {FIX}"
    assert remote.repository().commit().problems == (), "no keys, no signature required"


def test_a_commit_that_another_key_signed_is_refused(remote: Remote, signers: Path, tmp_path: Path) -> None:
    signed(remote, make_key(tmp_path / "mallory"))
    assert refusal(of(remote, allowed_signers=signers).commit()) == (
        f"is signed by an SSH key that is not allowed or not valid at the date of the commit: {FIX}"
    )


def test_a_key_for_another_purpose_is_refused(remote: Remote, signers: Path, ada: Path) -> None:
    signers.write_text(f'ada namespaces="file" {ada.with_suffix(".pub").read_text()}')
    signed(remote, ada)
    assert "has a bad signature" in refusal(of(remote, allowed_signers=signers).commit())


def test_a_revoked_key_is_refused_whatever_date_a_commit_claims(
    remote: Remote, signers: Path, ada: Path, tmp_path: Path
) -> None:
    key = ada.with_suffix(".pub").read_text()
    signers.write_text(f'ada valid-before="20200101" {key}')
    signed(remote, ada)
    assert "not valid at the date of the commit" in refusal(of(remote, allowed_signers=signers).commit())
    signed(remote, ada, at="2019-01-02T03:04:05Z")
    assert of(remote, allowed_signers=signers).commit().problems == (), "its author chose the date"
    revoked = tmp_path / "revoked"
    revoked.write_text(key)
    assert refusal(of(remote, allowed_signers=signers, revoked_keys=revoked).commit()).startswith(
        ("is ", "has ")
    )


def test_a_signature_of_another_kind_is_refused(remote: Remote, signers: Path, openpgp: Path) -> None:
    sign_openpgp(remote, "ada@example.com")
    assert refusal(of(remote, allowed_signers=signers).commit()) == (
        f"is signed by an OpenPGP key that is not allowed: {FIX}"
    )
    assert of(remote, allowed_signers=signers, openpgp_keys=openpgp).commit().problems == ()


def test_a_change_of_the_keys_counts_at_once(remote: Remote, signers: Path, ada: Path) -> None:
    signed(remote, ada)
    repository = of(remote, allowed_signers=signers)
    assert repository.commit().problems == ()
    signers.write_text("")
    assert "not allowed" in refusal(repository.commit())


def test_keys_that_cannot_be_read_are_no_refusal_of_the_commit(remote: Remote, tmp_path: Path) -> None:
    repository = of(remote, allowed_signers=tmp_path / "missing")
    with pytest.raises(SourceUnreachable) as raised:
        repository.commit()
    assert (
        str(raised.value) == f"the keys in {tmp_path}/missing cannot be read, so no signature can be verified"
    )


def test_an_earlier_valid_commit_is_verified_too(remote: Remote, signers: Path, ada: Path) -> None:
    good = signed(remote, ada)
    remote.push("unsigned")
    newest = remote.push("unsigned again")
    repository = of(remote, allowed_signers=signers)
    refusal(repository.commit())
    found = repository.valid_before(newest, lambda _: True)
    assert found is not None
    assert found.sha == good


def test_the_configuration_of_the_machine_allows_nobody(
    remote: Remote, tmp_path: Path, signers: Path
) -> None:
    key = make_key(tmp_path / "mallory")
    own = tmp_path / "own"
    own.write_text(f"mallory {key.with_suffix('.pub').read_text()}")
    signed(remote, key)
    remote.git("config", "--global", "gpg.ssh.allowedSignersFile", str(own))
    remote.git("config", "--global", "gpg.ssh.program", "true")
    assert "not allowed" in refusal(of(remote, allowed_signers=signers).commit())


# OpenPGP


@pytest.fixture
def openpgp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The exported key of Ada, who can sign with it."""
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    new_key("ada@example.com")
    yield exported(tmp_path / "keys.asc", "ada@example.com")
    subprocess.run(["gpgconf", "--kill", "all"], check=False)


def new_key(address: str) -> None:
    gpg("--passphrase", "", "--quick-gen-key", address, "ed25519", "sign", "never")


def exported(path: Path, *addresses: str) -> Path:
    path.write_bytes(gpg("--armor", "--export", *addresses))
    return path


def gpg(*arguments: str) -> bytes:
    command = ["gpg", "--batch", "--quiet", "--yes", "--pinentry-mode", "loopback", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def sign_openpgp(remote: Remote, address: str) -> str:
    remote.git(
        "-c",
        "gpg.format=openpgp",
        "-c",
        f"user.signingKey={address}",
        "-c",
        "commit.gpgSign=true",
        *_commit(),
    )
    remote.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    return remote.git("rev-parse", "HEAD")


def test_openpgp_keys(remote: Remote, openpgp: Path, tmp_path: Path) -> None:
    assert refusal(of(remote, openpgp_keys=openpgp).commit()) == f"is not signed: {FIX}"
    sha = sign_openpgp(remote, "ada@example.com")
    commit = of(remote, openpgp_keys=openpgp).commit()
    assert (commit.sha, commit.problems) == (sha, ())
    new_key("mallory@example.com")
    sign_openpgp(remote, "mallory@example.com")
    assert refusal(of(remote, openpgp_keys=openpgp).commit()) == (
        f"is signed by an OpenPGP key that is not allowed: {FIX}"
    )
    both = exported(tmp_path / "both.asc", "ada@example.com", "mallory@example.com")
    assert of(remote, openpgp_keys=both).commit().problems == ()
    both.write_bytes(
        openpgp.read_bytes() + exported(tmp_path / "one.asc", "mallory@example.com").read_bytes()
    )
    assert of(remote, openpgp_keys=both).commit().problems == (), "several blocks in one file"
    both.write_bytes(gpg("--export", "mallory@example.com"))
    assert of(remote, openpgp_keys=both).commit().problems == (), "without armor"
    left = [each.name for each in (remote.clone / "repository.git").glob("tmp_keys_*")]
    assert left == []


def test_a_revoked_openpgp_key_is_refused(remote: Remote, openpgp: Path, tmp_path: Path) -> None:
    sign_openpgp(remote, "ada@example.com")
    (certificate,) = (tmp_path / "gnupg" / "openpgp-revocs.d").iterdir()
    revocation = tmp_path / "revocation"
    revocation.write_text(certificate.read_text().replace(":-----BEGIN", "-----BEGIN"))
    gpg("--import", str(revocation))
    revoked = exported(tmp_path / "revoked.asc", "ada@example.com")
    assert refusal(of(remote, openpgp_keys=revoked).commit()) == (
        f"is signed by an OpenPGP key that is revoked: {FIX}"
    )
    assert of(remote, openpgp_keys=openpgp).commit().problems == (), "with the keys from before"


def test_openpgp_keys_that_are_none_are_reported(remote: Remote, openpgp: Path, tmp_path: Path) -> None:
    sign_openpgp(remote, "ada@example.com")
    garbage = tmp_path / "garbage"
    garbage.write_text("garbage")
    with pytest.raises(SourceUnreachable) as raised:
        of(remote, openpgp_keys=garbage).commit()
    assert str(raised.value) == (f"{garbage} contains no OpenPGP keys: write it with `gpg --armor --export`")
    assert of(remote, openpgp_keys=openpgp).commit().problems == ()
