"""Spreads what many daemons ask of one server, so that they do not all ask at the same moment.

Each daemon has a share of its own, which stays the same after a restart: daemons that start together drift
apart, and the times of one of them can be predicted. Flux draws a new share at each reconcile, and spreads by
up to as much (`--interval-jitter-percentage`).
"""

import hashlib
from datetime import timedelta

_LARGEST = 0.1  # of an interval
_LONGEST_START = timedelta(seconds=5)  # somebody waits for the first sweep


def share_of(remote: str, host: str) -> float:
    """The share of the daemon on this host that asks this server: at least 0, and less than 1.

    It is 0 without a server.
    """
    if not remote:
        return 0.0
    digest = hashlib.sha256(f"{remote}\0{host}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


def spread_interval(interval: timedelta, share: float) -> timedelta:
    """The interval, longer by up to a tenth.

    interval 1m, share 0.5: 1m 3s
    """
    return interval * (1 + _LARGEST * share)


def spread_start(interval: timedelta, share: float) -> timedelta:
    """How long after the start the first sweep begins: up to a tenth of the interval and up to five seconds.

    interval 1m, share 0.5: 2.5s
    """
    return min(interval * _LARGEST, _LONGEST_START) * share
