"""Errors about the NAME of a spec or of an orphan on the command line."""

import difflib
from collections.abc import Collection, Sequence


def unknown_name(name: str, names: Collection[str], errors: Sequence[str] = ()) -> str:
    """The error for a name that no spec has, with a suggestion, or why there is no active spec at all.

    >>> print(unknown_name("wbe", ["api", "web"]))
    no spec in force is named 'wbe'; did you mean web?
    >>> print(unknown_name("web", [], ["specs does not exist: check the path"]))
    no spec is in force: specs does not exist: check the path
    """
    if errors and not names:
        return f"no spec is in force: {errors[0]}"
    near = difflib.get_close_matches(name, list(names), n=1)
    fix = f"did you mean {near[0]}?" if near else "run `reconciler status` to see the names"
    also = f"; the newest specs have errors: {errors[0]}" if errors else ""
    return f"no spec in force is named {name!r}; {fix}{also}"


def unknown_orphan(name: str, orphans: Collection[str], declared: Collection[str]) -> str:
    """The error for a name that no orphan has, with a suggestion.

    >>> print(unknown_orphan("wbe", ["web"], ["api"]))
    no orphan is named 'wbe'; did you mean web?
    >>> print(unknown_orphan("api", [], ["api"]))
    api is declared, so it is not an orphan; run `reconciler why api`
    """
    if name in declared:
        return f"{name} is declared, so it is not an orphan; run `reconciler why {name}`"
    near = difflib.get_close_matches(name, list(orphans), n=1)
    fix = f"did you mean {near[0]}?" if near else "run `reconciler status` to see the names"
    return f"no orphan is named {name!r}; {fix}"
