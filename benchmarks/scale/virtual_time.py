"""An event loop in which waiting takes no time: when nothing can run, its clock goes on."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Passing(selectors.DefaultSelector):
    """Never waits: the seconds it was to wait are added to `now`."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing runs and nothing is waited for: the simulation hangs")
            self.now += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Sleeps and timeouts end at once, in the order of their times. No threads, no sockets."""

    def __init__(self) -> None:
        self._passing = _Passing()
        super().__init__(self._passing)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._passing.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a virtual loop, to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
