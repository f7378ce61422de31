"""How long it takes to write a tag on each of many scale sets, beside what the command says beforehand."""

import os
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml

from reconciler.acts.pause import duration_note
from reconciler.azure.tags import merge_tags
from reconciler.cli.acts.pausing import change_tags
from reconciler.rehearsal.simulated_azure import simulate
from reconciler.rollout.pause import PAUSE
from reconciler.spec.declared import declare
from reconciler.spec.files import File
from reconciler.spec.scale_set import ScaleSet
from tests.build import NOW, spec
from tests.stories import world

MANY = int(os.environ.get("PAUSED_SETS", "300"))


@pytest.mark.parametrize(
    ("subscriptions", "said"),
    [
        pytest.param([200], "", id="as many as Azure allows at once"),
        pytest.param([1000], "1,000 tags take at least 1m20s to write, ", id="a thousand"),
        pytest.param([200, 200], "", id="each subscription has a budget of its own"),
        pytest.param([250, 200], "450 tags take at least 5s to write, ", id="the larger subscription"),
    ],
)
def test_what_the_command_says_beforehand(subscriptions: list[int], said: str) -> None:
    found = [
        _in(str(number), f"s{each}") for number, size in enumerate(subscriptions) for each in range(size)
    ]
    note = duration_note(found)
    assert note.startswith(said) if said else not note


def _in(subscription: str, name: str) -> ScaleSet:
    desired = spec(name)
    return replace(desired, target=replace(desired.target, subscription=subscription))


def test_a_thousand_tags_take_as_long_as_the_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    """On the clock of the simulator, whose budget of writes is Azure's. By default with fewer of them."""
    names = [f"s{number:04}" for number in range(MANY)]
    described = world.fleet(
        *(world.scale_set(name, capacity=1) for name in names), permissions={"actions": ["*"]}
    )
    with simulate(described, NOW) as azure:
        documents = "---\n".join(yaml.safe_dump(world.spec(name)) for name in names)
        declared = declare([File("specs/all.yaml", documents.encode())]).scale_sets

        def pause(resource: str) -> str:
            merge_tags(azure.session, resource, {PAUSE: "by=ada"})
            return "paused"

        assert change_tags(declared, pause, azure.sleep)
        took = azure.clock.now() - NOW
    expected = timedelta(seconds=(MANY - 200) / 10)
    assert expected <= took <= expected * 1.2
    assert len(capsys.readouterr().err.splitlines()) == 1, "not a line for each tag that waits a moment"
