"""Whether a process has time to spare."""

from __future__ import annotations

import time

_BUSY = 0.8  # of a core


class Busy:
    """Whether the process had next to no idle time since it was last asked."""

    def __init__(self) -> None:
        self._at, self._worked = time.perf_counter(), time.process_time()

    def __call__(self) -> bool:
        """See the class."""
        at, worked = time.perf_counter(), time.process_time()
        is_busy = worked - self._worked > _BUSY * (at - self._at)
        self._at, self._worked = at, worked
        return is_busy
