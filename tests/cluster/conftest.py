"""The fake API server, and the environment in which lightkube finds it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import api as fake


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fake.Api]:
    with fake.serve() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server
