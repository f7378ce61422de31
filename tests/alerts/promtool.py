"""promtool, which Prometheus comes with."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.git.sshd import may_be_skipped

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool") and may_be_skipped(os.environ),
    reason="promtool is not installed: .ci/packages names its package",
)


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
