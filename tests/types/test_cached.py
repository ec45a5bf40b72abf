"""A property that is computed once: one value for everybody, and no lock while it is computed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from orchestrator.types.cached import cached_property


class Slow:
    def __init__(self) -> None:
        self.together = threading.Barrier(2, timeout=20)

    @cached_property
    def kept(self) -> list[int]:
        """Computed by two threads at once."""
        self.together.wait()
        return []


def test_all_threads_get_the_same_value() -> None:
    slow = Slow()
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(lambda: slow.kept) for _ in range(2)]
        first, second = (one.result() for one in both)
    assert first is second


def test_the_class_shows_the_property_itself() -> None:
    assert Slow.kept.__doc__ == "Computed by two threads at once."
