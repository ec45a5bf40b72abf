"""Streams as Server-Sent Events in the AG-UI vocabulary.

The id of an event says what its reader has: ``turn:message:length:mark``, so that one that was cut
off goes on where it was (``Last-Event-ID``), and gets a new message where the answer is another.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from ag_ui import core
from fastapi.responses import StreamingResponse

from orchestrator.agents.live import Heard
from orchestrator.server.problems import problem_of
from orchestrator.types import events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from orchestrator.agents.live import LiveTurn

_EVENT_ID = re.compile(r"([0-9a-f-]{36}):(\d{1,6}):(\d{1,9}):([0-9a-f]{16})(:new|:end|:over)?")
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """How far a reader of a stream is.

    Attributes:
        message: how many messages before this one were given up for another answer.
        heard: what it has of the answer.
        end: ``:new`` before the message has begun, ``:end`` after its end, ``:over`` after the
            last event of all.
    """

    turn_id: str = ""
    message: int = 0
    heard: Heard = dataclasses.field(default_factory=lambda: Heard.of(""))
    end: str = ":new"

    @property
    def message_id(self) -> str:
        """The id of the message in the stream."""
        return f"{self.turn_id}-answer" + (f"-{self.message}" if self.message else "")

    def at(self, end: str) -> Place:
        """The same place, further on."""
        return dataclasses.replace(self, end=end)

    def framed(self, event: core.BaseEvent) -> str:
        """An event after which a reader is here, on the wire."""
        heard = self.heard
        event_id = f"{self.turn_id}:{self.message}:{heard.length}:{heard.mark}{self.end}"
        return encoded(event, event_id)


def place_of(last_event_id: str | None) -> Place | None:
    """Where a ``Last-Event-ID`` says that its reader is; None, the beginning, for anything else."""
    found = _EVENT_ID.fullmatch(last_event_id or "")
    if found is None:
        return None
    heard = Heard(int(found[3]), found[4], is_whole=found[5] in (":end", ":over"))
    return Place(found[1], int(found[2]), heard, found[5] or "")


def response(parts: AsyncIterator[str]) -> StreamingResponse:
    """The answer that carries a stream."""
    return StreamingResponse(parts, media_type="text/event-stream", headers=_HEADERS)


def encoded(event: core.BaseEvent, event_id: str = "") -> str:
    """One event on the wire."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}data: {event.model_dump_json(by_alias=True, exclude_none=True)}\n\n"


async def of_turn(live: LiveTurn, place: Place | None, made: Any) -> AsyncIterator[str]:
    """The events of a turn from `place` on; `made` gives the result of an `Interaction`."""
    turn = live.turn_id
    if place is None:
        place = Place(turn)
        yield place.framed(core.RunStartedEvent(thread_id=live.conversation_id, run_id=turn))
    if place.end == ":new":
        place = place.at("")
        yield place.framed(_begin(place))
    async for piece in live.pieces(place.heard):
        if piece.begins_again:
            if not place.end:
                yield place.at(":end").framed(core.TextMessageEndEvent(message_id=place.message_id))
            void, place = place.message_id, Place(turn, place.message + 1)
            yield place.framed(core.CustomEvent(name="begins_again", value={"void": void}))
            place = place.at("")
            yield place.framed(_begin(place))
        place = dataclasses.replace(place, heard=piece.heard)
        if piece.text:
            content = core.TextMessageContentEvent(message_id=place.message_id, delta=piece.text)
            yield place.framed(content)
    if not place.end:
        place = place.at(":end")
        yield place.framed(core.TextMessageEndEvent(message_id=place.message_id))
    last: core.BaseEvent
    try:
        result = made(await live.result())
        last = core.RunFinishedEvent(thread_id=live.conversation_id, run_id=turn, result=result)
    except Exception as error:  # noqa: BLE001  it is said as the last event
        last = _failure(error)
    yield place.at(":over").framed(last)


def _begin(place: Place) -> core.BaseEvent:
    return core.TextMessageStartEvent(message_id=place.message_id, role="assistant")


async def of_generation(stream: AsyncIterator[events.Event], run_id: str) -> AsyncIterator[str]:
    """The events of a run of the loop: a step for each attempt, its text, what was found."""
    run = _Run(run_id)
    yield encoded(core.RunStartedEvent(thread_id=run_id, run_id=run_id))
    try:
        async for event in stream:
            for part in run.parts_of(event):
                yield encoded(part)
    except Exception as error:  # noqa: BLE001  it is said as the last event
        for part in (*run.closed(), _failure(error)):
            yield encoded(part)


@dataclasses.dataclass
class _Run:
    """What is open in a stream of a generation: a step, and a message in it."""

    id: str
    step: str = ""
    message: str = ""

    def parts_of(self, event: events.Event) -> Iterator[core.BaseEvent]:
        """An event of the loop in the words of the stream."""
        if isinstance(event, events.Asked):
            yield from self.closed()
            self.step = f"{event.purpose} {event.attempt}"
            yield core.StepStartedEvent(step_name=self.step)
        elif isinstance(event, events.Delta) and event.text:
            if not self.message:
                self.message = f"{self.id}-{event.attempt}"
                yield core.TextMessageStartEvent(message_id=self.message, role="assistant")
            yield core.TextMessageContentEvent(message_id=self.message, delta=event.text)
        elif isinstance(event, events.Searched):
            yield core.CustomEvent(name="search", value=dataclasses.asdict(event))
        elif isinstance(event, events.Evaluated):
            value = {"attempt": event.attempt, **event.evaluation.report.as_dict()}
            yield core.CustomEvent(name="evaluated", value=value)
        elif isinstance(event, events.Done):
            yield from self.closed()
            result = event.result.as_dict()
            yield core.RunFinishedEvent(thread_id=self.id, run_id=self.id, result=result)

    def closed(self) -> Iterator[core.BaseEvent]:
        """The events that end what is open."""
        if self.message:
            yield core.TextMessageEndEvent(message_id=self.message)
        if self.step:
            yield core.StepFinishedEvent(step_name=self.step)
        self.step = self.message = ""


def _failure(error: BaseException) -> core.RunErrorEvent:
    problem = problem_of(error)
    return core.RunErrorEvent(message=problem.detail, code=problem.kind)
