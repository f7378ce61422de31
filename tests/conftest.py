"""Settings of property tests, and the collection of messages for the table (`tests/messages.py`).

Property tests take the same cases each time and have no deadline, because machines may be busy. At the end of a run
the messages of all its processes are combined.
"""

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import messages

settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")

# The configuration file of whoever runs the tests is no part of them.
os.environ["XDG_CONFIG_HOME"] = os.devnull

# What takes half of the time of all tests. `make test` leaves it to `make slow`.
SLOW = frozenset(
    {
        "alerts/test_alerts.py",
        "git/test_story.py",
        "rehearsal/test_rehearsal.py",
        "stories/test_caps.py",
        "stories/test_cases.py",
        "stories/test_crash.py",
        "stories/test_deadlines.py",
        "stories/test_evidence.py",
        "stories/test_faults.py",
        "stories/test_fleet.py",
        "stories/test_fleet_forecast.py",
        "stories/test_forecast.py",
        "stories/test_gates.py",
        "stories/test_incident.py",
        "stories/test_properties.py",
        "stories/test_recovery.py",
        "stories/test_rollback.py",
        "stories/test_stuck.py",
        "stories/test_throttling.py",
        "stories/test_waits.py",
        "stories/test_worlds.py",
        "test_ci.py",
        "test_commands.py",
    }
)

_seen: dict[str, set[str]] = defaultdict(set)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-messages",
        action="store_true",
        help="Rewrite tests/messages.txt instead of comparing with it.",
    )


def pytest_configure(config: pytest.Config) -> None:
    messages.is_written = config.getoption("--write-messages")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    for each in items:
        if each.path.is_relative_to(tests) and each.path.relative_to(tests).as_posix() in SLOW:
            each.add_marker("slow")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process of pytest-xdist has ended."""
    _add(getattr(node, "workeroutput", {}).get("messages", {}))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["messages"] = {test: sorted(said) for test, said in messages.seen.items()}
        return
    _add(messages.seen)
    if messages.is_written:
        messages.TABLE.write_text(messages.written(_merged(session)))
    elif exitstatus == pytest.ExitCode.OK and _is_whole(session.config) and (lines := messages.stale(_seen)):
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter
        reporter.write_line(
            "\nNo test asks for these lines of tests/messages.txt any more; run `make messages`:"
        )
        for line in lines:
            reporter.write_line(f"  {line}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _add(seen: Any) -> None:
    for test, said in seen.items():
        _seen[test] |= set(said)


def _merged(session: pytest.Session) -> dict[str, set[str]]:
    """The new table: after a run of a few tests, the others keep their lines."""
    return dict(_seen) if _is_whole(session.config) else {**messages.table, **_seen}


def _is_whole(config: pytest.Config) -> bool:
    """Whether the run is of the whole suite, as it is told once."""
    chosen = config.option.keyword or config.option.markexpr or config.getoption("lf", default=False)
    is_variant = "STORIES_DURING_UPGRADE" in os.environ
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen and not is_variant
