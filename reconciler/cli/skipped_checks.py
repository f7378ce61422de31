"""The checks that a look leaves out: a spec may name any address, and who looks may be anywhere."""

from collections.abc import Iterable

from reconciler.rollout.wording import join
from reconciler.spec.scale_set import ScaleSet


def skipped_checks_note(scale_sets: Iterable[ScaleSet]) -> str:
    """That the checks of these are not asked, in words; "" where there are none."""
    names = {check.name for each in scale_sets for check in each.rollout.checks}
    return f"not asked: {'check' if len(names) == 1 else 'checks'} {join(sorted(names))}" if names else ""
