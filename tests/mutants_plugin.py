"""A plugin of pytest that runs the collected tests once for each mutant, each time in a fork of this process.

`make mutants` loads it in the directory that mutmut has made. There each function of `reconciler/rollout/` calls the
mutant that `MUTANT_UNDER_TEST` names. Tests are imported and collected once, because that takes longer than almost any
run of them. This process runs no test itself, so no run finds what another one has cached.
"""

import gc
import json
import math
import os
import resource
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

WORKERS = 2
LIMIT = 2  # seconds of CPU time for one test; the slowest takes a fiftieth of one


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Write the exit code of each mutant to where mutmut keeps it: 0 if no test fails."""
    gc.freeze()  # what a fork does not touch stays shared
    items = session.items
    # "" is no mutant, and "fail" makes every function of mutmut raise.
    if dict(_exit_codes({"": items, "fail": items})) != {"": 0, "fail": 1}:
        pytest.exit("tests/rollout has to pass without a mutant, and to fail if every function raises", 1)
    calling = _calling(items)
    for path in sorted(Path().glob("reconciler/**/*.meta")):
        data = json.loads(path.read_text())
        names = [*data["exit_code_by_key"]]
        found = dict(_exit_codes({name: calling.get(name.partition("__mutmut_")[0], []) for name in names}))
        path.write_text(json.dumps(data | {"exit_code_by_key": {name: found[name] for name in names}}))
        live = [*found.values()].count(0)
        if names:
            print(f"mutants: {path.stem}: {len(names)}, {live} of them live", flush=True)
    return True


def pytest_runtest_logstart() -> None:
    """The kernel ends an endless loop. mutmut knows the signal as a timeout."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + LIMIT, hard))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> None:
    """The first failure ends the run, before pytest writes its traceback, which takes longer than most tests."""
    if call.excinfo:
        os._exit(1)


def _calling(items: Iterable[pytest.Item]) -> dict[str, list[pytest.Item]]:
    """The tests that call each function: those of its module first, and then the fastest."""
    stats: dict[str, Any] = json.loads(Path("mutmut-stats.json").read_text())
    by_id = {item.nodeid: item for item in items}
    found = {}
    for function, tests in stats["tests_by_mangled_function_name"].items():
        own = f"test_{function.split('.')[-2]}"
        ranks = sorted(
            (by_id[test].path.stem != own, stats["duration_by_test"][test], test) for test in tests
        )
        found[function] = [by_id[test] for *_, test in ranks]
    return found


def _exit_codes(mutants: Mapping[str, Sequence[pytest.Item]]) -> Iterator[tuple[str, int]]:
    """Each mutant with the exit code of its run, as the runs end."""
    running: dict[int, str] = {}
    for name, items in mutants.items():
        running[_fork(name, items)] = name
        if len(running) == WORKERS:
            yield _ended(running)
    while running:
        yield _ended(running)


def _ended(running: dict[int, str]) -> tuple[str, int]:
    pid, status = os.wait()
    return running.pop(pid), os.waitstatus_to_exitcode(status)


def _fork(name: str, items: Sequence[pytest.Item]) -> int:
    """The process that runs these tests on this mutant, in silence."""
    if child := os.fork():
        return child
    code = 3  # mutmut knows it as a failure of pytest itself
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os.environ["MUTANT_UNDER_TEST"] = name
        for number, item in enumerate(items, start=1):
            following = items[number] if number < len(items) else None
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        code = 0
    finally:
        os._exit(code)
