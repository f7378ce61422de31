"""The secret of the webhooks: a file that people and clusters replace while the daemon runs."""

from http import HTTPStatus
from pathlib import Path

import pytest

from reconciler.cli.secret_file import SecretFile
from reconciler.web.webhook import Webhooks


def test_a_new_secret_is_valid_at_once_and_the_old_one_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old\n")
    hooks = Webhooks(SecretFile(path).secret, lambda _: True)

    def status(token: str) -> int:
        headers = {"x-gitlab-event": "Push Hook", "x-gitlab-token": token}
        return hooks.post("/hooks/gitlab", headers, b"").status

    assert [status("old"), status("new")] == [HTTPStatus.ACCEPTED, HTTPStatus.UNAUTHORIZED]
    path.write_text("new\n")
    assert [status("old"), status("new")] == [HTTPStatus.UNAUTHORIZED, HTTPStatus.ACCEPTED]


def test_a_file_without_a_secret_is_reported_once_and_the_last_secret_remains(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    file = SecretFile(path)
    for change in (lambda: path.write_text("\n"), path.unlink):
        change()
        assert [file.secret() for _ in range(3)] == [b"old"] * 3
    path.write_text("new")
    assert file.secret() == b"new"
    assert [each.getMessage() for each in caplog.records] == [
        f"--webhook-secret-file: {path} is empty; write the secret into it; the last secret remains in use",
        f"--webhook-secret-file: {path}: No such file or directory; the last secret remains in use",
    ]
