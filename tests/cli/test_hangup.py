"""SIGHUP: it never ends the process, and what it asks for is done soon, and once."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from reconciler.cli.hangup import Hangups
from tests.cli.program import ROOT, bare, until


class Act:
    """Counts how often it was called, and can be made to take long."""

    def __init__(self) -> None:
        self.count = 0
        self.begun, self.may_end = Event(), Event()
        self.may_end.set()

    def __call__(self) -> None:
        self.count += 1
        self.begun.set()
        self.may_end.wait(20)


def hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


def test_a_signal_is_answered_once() -> None:
    act = Act()
    with Hangups() as hangups, hangups.answer(act):
        hang_up()
        assert act.begun.wait(20)
    assert act.count == 1


def test_signals_that_arrive_during_an_answer_are_answered_together() -> None:
    act = Act()
    act.may_end.clear()
    with Hangups() as hangups, hangups.answer(act):
        hang_up()
        assert act.begun.wait(20)
        for _ in range(3):
            hang_up()
        act.may_end.set()
        until(lambda: act.count == 2)
    assert act.count == 2


def test_a_signal_before_the_daemon_is_ready_is_answered_later() -> None:
    act = Act()
    with Hangups() as hangups:
        hang_up()
        with hangups.answer(act):
            assert act.begun.wait(20)
    assert act.count == 1


def test_a_signal_that_nobody_answers_has_no_effect() -> None:
    with Hangups():
        hang_up()


def test_what_sighup_did_before_it_does_afterwards() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with Hangups():
        assert signal.getsignal(signal.SIGHUP) != before
    assert signal.getsignal(signal.SIGHUP) == before


IN_TERMINAL = """
import time
from reconciler.cli.hangup import Hangups

with Hangups() as hangups, hangups.answer(lambda: open("answered", "w").close()):
    open("ready", "w").close()
    time.sleep(60)
"""


@pytest.mark.parametrize(
    "closes", [pytest.param(False, id="while it is open"), pytest.param(True, id="once it is closed")]
)
def test_in_a_terminal(closes: bool, tmp_path: Path) -> None:
    """A person who closes the window does not expect the program to go on."""
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL],
        stdin=there,
        stdout=there,
        stderr=there,
        cwd=tmp_path,
        env=bare() | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    os.close(there)
    try:
        until((tmp_path / "ready").exists)
        if closes:
            os.close(here)
            process.send_signal(signal.SIGHUP)  # the terminal is not one that the kernel would signal for
            assert process.wait(20) == -signal.SIGHUP
        else:
            process.send_signal(signal.SIGHUP)
            until((tmp_path / "answered").exists)
            os.close(here)
    finally:
        process.kill()
        process.wait()
