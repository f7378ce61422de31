"""`make exhaust`: search every scope of the table, and print its figures and the shortest path to each broken rule."""

import sys

from tests.exhaust.scopes import LARGE, SMALL
from tests.exhaust.search import search


def main() -> None:
    """Exit 1 if a rule is broken. Words on the command line select the scopes whose names contain them."""
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
