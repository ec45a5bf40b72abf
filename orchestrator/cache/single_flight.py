"""Identical calls at the same time are one call, here and, through the gate, everywhere."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from orchestrator.cache.gate import Gate
    from orchestrator.types.requests import CacheMode, CachePolicy

T = TypeVar("T")


@dataclass(slots=True)
class _Flight:
    task: asyncio.Task[Any]
    waiting: int = 0


class Landed(NamedTuple, Generic[T]):
    """What came of a question.

    Attributes:
        is_new: it was asked by this process; otherwise another one has stored it meanwhile.
        is_mine: this caller started the call; whoever waited shares the value.
    """

    value: T
    is_new: bool
    is_mine: bool


class Flights:
    """Calls under way, by key: who asks the same meanwhile waits for the same answer."""

    def __init__(self, gate: Gate | None = None) -> None:
        """`gate` keeps other processes from asking the same at the same time."""
        self._gate = gate
        self._under_way: dict[str, _Flight] = {}

    async def once(
        self,
        key: str,
        mode: CacheMode,
        keep: CachePolicy,
        *,
        found: Callable[[], Awaitable[T | None]],
        ask: Callable[[], Awaitable[T]],
    ) -> Landed[T]:
        """The answer to the question under `key`, asked once among all who want it alike.

        `found` looks whether another process has stored it meanwhile, `ask` asks and stores.

        Raises: what `ask` raises; LLMError: what it raised in the process that asked.
        """

        async def asked() -> tuple[T, bool]:
            if self._gate is None or mode != "use":
                return await ask(), True
            return await self._gate.ask(key, found, ask)

        (value, is_new), is_mine = await self._join(f"{mode}:{keep.oldest_s}:{key}", asked)
        return Landed(value, is_new, is_mine)

    async def _join(self, key: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, bool]:
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
