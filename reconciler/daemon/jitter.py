"""Spreads the requests of many daemons to one server, so that they do not all arrive together.

Each daemon has its own share, which stays the same after a restart. Daemons that start together drift apart,
and the schedule of each daemon is predictable. Flux draws a new share at each reconcile, and spreads by up to
the same fraction (`--interval-jitter-percentage`).
"""

import hashlib
from datetime import timedelta

_LARGEST = 0.1  # of an interval
_LONGEST_START = timedelta(seconds=5)  # somebody waits for the first sweep


def share_of(remote: str, host: str) -> float:
    """The fixed share of the daemon on `host` for the server of `remote`: at least 0, and less than 1.

    It is 0 if there is no server.
    """
    if not remote:
        return 0.0
    digest = hashlib.sha256(f"{remote}\0{host}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


def spread_interval(interval: timedelta, share: float) -> timedelta:
    """The interval, lengthened by up to a tenth.

    interval 1m, share 0.5: 1m 3s
    """
    return interval * (1 + _LARGEST * share)


def spread_start(interval: timedelta, share: float) -> timedelta:
    """The delay before the first sweep: at most a tenth of the interval, and at most five seconds.

    interval 1m, share 0.5: 2.5s
    """
    return min(interval * _LARGEST, _LONGEST_START) * share
