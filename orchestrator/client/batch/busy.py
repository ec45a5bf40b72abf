"""Whether an event loop has time to spare."""

from __future__ import annotations

import time

_BUSY, _OWN = 0.8, 0.5  # of a core


class Busy:
    """Whether the process had next to no idle time since it was last asked, and this thread most.

    One whose other threads work beside an idle loop is not busy in this sense.
    """

    def __init__(self) -> None:
        self._before = (0.0, 0.0, 0.0)

    def __call__(self) -> bool:
        """See the class; asked in the thread of the loop."""
        now = (time.perf_counter(), time.process_time(), time.thread_time())
        passed, worked, own = (b - a for a, b in zip(self._before, now, strict=True))
        self._before = now
        return worked > _BUSY * passed and own > _OWN * passed
