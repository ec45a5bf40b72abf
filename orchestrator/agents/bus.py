"""Events of interactions, in one process. A subscriber can neither break nor delay a request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logger_of(__name__)
#: Events that wait for one subscriber; of more, the oldest goes.
MOST_WAITING = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEvent:
    """What all events of a turn say; `at` is seconds since 1970."""

    turn_id: str
    conversation_id: str
    tenant: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionStarted(TurnEvent):
    """A turn is written; nothing is asked yet."""

    user_id: str
    persona_id: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved(TurnEvent):
    """What the question shows of the conversation so far.

    Attributes:
        turns: numbers of the turns shown.
        left_out: numbers of turns that did not fit.
        remembered: ids of the sentences shown in their place.
    """

    turns: tuple[int, ...]
    left_out: tuple[int, ...]
    remembered: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated(TurnEvent):
    """An answer came; `details` are those that its turn keeps: model, provider, tokens, dollars."""

    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(TurnEvent):
    """The answer is kept; a kill after this loses nothing."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionFailed(TurnEvent):
    """There is no answer; `error` is the class of the exception, `message` its text."""

    error: str
    message: str


#: Events of the loop have a `Failed`, too, which is of one attempt.
Failed = InteractionFailed
Subscriber = Callable[[TurnEvent], Awaitable[None] | None]


@dataclass
class _Queue:
    subscriber: Subscriber
    kinds: tuple[type[TurnEvent], ...]
    waiting: asyncio.Queue[TurnEvent] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    task: asyncio.Task[None] | None = None
    is_behind: bool = False


class EventBus:
    """Hands events to subscribers, to each in order and in a task of its own."""

    def __init__(self) -> None:
        """Nobody has subscribed yet."""
        self._queues: list[_Queue] = []

    def subscribe(self, subscriber: Subscriber, *kinds: type[TurnEvent]) -> Callable[[], None]:
        """Call a plain or async function with every event of these kinds, or with all of them.

        What it raises is logged. Returns a function that ends the subscription.
        """
        queue = _Queue(subscriber, kinds or (TurnEvent,))
        self._queues.append(queue)

        def end() -> None:
            if queue in self._queues:
                self._queues.remove(queue)
            if queue.task is not None:
                queue.task.cancel()

        return end

    def publish(self, event: TurnEvent) -> None:
        """Hand an event on; called on the event loop, and never raises."""
        for queue in self._queues:
            if not isinstance(event, queue.kinds):
                continue
            if queue.waiting.full():
                queue.waiting.get_nowait()
                queue.waiting.task_done()
                if not queue.is_behind:
                    queue.is_behind = True
                    _log.warning("A subscriber is slow: of more than %d events that wait for it"
                                 " the oldest are left out.", MOST_WAITING)  # fmt: skip
            queue.waiting.put_nowait(event)
            if queue.task is None or queue.task.done():
                queue.task = asyncio.create_task(_serve(queue))

    async def drain(self, within_s: float = 5.0) -> None:
        """Wait until what was published is handed on."""
        waiting = [asyncio.create_task(queue.waiting.join()) for queue in self._queues]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=within_s)
            for task in late:
                task.cancel()


async def _serve(queue: _Queue) -> None:
    while not queue.waiting.empty():
        event = queue.waiting.get_nowait()
        try:
            if (result := queue.subscriber(event)) is not None:
                await result
        except Exception:  # noqa: BLE001  whatever a stranger's function raises
            _log.exception("A subscriber to events raised; the request goes on.")
        finally:
            queue.waiting.task_done()
    queue.is_behind = False
