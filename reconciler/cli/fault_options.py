"""The options that inject faults into a rehearsal."""

from collections import Counter
from collections.abc import Callable

import click

from reconciler.rehearsal.fault import EXAMPLES, Fault, NotAFault, parse_fault


class FaultName(click.ParamType[Fault]):
    """A fault with its amount, such as unhealthy:2%."""

    name = "fault"

    def convert(self, value: str | Fault, param: click.Parameter | None, ctx: click.Context | None) -> Fault:
        if isinstance(value, Fault):
            return value
        try:
            return parse_fault(value)
        except NotAFault as error:
            self.fail(str(error), param, ctx)


def _distinct(_ctx: click.Context, _param: click.Parameter, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    for kind, number in Counter(each.kind for each in faults).items():
        if number > 1:
            raise click.UsageError(f"--fault {kind} is given twice; give it once, with the total amount")
    return faults


def fault_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --fault and --seed to a command, and pass it `faults` and `seed`."""
    seed = click.option(
        "--seed",
        type=int,
        default=0,
        show_default=True,
        help="Seed for choosing the instances that faults affect; the same seed chooses the same instances.",
    )
    fault = click.option(
        "--fault",
        "faults",
        type=FaultName(),
        metavar="KIND",
        multiple=True,
        callback=_distinct,
        help=f"What goes wrong in the rehearsal (repeatable): {', '.join(EXAMPLES)}.",
    )
    return fault(seed(command))
