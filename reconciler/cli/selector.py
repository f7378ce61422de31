"""Selects scale sets for a command, by name or by a label selector as in kubectl."""

from collections.abc import Collection, Iterable, Mapping

import click

from reconciler.cli.failure import fail
from reconciler.cli.named import unknown_name
from reconciler.spec.label import Requirement, requirement_error
from reconciler.spec.scale_set import ScaleSet


class Selector(click.ParamType[tuple[Requirement, ...]]):
    """Label requirements, separated by commas: team=web, team!=web, or team."""

    name = "selector"

    def convert(
        self, value: str | tuple[Requirement, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[Requirement, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(self._requirement(each.strip(), param, ctx) for each in value.split(","))

    def _requirement(
        self, text: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> Requirement:
        requirement = Requirement.of(text)
        if not requirement.is_valid:
            self.fail(requirement_error(text), param, ctx)
        return requirement


selector_option = click.option(
    "-l",
    "--selector",
    type=Selector(),
    metavar="LABELS",
    help="Scale sets whose labels match, such as team=web,tier!=db.",
)


def fits_labels(selector: tuple[Requirement, ...] | None, labels: Mapping[str, str]) -> bool:
    """Whether a scale set with these labels matches. Without a selector, every scale set matches."""
    return selector is None or all(part.fits(labels) for part in selector)


def check_chosen(names: Collection[str], selector: tuple[Requirement, ...] | None) -> None:
    """Raise UsageError unless scale sets are named or selected."""
    if not names and selector is None:
        raise click.UsageError("pass NAMES or --selector")


def chosen(
    in_force: Mapping[str, ScaleSet], names: Iterable[str], selector: tuple[Requirement, ...] | None
) -> tuple[ScaleSet, ...]:
    """The scale sets with these names, and those that match the selector.

    Ends the command if a name is unknown, or if the selector matches nothing.
    """
    names = tuple(dict.fromkeys(names))
    for name in names:
        if name not in in_force:
            fail(unknown_name(name, in_force))
    fitting = [
        each for each in in_force.values() if selector is not None and fits_labels(selector, each.labels)
    ]
    if selector is not None and not fitting:
        fail("no scale set has labels that match the selector; run `reconciler status` to see the names")
    return tuple({each.name: each for each in (*(in_force[name] for name in names), *fitting)}.values())
