"""Options that several verbs share, such as the Azure endpoint and the output format.

Most of these options, and those in `source`, can also be set with a VMSS_RECONCILER_ variable. A Kubernetes
Deployment sets them that way.
"""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import click

from reconciler.azure.cloud import MAX_TENANTS, PUBLIC_CLOUD
from reconciler.cli.source import specs_on_demand
from reconciler.spec.wording import quote, shorten

if TYPE_CHECKING:
    from reconciler.azure.session import Session
    from reconciler.cli.access import FleetAccess
    from reconciler.daemon.specs import Specs

_ENDPOINT = "VMSS_RECONCILER_ARM_ENDPOINT"

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="Output format.",
)


class Address(click.ParamType[tuple[str, int]]):
    """A host and a port to listen on. An IPv6 host may be in brackets."""

    name = "address"

    def convert(
        self, value: str | tuple[str, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = value.rpartition(":")
        if host and port.isascii() and port.isdigit() and int(port) > 65535:
            self.fail(f"the port {shorten(port)} is too large; write 65535 or less", param, ctx)
        if not host or not port.isascii() or not port.isdigit():
            self.fail(f"{value!r} is not of the form HOST:PORT, such as 127.0.0.1:8080", param, ctx)
        return host.strip("[]"), int(port)


class Url(click.ParamType[str]):
    """A URL that has one of the given schemes and a host, but no credentials and no path."""

    name = "url"

    def __init__(self, *schemes: str) -> None:
        self._schemes = schemes

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not self._is_one(value):
            wanted = " or ".join(f"{scheme}://" for scheme in self._schemes)
            self.fail(
                f"{quote(value)} is not an {wanted} URL, such as {self._schemes[-1]}://HOST", param, ctx
            )
        return value.rstrip("/")

    def _is_one(self, value: str) -> bool:
        try:
            parts = urlsplit(value)
            is_bare = parts.path in {"", "/"} and not parts.query and not parts.fragment and "@" not in value
            return parts.scheme in self._schemes and bool(parts.hostname) and parts.port != 0 and is_bare
        except ValueError:  # a port that is no number, or half an IPv6 address
            return False


class Tenant(click.ParamType[str]):
    """The id of a tenant. In an environment variable, several are separated by commas or spaces."""

    name = "tenant"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(UUID(value))
        except ValueError:
            example = "11111111-1111-1111-1111-111111111111"
            self.fail(f"{value!r} is not a tenant id, such as {example}", param, ctx)

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        return rv.replace(",", " ").split()


def _auxiliary_tenants(
    _ctx: click.Context, param: click.Parameter, tenants: tuple[str, ...]
) -> tuple[str, ...]:
    distinct = tuple(dict.fromkeys(tenants))
    if len(distinct) > MAX_TENANTS:
        error = f"{len(distinct)} tenants are too many; Azure accepts tokens from at most {MAX_TENANTS}"
        raise click.BadParameter(error, param=param)
    return distinct


server_option = click.option(
    "--server",
    type=Url("http", "https"),
    metavar="URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    envvar="VMSS_RECONCILER_SERVER",
    show_envvar=True,
    help="URL of the daemon.",
)


def azure_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --arm-endpoint and --auxiliary-tenant to a command, and pass it a `session`.

    The session is closed when the command ends.
    """

    @_session_on_demand
    @functools.wraps(command)
    def with_session(*, open_session: "Callable[[], Session]", **others: Any) -> None:
        command(session=open_session(), **others)

    return with_session


def _session_on_demand(command: Callable[..., None]) -> Callable[..., None]:
    @_arm_endpoint_option
    @_auxiliary_tenant_option
    @functools.wraps(command)
    def with_session(*, arm_endpoint: str, auxiliary_tenants: tuple[str, ...], **others: Any) -> None:
        def open_session() -> "Session":
            from reconciler.cli import access

            return access.open_session(arm_endpoint, auxiliary_tenants)

        command(open_session=open_session, **others)

    return with_session


_auxiliary_tenant_option = click.option(
    "--auxiliary-tenant",
    "auxiliary_tenants",
    type=Tenant(),
    metavar="ID",
    multiple=True,
    callback=_auxiliary_tenants,
    envvar="VMSS_RECONCILER_AUXILIARY_TENANTS",
    show_envvar=True,
    help=f"Another tenant that owns images in the specs (repeatable, at most {MAX_TENANTS}).",
)

_arm_endpoint_option = click.option(
    "--arm-endpoint",
    type=Url("https"),  # a token is sent to it
    metavar="URL",
    default=PUBLIC_CLOUD,
    show_default=True,
    envvar=_ENDPOINT,
    show_envvar=True,
    help="Azure Resource Manager endpoint of another cloud, or of `reconciler simulate`.",
)


def fleet_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for specs and Azure to a command, and pass it a `fleet`."""

    @fleet_on_demand
    @functools.wraps(command)
    def with_fleet(*, open_fleet: "Callable[[], FleetAccess]", **others: Any) -> None:
        command(fleet=open_fleet(), **others)

    return with_fleet


def fleet_on_demand(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for specs and Azure to a command, and pass it `open_fleet`.

    Calling `open_fleet` loads the Azure SDK, and may raise UsageError.
    """

    @specs_on_demand
    @_session_on_demand
    @click.option(
        "--list-by",
        type=click.Choice(["subscription", "resourceGroup"]),
        default="subscription",
        show_default=True,
        envvar="VMSS_RECONCILER_LIST_BY",
        show_envvar=True,
        help=(
            "List scale sets per subscription or per resource group; resourceGroup needs no role on the"
            " subscription."
        ),
    )
    @functools.wraps(command)
    def with_fleet(
        *,
        open_specs: "Callable[[], Specs]",
        open_session: "Callable[[], Session]",
        list_by: str,
        **others: Any,
    ) -> None:
        def open_fleet() -> "FleetAccess":
            from reconciler.cli.access import FleetAccess

            return FleetAccess(open_specs(), open_session(), list_by == "resourceGroup")

        command(open_fleet=open_fleet, **others)

    return with_fleet
