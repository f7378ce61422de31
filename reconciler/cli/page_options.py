"""The options for signing in to the page, and for what people may do there."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from reconciler.spec.wording import one_of
from reconciler.web.page.action import Action, Grant, grant, permissions
from reconciler.web.page.sign_in import Network, SignIn, header_name, proxy_network

_T = TypeVar("_T")


class _Parsed(click.ParamType[_T]):
    """A value that `parse` converts. If `parse` raises ValueError, that is a usage error.

    In an environment variable, any of the characters in `between` separates values.
    """

    def __init__(self, name: str, parse: Callable[[str], _T], between: str = ", ") -> None:
        self.name = name
        self._parse = parse
        self._between = between

    def convert(self, value: str | _T, param: click.Parameter | None, ctx: click.Context | None) -> _T:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        parts = [rv]
        for each in self._between:
            parts = [part for text in parts for part in text.split(each)]
        return [part.strip() for part in parts if part.strip()]


def page_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for sign-in to a command, and pass it `sign_in`.

    `sign_in` is None without --page-user-header. Raises UsageError if an option is missing.
    """

    @click.option(
        "--page-user-header",
        type=_Parsed("header", header_name),
        metavar="NAME",
        envvar="VMSS_RECONCILER_PAGE_USER_HEADER",
        show_envvar=True,
        help=(
            "Header in which an authenticating proxy passes the user, such as X-Forwarded-Email. "
            " [default: none; pages are read-only]"
        ),
    )
    @click.option(
        "--page-groups-header",
        type=_Parsed("header", header_name),
        metavar="NAME",
        envvar="VMSS_RECONCILER_PAGE_GROUPS_HEADER",
        show_envvar=True,
        help="Header with the user's groups, separated by commas, such as X-Forwarded-Groups.",
    )
    @click.option(
        "--page-proxy",
        "page_proxies",
        type=_Parsed[Network]("address", proxy_network),
        metavar="ADDRESS",
        multiple=True,
        envvar="VMSS_RECONCILER_PAGE_PROXIES",
        show_envvar=True,
        help=(
            "Address or network of the authenticating proxy (repeatable). Its headers are ignored from "
            "anywhere else."
        ),
    )
    @click.option(
        "--page-grant",
        "page_grants",
        # The name of a group may have a space.
        type=_Parsed[Grant]("grant", grant, between=",\n"),
        metavar="ACTION=WHO",
        multiple=True,
        envvar="VMSS_RECONCILER_PAGE_GRANTS",
        show_envvar=True,
        help="Permit an action on the page to users or groups (repeatable), such as pause=group:sre. Actions "
        f"are {one_of(Action, last='and')}.  [default: no actions]",
    )
    @functools.wraps(command)
    def with_sign_in(
        *,
        page_user_header: str | None,
        page_groups_header: str | None,
        page_proxies: tuple[Network, ...],
        page_grants: tuple[Grant, ...],
        **others: Any,
    ) -> None:
        if not page_user_header and (page_groups_header or page_proxies or page_grants):
            raise click.UsageError(
                "--page-groups-header, --page-proxy and --page-grant need --page-user-header: without it, "
                "nobody can sign in"
            )
        if page_user_header and not page_proxies:
            raise click.UsageError(
                "--page-user-header needs --page-proxy: any client could send the header otherwise"
            )
        if any(each.kind == "group" for each in page_grants) and not page_groups_header:
            raise click.UsageError("a --page-grant to a group needs --page-groups-header")
        sign_in = None
        if page_user_header:
            sign_in = SignIn(
                page_user_header, page_groups_header or "", page_proxies, permissions(page_grants)
            )
        command(sign_in=sign_in, **others)

    return with_sign_in
