"""The scale set that a command line names, by the name of its spec."""

import difflib
from collections.abc import Iterable


def unknown(name: str, names: Iterable[str]) -> str:
    """That no spec is called so, and what may have been meant.

    >>> print(unknown("wbe", ["api", "web"]))
    no spec in force is named 'wbe': did you mean web?
    """
    near = difflib.get_close_matches(name, list(names), n=1)
    mend = f"did you mean {near[0]}?" if near else "`reconciler status` lists them"
    return f"no spec in force is named {name!r}: {mend}"
