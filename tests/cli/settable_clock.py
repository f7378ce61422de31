"""The time of day of a process, which a test can set while the process runs. See settable_clock.c."""

import shutil
import struct
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

_SOURCE = Path(__file__).with_suffix(".c")
IS_MISSING = shutil.which("cc") is None
WHY_MISSING = "needs a C compiler: install Debian's packages gcc and libc6-dev"


class SettableClock:
    """The time of day of the processes that have `environment`."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.set_ahead(timedelta())

    @property
    def environment(self) -> Mapping[str, str]:
        return {"LD_PRELOAD": str(_library()), "SETTABLE_CLOCK": str(self._file)}

    def set_ahead(self, by: timedelta) -> None:
        """Set it to so much later than the true time, or earlier if `by` is negative."""
        # In place, because the processes have the file mapped.
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("=q", round(by.total_seconds())))


@cache
def _library() -> Path:
    library = Path(mkdtemp(prefix="reconciler-clock-")) / "clock.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, _SOURCE], check=True)
    return library
