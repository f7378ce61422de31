"""The options for leader election, named as in Kubernetes components."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import click

from reconciler.cli.duration import Duration
from reconciler.cluster.timing import Timing


@dataclass(frozen=True, slots=True)
class ElectionOptions:
    """The Lease that decides which replica acts, and its timing.

    `namespace` is "" for the namespace of the Pod or of the current context.
    """

    name: str
    namespace: str
    timing: Timing


def leader_election_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for leader election to a command, and pass it `election`.

    `election` is None without --leader-elect. Raises UsageError if the durations are inconsistent.
    """

    @click.option(
        "--leader-elect",
        is_flag=True,
        envvar="VMSS_RECONCILER_LEADER_ELECT",
        show_envvar=True,
        help="Elect a leader among replicas with a Kubernetes Lease. Only the leader writes to Azure.",
    )
    @click.option(
        "--leader-elect-resource-name",
        metavar="NAME",
        default="reconciler",
        show_default=True,
        envvar="VMSS_RECONCILER_LEADER_ELECT_RESOURCE_NAME",
        show_envvar=True,
        help="Name of the Lease. All replicas for one fleet share it.",
    )
    @click.option(
        "--leader-elect-resource-namespace",
        metavar="NAME",
        envvar="VMSS_RECONCILER_LEADER_ELECT_RESOURCE_NAMESPACE",
        show_envvar=True,
        help="Namespace of the Lease.  [default: that of the Pod, or of the current context]",
    )
    @_duration("lease-duration", "35s", "Time after the last renewal at which another replica may take over.")
    @_duration("renew-deadline", "30s", "Time after the last renewal at which the leader stops writing.")
    @_duration(
        "retry-period", "5s", "Interval at which the leader renews the Lease and the other replicas check it."
    )
    @functools.wraps(command)
    def with_election(
        *,
        leader_elect: bool,
        leader_elect_resource_name: str,
        leader_elect_resource_namespace: str | None,
        leader_elect_lease_duration: timedelta,
        leader_elect_renew_deadline: timedelta,
        leader_elect_retry_period: timedelta,
        **others: Any,
    ) -> None:
        timing = Timing(leader_elect_lease_duration, leader_elect_renew_deadline, leader_elect_retry_period)
        if leader_elect and timing.error:
            raise click.UsageError(f"{timing.error}; see the options --leader-elect-…")
        options = ElectionOptions(leader_elect_resource_name, leader_elect_resource_namespace or "", timing)
        command(election=options if leader_elect else None, **others)

    return with_election


def _duration(name: str, default: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        f"--leader-elect-{name}",
        type=Duration(),
        default=default,
        show_default=True,
        envvar=f"VMSS_RECONCILER_LEADER_ELECT_{name.replace('-', '_').upper()}",
        show_envvar=True,
        help=text,
    )
