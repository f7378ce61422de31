"""The state that `reconciler wait` waits for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from reconciler.daemon.condition import ConditionType
from reconciler.rollout.reason import Reason, Status

_VALUES = ("True", "False", "Unknown")


@dataclass(frozen=True, slots=True)
class Awaited:
    """An awaited state. `kind` is "settled", "status" or "condition".

    A status and a condition have a `value`. A condition also has a `name`.
    """

    kind: str
    name: str = ""
    value: str = ""

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether a scale set, in the shape of `reconciler.daemon.report.state`, is in this state."""
        if self.kind == "settled":
            return bool(row["status"]) and Status(row["status"]).settled
        if self.kind == "status":
            return bool(row["status"] == self.value)
        return any(each["type"] == self.name and each["status"] == self.value for each in row["conditions"])

    def is_success(self, row: Mapping[str, Any]) -> bool:
        """Whether reaching this state counts as success for the scale set.

        A stalled scale set is settled, but not as declared. A paused scale set is not as declared either,
        because no spec declares the pause. A person who waits for a rollout must not take a pause for its
        end.
        """
        if self.kind != "settled" or row["status"] == Status.READY:
            return True
        return bool(row["status"] == Status.SUSPENDED and row["reason"] != Reason.PAUSED)


class AwaitedState(click.ParamType[Awaited]):
    """A state, in upper or lower case: settled, status=Ready, condition=Healthy, condition=Drifted=False."""

    name = "state"

    def convert(
        self, value: str | Awaited, param: click.Parameter | None, ctx: click.Context | None
    ) -> Awaited:
        if isinstance(value, Awaited):
            return value
        kind, *rest = value.split("=")
        match kind.casefold(), rest:
            case "settled", []:
                return Awaited("settled")
            case "status", [status] if known := _known(status, Status):
                return Awaited("status", value=known)
            case "condition", [name, *wanted] if known := _known(name, ConditionType):
                value_known = _known("".join(wanted) or "True", _VALUES)
                if len(wanted) <= 1 and value_known:
                    return Awaited("condition", known, value_known)
        statuses, conditions = ", ".join(Status), ", ".join(ConditionType)
        return self.fail(
            f"{value!r} is not a state; write settled, status= with one of {statuses}, or condition= with "
            f"one of {conditions}",
            param,
            ctx,
        )


def _known(text: str, words: Any) -> str:
    """The word in `words` that equals `text` except for case, or "" if there is none."""
    return next((str(each) for each in words if str(each).casefold() == text.casefold()), "")
