"""A real Kubernetes API server: processes of our own on 127.0.0.1, or one that somebody else runs."""

import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource

from reconciler.simulator import certificates

BINARIES = "RECONCILER_TEST_KUBE"  # the directory that tests/cluster/binaries has filled
GIVEN = "RECONCILER_TEST_KUBECONFIG"  # a file that leads to a server of somebody else
NAMESPACE, LEASE = "default", "reconciler"
_PATIENCE = 120.0  # seconds; it starts in five on an idle machine
_LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"

Json = dict[str, Any]


@dataclass
class ApiServer:
    """It may be stopped and started, and paused and continued."""

    binaries: Path
    home: Path
    port: int
    etcd_port: int
    host: str = "127.0.0.1"
    admin: str = field(default_factory=lambda: secrets.token_hex(16))
    replica: str = field(default_factory=lambda: secrets.token_hex(16))
    _etcd: "subprocess.Popen[bytes] | None" = None
    _server: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start what does not run, and wait until it responds."""
        self.home.mkdir(parents=True, exist_ok=True)
        files = self._files()
        self._etcd = self._etcd or self._run("etcd", *self._etcd_options())
        self._server = self._run("kube-apiserver", *self._server_options(files))
        end = time.monotonic() + _PATIENCE
        while not self._is_ready():
            assert time.monotonic() < end, f"the API server is not ready: {self._log('kube-apiserver')}"
            assert self._server.poll() is None, f"the API server ended: {self._log('kube-apiserver')}"
            time.sleep(0.2)

    def stop(self) -> None:
        """End the API server at once. etcd goes on."""
        assert self._server
        self._server.kill()
        self._server.wait()

    def pause(self) -> None:
        """Connections are accepted from now on, and nothing is ever answered."""
        assert self._server
        self._server.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._server
        self._server.send_signal(signal.SIGCONT)

    def close(self) -> None:
        for process in (self._server, self._etcd):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def kubeconfig(self, file: Path, port: int) -> Path:
        """A file for KUBECONFIG of a replica. `port` is that of something in between."""
        return self._kubeconfig(file, port, self.replica)

    def admin_kubeconfig(self, file: Path) -> Path:
        """A file for KUBECONFIG of the administrator."""
        return self._kubeconfig(file, self.port, self.admin)

    def _kubeconfig(self, file: Path, port: int, token: str) -> Path:
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": str(self.home / "ca.pem")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [
                {"name": "it", "context": {"cluster": "test", "user": "it", "namespace": NAMESPACE}}
            ],
            "current-context": "it",
        }
        file.write_text(yaml.safe_dump(config))
        return file

    def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """What the administrator gets."""
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}",
            json.dumps(body).encode() if body else None,
            {"Authorization": f"Bearer {self.admin}", "Content-Type": "application/json"},
            method=method,
        )
        context = ssl.create_default_context(cafile=str(self.home / "ca.pem"))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(request, timeout=5) as response:
            text = response.read()
        return json.loads(text) if text.startswith(b"{") else {}

    def allow_replicas(self) -> None:
        """Give the replicas the Role of docs/how-to/high-availability.md, and nothing else."""
        group = "rbac.authorization.k8s.io"
        names = f"/apis/{group}/v1/namespaces/{NAMESPACE}"
        metadata = {"name": "reconciler", "namespace": NAMESPACE}
        role = {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": documented_rules(),
        }
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "reconciler"},
            "subjects": [{"apiGroup": group, "kind": "User", "name": "replica"}],
        }
        self.ask("POST", f"{names}/roles", role)
        self.ask("POST", f"{names}/rolebindings", binding)

    def lease(self) -> Json:
        return self.ask("GET", f"{_LEASES}/{LEASE}")

    def create_lease(self) -> None:
        self.ask("POST", _LEASES, released_lease(NAMESPACE))

    def delete_lease(self) -> None:
        self.ask("DELETE", f"{_LEASES}/{LEASE}")

    def _files(self) -> certificates.Certificates:
        tokens = self.home / "tokens.csv"
        if tokens.exists():
            return certificates.Certificates(
                self.home / "ca.pem", self.home / "server.pem", self.home / "server.key"
            )
        tokens.write_text(f'{self.admin},admin,admin,"system:masters"\n{self.replica},replica,replica\n')
        tokens.chmod(0o600)
        return certificates.make(self.home)

    def _is_ready(self) -> bool:
        try:
            self.ask("GET", "/readyz")
            self.ask("GET", f"/api/v1/namespaces/{NAMESPACE}")
        except (OSError, urllib.error.URLError):
            return False
        return True

    def _run(self, name: str, *options: str) -> "subprocess.Popen[bytes]":
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [self.binaries / name, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()[-2000:]

    def _etcd_options(self) -> Iterator[str]:
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{free_port()}"
        yield from ("--data-dir", str(self.home / "etcd"), "--logger", "zap", "--log-level", "error")
        yield from ("--unsafe-no-fsync", "--name", "test", "--initial-cluster", f"test={peer}")
        yield from ("--listen-client-urls", client, "--advertise-client-urls", client)
        yield from ("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer)

    def _server_options(self, files: certificates.Certificates) -> Iterator[str]:
        yield from (
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            "--endpoint-reconciler-type=none",
        )
        yield f"--etcd-servers=http://127.0.0.1:{self.etcd_port}"
        yield from ("--authorization-mode=RBAC", "--anonymous-auth=false")
        yield f"--token-auth-file={self.home / 'tokens.csv'}"
        yield from (f"--tls-cert-file={files.chain}", f"--tls-private-key-file={files.key}")
        yield from ("--service-cluster-ip-range=10.0.0.0/24", "--service-account-issuer=https://test")
        yield from (
            f"--service-account-key-file={files.chain}",
            f"--service-account-signing-key-file={files.key}",
        )


class GivenServer:
    """The API server that somebody else runs. It is neither stopped nor paused."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._config: Json = yaml.safe_load(file.read_text())
        address = urlsplit(self._cluster(self._config)["server"])
        assert address.hostname, f"{file} names no server"
        self.host, self.port = address.hostname, address.port or 443
        self._client = Client(KubeConfig.from_dict(self._config, fname=file))
        self._leases = create_namespaced_resource("coordination.k8s.io", "v1", "Lease", "leases")

    def kubeconfig(self, file: Path, port: int) -> Path:
        """The same, with something in between, which has no certificate for that host."""
        config = deepcopy(self._config)
        cluster = self._cluster(config)
        cluster["server"] = f"https://127.0.0.1:{port}"
        if self.host not in {"127.0.0.1", "localhost"}:
            cluster.pop("certificate-authority-data", None)
            cluster["insecure-skip-tls-verify"] = True
        file.write_text(yaml.safe_dump(config))
        return file

    def admin_kubeconfig(self, _file: Path) -> Path:
        """The file that leads to it."""
        return self._file

    def lease(self) -> Json:
        return dict(self._client.get(self._leases, LEASE))

    def create_lease(self) -> None:
        self._client.create(self._leases(**released_lease(self._client.namespace)))

    def delete_lease(self) -> None:
        with suppress(ApiError):
            self._client.delete(self._leases, LEASE)

    def close(self) -> None:
        self._client.close()

    @staticmethod
    def _cluster(config: Json) -> Json:
        context = next(each for each in config["contexts"] if each["name"] == config["current-context"])
        name = context["context"]["cluster"]
        found: Json = next(each["cluster"] for each in config["clusters"] if each["name"] == name)
        return found


