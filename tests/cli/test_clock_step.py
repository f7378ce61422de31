"""A daemon goes on as before if its clock is set by an hour in the middle of a rollout."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli import program
from tests.cli.program import Daemon, until, write_specs
from tests.cli.settable_clock import IS_MISSING, WHY_MISSING, SettableClock
from tests.git.sshd import may_be_skipped
from tests.stories.world import NEW, scale_set, spec

HOUR = timedelta(hours=1)


@pytest.mark.skipif(IS_MISSING and may_be_skipped(os.environ), reason=WHY_MISSING)
@pytest.mark.parametrize("step", [pytest.param(-HOUR, id="back"), pytest.param(HOUR, id="forward")])
def test_a_clock_that_is_set_by_an_hour_delays_no_sweep_and_no_rollout(
    tmp_path: Path, step: timedelta
) -> None:
    clock = SettableClock(tmp_path)
    with program.azure(scale_set("web", capacity=3), scale_set("api", capacity=1)) as azure:
        specs = write_specs(tmp_path / "specs", spec("web"))
        environment = {**azure.environment, **clock.environment}
        with Daemon("--specs", specs, env=environment, cwd=tmp_path, under=["env"]) as daemon:
            until(lambda: azure.upgrades() == 1, daemon.log)
            clock.set_ahead(step)
            write_specs(specs, spec("api"))
            until(lambda: azure.images("web") | azure.images("api") == {NEW}, daemon.log)
            daemon.started()
            until(lambda: {daemon.status_of("web"), daemon.status_of("api")} == {"Ready"}, daemon.log)
