"""`make exhaust`: every scope of the table, with its figures, and the shortest way to whatever is broken."""

import sys

from tests.exhaust.scopes import LARGE, SMALL
from tests.exhaust.search import search


def main() -> None:
    """Exit 1 if a rule is broken anywhere. Words on the command line choose the scopes whose names have them."""
    wanted = sys.argv[1:]
    failed = False
    for scope in (*SMALL, *LARGE):
        if all(word in scope.name for word in wanted):
            found = search(scope)
            print(found, *found.violations, sep="\n", flush=True)
            failed = failed or bool(found.violations)
    sys.exit(failed)


if __name__ == "__main__":
    main()
