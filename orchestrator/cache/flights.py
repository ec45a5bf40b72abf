"""Identical calls at the same time are one call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[Any]
    waiting: int = 0


class Flights:
    """Calls under way, by key: who asks the same meanwhile waits for the same answer."""

    def __init__(self) -> None:
        self._under_way: dict[str, _Flight] = {}

    async def join(self, key: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, bool]:
        """The outcome of the call under `key`, and whether this caller started it.

        The call lives as long as anybody waits for it: a caller that is cancelled takes it down
        only when it was the last.
        """
        # A task can only be waited for on its own loop.
        key = f"{id(asyncio.get_running_loop())}:{key}"
        flight = self._under_way.get(key)
        is_leader = flight is None
        if flight is None:
            flight = self._under_way[key] = _Flight(asyncio.create_task(ask()))
            flight.task.add_done_callback(lambda _: self._leave(key, flight))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task), is_leader
        except asyncio.CancelledError:
            if flight.waiting == 1 and not flight.task.done():
                self._leave(key, flight)  # whoever asks from here on starts a call of their own
                flight.task.cancel()
                # The connection is closed before the caller hears that it was cancelled.
                await asyncio.wait([flight.task])
            raise
        finally:
            flight.waiting -= 1

    def _leave(self, key: str, flight: _Flight) -> None:
        if self._under_way.get(key) is flight:
            del self._under_way[key]
