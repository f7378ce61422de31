"""A browser follows what the real daemon does to a simulated Azure."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from reconciler.simulator import Simulator, WallClock
from tests.cli.program import Azure, Daemon, write_specs
from tests.stories.world import BAD, NEW, fleet, scale_set, spec

PATIENCE = 60_000  # milliseconds
# Instances take long enough to become healthy for the daemon to list them meanwhile, and for a person to see it.
TIMINGS = {"model": "0.2s", "upgrade": "1s", "boot": "0.5s", "health": "4s"}


@contextmanager
def azure() -> Iterator[Azure]:
    """A scale set of ten in five update domains."""
    simulator = Simulator.load(fleet(scale_set(capacity=10), timings=TIMINGS), WallClock())
    with simulator.serve() as server:
        yield Azure(simulator, server)


def daemon(served: Azure, cwd: Path) -> Daemon:
    return Daemon("--specs", cwd / "specs", env=served.environment, cwd=cwd)


def test_a_rollout_is_followed_to_its_end(page: Page, tmp_path: Path) -> None:
    with azure() as served:
        write_specs(tmp_path / "specs", spec())
        with daemon(served, tmp_path).started() as running:
            page.goto(f"{running.url}/scale-sets/web")
            away = re.compile(r"\d of 2 up to date, 2 unavailable")
            expect(page.get_by_text(away).first).to_be_visible(timeout=PATIENCE)
            expect(page.locator("#why")).to_contain_text("UpToDate", timeout=PATIENCE)
            expect(page.locator("#history")).to_contain_text("Succeeded", timeout=PATIENCE)
            page.get_by_role("link", name="Fleet").click()
            expect(page.get_by_role("row", name="web")).to_contain_text("Ready")
            expect(page.locator("#headline")).to_contain_text("all on the declared image")
    assert served.images("web") == {NEW}


def test_a_pause_and_a_resume_are_shown(page: Page, tmp_path: Path) -> None:
    with azure() as served:
        write_specs(tmp_path / "specs", spec(suspend=True))
        with daemon(served, tmp_path).started() as running:
            page.goto(running.url)
            row = page.get_by_role("row", name="web")
            expect(row).to_contain_text("Suspended", timeout=PATIENCE)
            write_specs(tmp_path / "specs", spec())
            expect(row).to_contain_text("Ready", timeout=PATIENCE)


def test_a_halt_by_a_bad_image_is_explained(page: Page, tmp_path: Path) -> None:
    with azure() as served:
        write_specs(tmp_path / "specs", spec(version=BAD, health={"timeout": "1m"}))
        with daemon(served, tmp_path).started() as running:
            page.goto(running.url)
            row = page.get_by_role("row", name="web")
            expect(row).to_contain_text(re.compile("Failing|Stalled"), timeout=3 * PATIENCE)
            expect(row).to_contain_text("HealthCheckFailed")
            expect(page.locator("#headline")).to_contain_text(re.compile(r"Needs attention\s*1"))
            row.get_by_role("link", name="web").click()
            expect(page.locator(".map .i-h-unhealthy").first).to_be_visible(timeout=PATIENCE)
            expect(page.locator("#why")).to_contain_text("What ends it")
