"""The option that names hosts and networks to which checks may be sent."""

from collections.abc import Sequence

import click

from reconciler.checks.reach import Allowed, allowed


class CheckHost(click.ParamType[Allowed]):
    """A host or a network. In an environment variable, several are separated by commas or spaces."""

    name = "host"

    def convert(
        self, value: str | Allowed, param: click.Parameter | None, ctx: click.Context | None
    ) -> Allowed:
        if not isinstance(value, str):
            return value
        try:
            return allowed(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        return rv.replace(",", " ").split()


check_hosts_option = click.option(
    "--allow-check-hosts",
    "check_hosts",
    type=CheckHost(),
    metavar="HOST",
    multiple=True,
    envvar="VMSS_RECONCILER_ALLOW_CHECK_HOSTS",
    show_envvar=True,
    help="Host or network that checks may be sent to (repeatable), such as *.example.com or 10.0.0.0/8.",
)
