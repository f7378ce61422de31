"""The door to Kubernetes, on a fake API server that speaks the JSON of the real one."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from reconciler.cluster.failure import Changed, Denied, LeaseFailure, NotThere, Unanswered
from reconciler.cluster.kubernetes import KubernetesLease, NoCluster
from reconciler.cluster.lease import Lease
from tests.cluster.api import NAMESPACE, Api

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
LEASE = Lease("me", timedelta(seconds=35), AT, AT, 0, "", "10.0.0.7:8081")
PATIENCE = timedelta(seconds=0.3)


@pytest.fixture
def client(api: Api) -> Iterator[KubernetesLease]:
    assert api.url
    client = KubernetesLease("reconciler", "", PATIENCE)
    yield client
    client.close()


def test_the_namespace_is_that_of_the_context(client: KubernetesLease) -> None:
    assert client.namespace == NAMESPACE


def test_a_lease_is_created_read_and_replaced(client: KubernetesLease) -> None:
    made = client.create(LEASE)
    assert replace(made, version="") == LEASE
    assert client.get() == made
    renewed = client.replace(replace(made, transitions=1))
    assert (renewed.transitions, renewed.version != made.version) == (1, True)


def test_a_lease_is_created_once(client: KubernetesLease) -> None:
    client.create(LEASE)
    with pytest.raises(Changed):
        client.create(LEASE)


def test_an_earlier_version_cannot_be_replaced(client: KubernetesLease) -> None:
    made = client.create(LEASE)
    client.replace(made)
    with pytest.raises(Changed):
        client.replace(made)


def test_what_others_wrote_beside_it_is_kept(client: KubernetesLease, api: Api) -> None:
    client.create(LEASE)
    api.leases["reconciler"]["metadata"]["labels"] = {"team": "shop"}
    client.replace(client.get())
    assert api.leases["reconciler"]["metadata"]["labels"] == {"team": "shop"}


@pytest.mark.parametrize(
    "call", [KubernetesLease.get, lambda client: client.replace(replace(LEASE, version="1"))]
)
def test_a_lease_that_does_not_exist_is_said_to(
    client: KubernetesLease, call: Callable[[KubernetesLease], object]
) -> None:
    with pytest.raises(NotThere, match='"reconciler" not found'):
        call(client)


@pytest.mark.parametrize(
    "status, failure",
    [
        *((each, Denied) for each in (400, 401, 403)),
        (404, NotThere),
        (409, Changed),
        *((each, Unanswered) for each in (408, 429, 500, 503, 504)),
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_each_status_is_a_failure_by_what_to_do_next(
    client: KubernetesLease, api: Api, status: int, failure: type[LeaseFailure], kind: str
) -> None:
    api.status, api.kind = status, kind
    with pytest.raises(failure) as caught:
        client.get()
    assert type(caught.value) is failure


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"7", b"<html>", b"\xff\xfe", b"[" * 10000], ids=lambda body: repr(body[:8])
)
def test_a_response_that_is_no_lease_never_raises_anything_else(
    client: KubernetesLease, api: Api, body: bytes
) -> None:
    api.status, api.body = 200, body
    try:
        lease = client.get()
    except LeaseFailure:
        return
    assert not lease.version


def test_a_server_that_hangs_is_given_up(client: KubernetesLease, api: Api) -> None:
    api.answers.clear()
    began = monotonic()
    with pytest.raises(Unanswered, match="in time"):
        client.get()
    assert monotonic() - began < 3 * PATIENCE.total_seconds()


def test_a_server_that_is_gone_is_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Api(url="http://127.0.0.1:1")
    monkeypatch.setenv("KUBECONFIG", str(gone.kubeconfig(tmp_path)))
    client = KubernetesLease("reconciler", "", PATIENCE)
    with pytest.raises(Unanswered, match="could not be reached"):
        client.get()
    client.close()


def test_without_a_cluster_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    with pytest.raises(NoCluster, match="no access to Kubernetes is configured"):
        KubernetesLease("reconciler", "", PATIENCE)


@pytest.mark.parametrize(
    "text",
    ["", "7", "[]", "{", "apiVersion: v1", "{clusters: 7, contexts: [], current-context: it}"],
)
def test_a_file_that_is_none_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "broken").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "broken"))
    with pytest.raises(NoCluster, match="no access to Kubernetes is configured"):
        KubernetesLease("reconciler", "", PATIENCE)


def test_a_server_that_recovers_is_used_again(client: KubernetesLease, api: Api) -> None:
    client.create(LEASE)
    api.answers.clear()
    with pytest.raises(Unanswered):
        client.get()
    threading.Timer(0.1, api.answers.set).start()
    assert client.get().holder == "me"
