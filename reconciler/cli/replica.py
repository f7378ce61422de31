"""Makes this process one of several replicas that elect a leader."""

import socket
from collections.abc import Sequence
from uuid import uuid4

import click

from reconciler.cli.leader_election import ElectionOptions
from reconciler.cli.local_host import is_local
from reconciler.cluster.election import Candidate, Election
from reconciler.cluster.elector import Elector

_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not listened on


def elector(options: ElectionOptions, webhooks: tuple[str, int] | None) -> Elector:
    """The elector for this process. `webhooks` is the address that receives webhooks, or None.

    Raises ClickException if the `kubernetes` extra is not installed, or if no cluster is configured.
    """
    try:
        from reconciler.cluster.kubernetes import KubernetesLease, NoCluster
    except ImportError as error:
        raise click.ClickException(
            "--leader-elect needs the extra `kubernetes`: pip install 'vmss-reconciler[kubernetes]'"
        ) from error
    try:
        client = KubernetesLease(options.name, options.namespace, options.timing.call_timeout)
    except NoCluster as error:
        raise click.ClickException(f"--leader-elect: {error}; run in a Pod, or set KUBECONFIG") from error
    candidate = Candidate(f"{socket.gethostname()}_{uuid4()}", reachable(webhooks) if webhooks else "")
    return Elector(Election(candidate, options.timing), client)


def reachable(listen: tuple[str, int]) -> str:
    """The address at which other replicas can reach the listener, or "" if it is unknown."""
    host, port = listen
    if host in _WILDCARDS:
        try:
            host = _own_address(socket.getaddrinfo(socket.gethostname(), port, type=socket.SOCK_STREAM))
        except OSError:
            return ""
    if is_local(host):  # each replica would reach itself there
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _own_address(found: Sequence[tuple[object, object, object, object, tuple[object, ...]]]) -> str:
    """The first address in the result of `getaddrinfo`. In a Pod, it comes from the hosts file."""
    return str(found[0][4][0])
