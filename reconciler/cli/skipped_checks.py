"""Says which checks a dry run skips.

A dry run skips every check, because a spec may name any address, and the command may run anywhere.
"""

from collections.abc import Iterable

from reconciler.rollout.wording import join
from reconciler.spec.scale_set import ScaleSet


def skipped_checks_note(scale_sets: Iterable[ScaleSet]) -> str:
    """A note that the checks of these specs are skipped, or "" if the specs have no checks."""
    names = {check.name for each in scale_sets for check in each.rollout.checks}
    return f"skipped: {'check' if len(names) == 1 else 'checks'} {join(sorted(names))}" if names else ""