def released_lease(namespace: str) -> Json:
    """A Lease that its last holder has given back. A first start would wait for one that may still act."""
    at = "2026-01-05T09:00:00.000000Z"
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE, "namespace": namespace},
        "spec": {"holderIdentity": "", "leaseDurationSeconds": 1, "acquireTime": at, "renewTime": at},
    }


def documented_rules() -> list[Json]:
    """The rules of the Role, as the page has them."""
    page = Path(__file__).parent.parent.parent / "docs/how-to/high-availability.md"
    (block,) = (text for text in page.read_text().split("```") if text.startswith("yaml\nrules:"))
    rules: list[Json] = yaml.safe_load(block.removeprefix("yaml\n"))["rules"]
    return rules


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


IS_MISSING = not {BINARIES, GIVEN} & set(os.environ)
WHY_MISSING = "needs an API server: run `make test-cluster`"


@contextmanager
def serve(home: Path) -> Iterator[ApiServer | GivenServer]:
    """The server that there is, inside the context."""
    with ExitStack() as opened:
        if given := os.environ.get(GIVEN):
            theirs = GivenServer(Path(given))
            opened.callback(theirs.close)
            yield theirs
            return
        server = ApiServer(Path(os.environ[BINARIES]).resolve(), home, free_port(), free_port())
        opened.callback(server.close)
        server.start()
        server.allow_replicas()
        yield server
