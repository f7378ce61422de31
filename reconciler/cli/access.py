"""Access to a fleet: its specs, and Azure through one session. Importing this loads the Azure SDK."""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from reconciler.azure.compute import Compute
from reconciler.azure.session import Session
from reconciler.checks.reach import Reach
from reconciler.daemon.claim_keeper import ClaimKeeper
from reconciler.daemon.interfaces import AzureClient
from reconciler.daemon.leadership import Leadership
from reconciler.daemon.reconciler import Reconciler
from reconciler.daemon.settings import Settings
from reconciler.daemon.specs import Specs


def open_session(endpoint: str, auxiliary_tenants: Sequence[str]) -> Session:
    """Open a session that is closed when the command ends.

    Raises UsageError if AZURE_TOKEN_CREDENTIALS has an unknown value.
    """
    try:
        session = Session(endpoint, auxiliary_tenants=auxiliary_tenants)
    except ValueError as error:  # the identity library does not know the value of AZURE_TOKEN_CREDENTIALS
        raise click.UsageError(str(error)) from error
    click.get_current_context().call_on_close(session.close)
    return session


@dataclass(frozen=True, slots=True)
class FleetAccess:
    """The specs and the Azure session that a command line names."""

    specs: Specs
    session: Session
    list_by_resource_group: bool

    def azure(self) -> Compute:
        """A new Azure client that uses this session."""
        return Compute(self.session)

    def reconciler(
        self,
        settings: Settings | None = None,
        *,
        azure: AzureClient | None = None,
        check_reach: Reach | None = None,
        finds_orphans: bool = False,
        forecasts: bool = True,
        leadership: Leadership | None = None,
        claim: ClaimKeeper | None = None,
    ) -> Reconciler:
        """A reconciler for this fleet.

        Without `check_reach`, the checks in `rollout.checks` are skipped, as in a dry run. The instances of
        undeclared scale sets are read only if `finds_orphans`. If `leadership` or `claim` is given, it has to
        permit each write.
        """
        if permission := leadership or claim:
            self.session.fence(permission, "this replica's leadership" if leadership else "the claim")
        return Reconciler(
            self.specs,
            azure or self.azure(),
            settings or Settings(),
            list_by_resource_group=self.list_by_resource_group,
            check_reach=check_reach,
            forecasts=forecasts,
            finds_orphans=finds_orphans,
            leadership=leadership,
            holder=claim.holder if claim else "",
        )
