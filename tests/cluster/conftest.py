"""The fake API server, in whose environment lightkube finds it, and a real one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import api as fake
from tests.cluster import server as real


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fake.Api]:
    with fake.serve() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield server


@pytest.fixture(scope="module")
def real_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[real.ApiServer | real.GivenServer]:
    with real.serve(tmp_path_factory.mktemp("kube") / "home") as server:
        yield server
