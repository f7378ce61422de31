"""A real API server accepts the plain manifests and the chart, in a dry run.

It needs the environment of `make test-chart`.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.manifests import MANIFESTS
from tests.chart.programs import PROGRAMS, documents, program, run
from tests.chart.test_chart import LEAST, VALUES
from tests.cluster import server as real
from tests.cluster.replicas import AnyServer

pytestmark = [
    pytest.mark.skipif(real.IS_MISSING, reason=real.WHY_MISSING),
    pytest.mark.skipif(not PROGRAMS.exists(), reason="`make test-chart` has not made its environment"),
]

# What a server older than 1.21 does not know.
NEWER = {"PodDisruptionBudget"}


@pytest.fixture(scope="module")
def kubeconfig(real_api: AnyServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The administrator's."""
    return real_api.admin_kubeconfig(tmp_path_factory.mktemp("admin") / "kubeconfig")


def accepts(found: list[Any], kubeconfig: Path, tmp_path: Path) -> None:
    """Send the documents to the server, in a namespace that exists, and have it store nothing."""
    for each in found:
        each["metadata"].pop("namespace", None)
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(found))
    command = ("apply", "--dry-run=server", "--namespace=default", "--filename", tmp_path / "all.yaml")
    done = run(program("kubectl"), f"--kubeconfig={kubeconfig}", *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("(server dry run)") == len(found)


def test_the_server_accepts_the_plain_manifests(kubeconfig: Path, tmp_path: Path) -> None:
    accepts(list(yaml.safe_load_all(MANIFESTS.read_text())), kubeconfig, tmp_path)


@pytest.mark.parametrize("name", VALUES)
def test_the_server_accepts_the_chart(name: str, kubeconfig: Path, tmp_path: Path) -> None:
    found = [each for each in documents(LEAST | VALUES[name]) if each["kind"] not in NEWER]
    accepts(found, kubeconfig, tmp_path)
