"""The only Kubernetes client: three calls about one Lease, on a separate connection.

Only this module imports lightkube. The program imports this module only if leader election is on.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
from lightkube import ApiError, Client
from lightkube.generic_resource import create_namespaced_resource

from reconciler.cluster.failure import Changed, Denied, LeaseFailure, NotThere, Unanswered
from reconciler.cluster.lease import Lease, json_of, lease_of
from reconciler.spec.wording import ellipsize

# As plain JSON: the typed model fails on a field of the wrong type.
_LEASE = create_namespaced_resource("coordination.k8s.io", "v1", "Lease", "leases")
_LONGEST = 300  # characters of a message of Kubernetes


class NoCluster(Exception):
    """No configuration says where Kubernetes is."""


class KubernetesLease:
    """A client for one Lease. Not safe to share between threads.

    Each call has a timeout, and raises LeaseFailure if it fails.
    """

    def __init__(self, name: str, namespace: str, timeout: timedelta) -> None:
        """If `namespace` is "", the namespace of the Pod or of the current context is used.

        `timeout` limits the time to connect, and then the time to answer. The address and the identity come
        from the Pod or from KUBECONFIG. Raises NoCluster if no access is configured.
        """
        self.name = name
        try:
            self._client = Client(
                namespace=namespace or None, timeout=httpx2.Timeout(timeout.total_seconds()), lazy=False
            )
        except Exception as error:  # what lightkube raises on a malformed file is many things
            raise NoCluster(f"no access to Kubernetes is configured ({_cut(error)})") from error
        self.namespace: str = self._client.namespace

    def get(self) -> Lease:
        """The current Lease."""
        return self._call(lambda: self._client.get(_LEASE, self.name))

    def create(self, lease: Lease) -> Lease:
        return self._call(lambda: self._client.create(self._body(lease)))

    def replace(self, lease: Lease) -> Lease:
        """Replace the Lease, if it still has the version of `lease`."""
        assert lease.version, "without a version, any would be replaced"  # noqa: S101
        return self._call(lambda: self._client.replace(self._body(lease)))

    def close(self) -> None:
        self._client.close()

    def _body(self, lease: Lease) -> Any:
        return _LEASE(**json_of(lease, self.name, self.namespace))

    def _call(self, call: Callable[[], object]) -> Lease:
        try:
            return lease_of(call())
        except ApiError as error:
            raise _refusal(error.response.status_code, str(error)) from error
        except httpx2.HTTPStatusError as error:  # from a proxy, which sends no JSON
            raise _refusal(error.response.status_code, f"HTTP {error.response.status_code}") from error
        except httpx2.TimeoutException as error:
            raise Unanswered("Kubernetes did not answer in time") from error
        except (httpx2.HTTPError, OSError) as error:
            raise Unanswered(f"Kubernetes could not be reached ({_cut(error)})") from error
        except Exception as error:  # what lightkube raises on a response of another form is many things
            raise Unanswered(f"Kubernetes sent a response that cannot be read ({_cut(error)})") from error


def _refusal(status: int, message: str) -> LeaseFailure:
    said = f"Kubernetes returned {_cut(message)}"
    if status == 409:
        return Changed(said)
    if status == 404:
        return NotThere(said)
    return Denied(said) if 400 <= status < 500 and status not in {408, 429} else Unanswered(said)


def _cut(error: object) -> str:
    return ellipsize(str(error) or type(error).__name__, _LONGEST)
