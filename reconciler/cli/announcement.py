"""Names the Azure endpoint and the identity that a command uses, before its first request.

Only environment variables are read, because getting a token may take seconds, or fail.
"""

import os
from collections.abc import Mapping

import click

from reconciler.azure.session import Session

# The credentials of an application. If none is set, AZURE_CLIENT_ID may have no effect.
_PROOFS = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE")


def announce(session: Session) -> None:
    """Print the announcement on standard error."""
    click.echo(announcement(session), err=True)


def announcement(session: Session) -> str:
    """A line with the endpoint and, as far as it is known, the identity."""
    return f"Azure Resource Manager: {session.endpoint}, as {known_identity(os.environ)}"


def known_identity(environment: Mapping[str, str]) -> str:
    """The identity that DefaultAzureCredential uses, as far as environment variables determine it.

    >>> known_identity({})
    'the identity that DefaultAzureCredential finds'
    >>> known_identity({"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential", "AZURE_CLIENT_ID": "A"})
    'application A, by ManagedIdentityCredential'
    """
    chosen = environment.get("AZURE_TOKEN_CREDENTIALS", "").strip()
    group = f" ({chosen})" if chosen.lower() in {"dev", "prod"} else ""
    credential = f"DefaultAzureCredential{group}" if group or not chosen else chosen
    application, tenant = environment.get("AZURE_CLIENT_ID"), environment.get("AZURE_TENANT_ID")
    match chosen.lower():
        case "managedidentitycredential":
            tenant = None  # that of the managed identity, whatever the variable says
        case "environmentcredential" | "workloadidentitycredential":
            pass
        case "" | "prod" if any(map(environment.get, _PROOFS)):
            pass
        case _:
            application = None
    if not application:
        return f"the identity that {credential} finds"
    return f"application {application}{f' in tenant {tenant}' if tenant else ''}, by {credential}"
