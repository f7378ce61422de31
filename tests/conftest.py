"""Settings of property tests, and the collection of messages for the table (`tests/messages.py`).

Property tests take the same cases each time and have no deadline, because machines may be busy. At the end of a run
the messages of all its processes are combined.
"""

import os
from collections import defaultdict
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

# What takes more than half of the time of all tests: directories, files and tests. `make test` leaves them to
# `make slow`.
_SLOW = (
    "alerts/test_alerts.py",
    "cli/test_page_actions.py::test_a_",
    "cli/test_rehearse.py",
    "cli/test_source.py",
    "daemon/test_sweep.py::test_a_thousand_settled_scale_sets_of_twenty_cost_their_twenty_list_pages",
    "git/test_crash.py",
    "git/test_fetching.py",
    "git/test_story.py",
    "prediction/test_scaling.py",
    "rehearsal/test_rehearsal.py",
    "stories/",
    "test_ci.py",
    "test_commands.py",
    "tracing/test_daemon.py",
    "transcripts/",
)
# A whole rollout belongs to every run of the tests.
_QUICK = ("stories/test_rollout.py",)

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
    for each in items:
        test = each.nodeid.removeprefix("tests/")
        if test.startswith(_SLOW) and not test.startswith(_QUICK):
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
