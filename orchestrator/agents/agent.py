"""`LLMAgent`: a message in, an answer of a persona out, and every turn kept.

A turn is written before it is asked and asked under a number of its own, so that asking it again
after a crash finds the answer in the cache and pays nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import time
from typing import TYPE_CHECKING, Any

from orchestrator.agents.bus import (
    EventBus,
    Generated,
    InteractionFailed,
    InteractionStarted,
    Stored,
)
from orchestrator.agents.errors import DatabaseError, NotFoundError
from orchestrator.agents.formatter import formatter_of
from orchestrator.agents.interaction import Call, Interaction
from orchestrator.agents.live import LiveTurn
from orchestrator.agents.persona import PersonaConfig
from orchestrator.agents.retrieval import Retrieval
from orchestrator.types.errors import CacheMissError, OrchestratorError
from orchestrator.types.messages import check_characters
from orchestrator.types.visible import logger_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestrator.agents.bus import TurnEvent
    from orchestrator.agents.memory import Memory, Turn
    from orchestrator.agents.personas import Personas
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.types.requests import Answer

#: What has come of a streamed answer is written down so often.
_KEPT_EVERY_S = 0.5
_MOST_NAME = 200
_INTERRUPTED = {"error": "Interrupted", "message": "the process ended while it was asked"}
_log = logger_of(__name__)


class LLMAgent:
    """Answers messages as a persona, with what the conversation holds so far."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        memory: Memory,
        personas: Personas,
        *,
        bus: EventBus | None = None,
        default_persona: str = "cherry",
    ) -> None:
        """The agent closes none of its parts."""
        self._orc = orchestrator
        self.memory = memory
        self.personas = personas
        self.bus = bus or EventBus()
        self.default_persona = default_persona
        self._live: dict[str, LiveTurn] = {}
        #: Answers, by turn, that the database did not take: full, or gone. They are paid for.
        self._unkept: dict[str, Answer] = {}
        self._retrieval = Retrieval(orchestrator, memory)

    async def interact(
        self,
        message: str,
        user_id: str = "anonymous",
        persona_id: str | None = None,
        session_id: str | None = None,
        model: str | None = None,
        *,
        tenant: str = "",
        key: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        context: str = "",
    ) -> Interaction:
        """Answer a message of a user.

        Without `session_id` the user's newest conversation with the persona goes on, or one
        begins. `key` makes it one turn however often it is sent: it is stored once and paid once.
        `context` is data that the answer may rest on; it is shown quoted, and not kept as a fact.
        Leaving the wait does not end the turn.

        Raises:
            NotFoundError: there is no such persona, or no such conversation of this user.
            ValueError: the message is blank or too long, the conversation has ended, or the key
                was used for another message.
            LLMError: no answer could be had; sent again with its key, the turn is asked again.
        """
        call = Call(message, user_id, persona_id, session_id, model, tenant, key, temperature,
                    max_tokens, context)  # fmt: skip
        return await (await self.begin(call)).result()

    async def begin(self, call: Call) -> LiveTurn:
        """Write the turn, begin to answer it, and give what it will become; see `interact`."""
        began = time.perf_counter()
        persona, turn = await asyncio.to_thread(self._written, call)
        return self._live.get(turn.id) or self._begun(turn, persona, call, began)

    def live(self, turn_id: str) -> LiveTurn | None:
        """The turn, if this process answers it now."""
        return self._live.get(turn_id)

    async def resume(self, turn: Turn) -> LiveTurn:
        """A turn as it is: answered, being answered here, or asked again from what is kept."""
        if (live := self._live.get(turn.id)) is not None:
            return live
        conversation = await asyncio.to_thread(
            self.memory.conversation, turn.conversation_id, tenant=turn.tenant
        )
        persona = await asyncio.to_thread(self._persona_of, turn, conversation.persona_id)
        call = Call(
            turn.message, conversation.user_id, persona.id, conversation.id,
            tenant=turn.tenant, key=turn.key, is_streamed=True,
        )  # fmt: skip
        return self._live.get(turn.id) or self._begun(turn, persona, call, time.perf_counter())

    async def recover(self) -> tuple[int, int]:
        """Give turns that a dead process left open the answers that were paid for.

        Returns how many got their answer from the cache, and for how many there is none.
        """
        found = missing = 0
        for turn in await asyncio.to_thread(self.memory.open_turns):
            if turn.id in self._live:
                continue
            answer = await self._paid_for(turn)
            if answer is None:
                missing += 1
                await asyncio.to_thread(self.memory.fail, turn, _INTERRUPTED)
            else:
                found += 1
                details = _details(answer, turn.asked or {})
                await asyncio.to_thread(self.memory.answer, turn.id, answer.said, details)
        return found, missing

    async def _paid_for(self, turn: Turn) -> Answer | None:
        """The answer of an open turn, where it came before its process died."""
        if turn.asked is None or "messages" not in turn.asked:
            return None
        try:
            return await self._ask(turn, turn.asked, mode="replay")
        except CacheMissError:
            return None

    async def forget(self, conversation_id: str, *, tenant: str) -> None:
        """Remove a conversation, what was remembered of it, and its answers in the cache.

        Raises: NotFoundError: this tenant has none of that id.
        """
        await asyncio.to_thread(self.memory.forget, conversation_id, tenant=tenant)
        await self._orc.cache_evict(conversation_id)

    async def aclose(self) -> None:
        """Wait for the turns that are being answered."""
        tasks = [live.task for live in self._live.values() if live.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.bus.drain()

    def _written(self, call: Call) -> tuple[PersonaConfig, Turn]:
        """Who answers, and the turn as it is kept; what can be wrong with a call is said here."""
        if not call.user_id or len(call.user_id) > _MOST_NAME:
            raise ValueError(f"user_id must have 1 to {_MOST_NAME} characters")
        if call.key is not None and not 0 < len(call.key) <= _MOST_NAME:
            raise ValueError(f"key must have 1 to {_MOST_NAME} characters")
        # A message that is sent again goes to its turn, whatever the conversation has become.
        known = self.memory.of_key(call) if call.key is not None else None
        persona_id, place = call.persona_id, known.conversation_id if known else call.session_id
        if place is not None:
            conversation = self.memory.conversation(place, tenant=call.tenant)
            if conversation.user_id != call.user_id:
                raise NotFoundError(f"there is no conversation {place!r}")
            if known:
                return self._persona_of(known, conversation.persona_id), known
            persona_id = persona_id or conversation.persona_id
        persona = self.personas.get(persona_id or self.default_persona)
        _check_message(call.message, persona)
        formatter_of(persona)
        return persona, self.memory.begin(call, persona.id)

    def _persona_of(self, turn: Turn, usual: str) -> PersonaConfig:
        """Who was asked. An answer that is there is given though its persona is gone, plain."""
        asked = turn.asked or {}
        name = turn.details.get("persona") or asked.get("persona") or usual
        try:
            return self.personas.get(name)
        except NotFoundError:
            if turn.state != "answered":
                raise
            return PersonaConfig(id=name, name=name)

    def _begun(self, turn: Turn, persona: PersonaConfig, call: Call, began: float) -> LiveTurn:
        live = LiveTurn(turn.id, turn.conversation_id, turn.number)
        if turn.state == "answered":
            work = self._repeated(live, turn, persona, began)
        else:
            work = self._answered(live, turn, persona, call, began)
        self._live[turn.id] = live
        live.task = asyncio.create_task(work)
        live.task.add_done_callback(lambda _: self._live.pop(turn.id, None))
        live.task.add_done_callback(_seen)
        return live

    async def _repeated(
        self, live: LiveTurn, turn: Turn, persona: PersonaConfig, began: float
    ) -> Interaction:
        made = _interaction(turn, persona, began)
        live.settle(turn.answer or "")
        return dataclasses.replace(made, is_repeated=True, cost_usd=0.0)

    async def _answered(
        self, live: LiveTurn, turn: Turn, persona: PersonaConfig, call: Call, began: float
    ) -> Interaction:
        event = functools.partial(self._publish, turn)
        event(InteractionStarted, user_id=call.user_id, persona_id=persona.id, number=turn.number)
        keeping = asyncio.create_task(self._keep_parts(live))
        try:
            # Asked again, a question is the same one, and what was paid for it is found.
            asked: Mapping[str, Any] = turn.asked or {}
            if "messages" not in asked:
                asked = await self._question(turn, persona, event)
            turn = await asyncio.to_thread(self.memory.ask, turn.id, asked)
            if turn.state == "answered":  # by another process
                self._unkept.pop(turn.id, None)
                return await self._repeated(live, turn, persona, began)
            asked = turn.asked or asked
            answer = await self._paid_once(live, turn, asked, call)
            details = _details(answer, asked)
            event(Generated, details=details)
            kept = await asyncio.to_thread(self.memory.answer, turn.id, answer.said, details)
            del self._unkept[turn.id]
            if kept is None:  # its conversation was removed while it was answered
                await self._orc.cache_evict(turn.conversation_id)
        except BaseException as error:
            words = {"error": type(error).__name__, "message": str(error)[:1000]}
            if isinstance(error, asyncio.CancelledError):
                words = _INTERRUPTED
            await asyncio.shield(asyncio.to_thread(self._fail, turn, words))
            event(InteractionFailed, **words)
            raise
        finally:
            keeping.cancel()
        event(Stored, number=turn.number)
        turn = kept or dataclasses.replace(turn, answer=answer.said, details=details)
        live.settle(turn.answer or "")
        return _interaction(turn, persona, began)

    async def _paid_once(
        self, live: LiveTurn, turn: Turn, asked: Mapping[str, Any], call: Call
    ) -> Answer:
        """The answer, which waits here until the database has taken it."""
        if turn.id not in self._unkept:
            on_text = live.hear if call.is_streamed else None
            self._unkept[turn.id] = await self._ask(turn, asked, on_text=on_text)
        return self._unkept[turn.id]

    def _fail(self, turn: Turn, words: Mapping[str, str]) -> None:
        try:
            self.memory.fail(turn, words)
        except OrchestratorError as error:  # the turn stays open, and is found at the next start
            _log.warning("%s", error)

    async def _question(
        self, turn: Turn, persona: PersonaConfig, event: Callable[..., None]
    ) -> dict[str, Any]:
        """What is asked."""
        given = (turn.asked or {})["given"]
        messages, notes = await self._retrieval.messages(turn, persona, given["context"], event)
        temperature = given["temperature"]
        stated = {
            "max_tokens": given["max_tokens"] or persona.limits.max_tokens,
            "temperature": persona.temperature if temperature is None else temperature,
        }
        return {
            "messages": [message.as_dict() for message in messages],
            "model": given["model"] or persona.route,
            "parameters": {name: value for name, value in stated.items() if value is not None},
            "notes": list(notes),
            "persona": persona.id,
        }

    async def _ask(
        self, turn: Turn, asked: Mapping[str, Any], *, mode: str | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Answer:  # fmt: skip
        """The answer to a turn, from the cache where it was asked before."""
        cache = {"tag": turn.conversation_id, **({"mode": mode} if mode else {})}
        return await self._orc.generate(
            asked["messages"], model=asked["model"], tenant=turn.tenant, cache=cache,
            sample=int(turn.id.replace("-", "")[:12], 16),
            on_text=on_text, **asked["parameters"],
        )  # fmt: skip

    async def _keep_parts(self, live: LiveTurn) -> None:
        """Write down what has come, now and then, so that a kill leaves it to be read."""
        kept = 0
        while True:
            await asyncio.sleep(_KEPT_EVERY_S)
            if len(text := live.text) > kept:
                with contextlib.suppress(DatabaseError):  # the end of the turn says it
                    await asyncio.to_thread(self.memory.hear, live.turn_id, text)
                    kept = len(text)

    def _publish(self, turn: Turn, kind: type[TurnEvent], **fields: Any) -> None:
        self.bus.publish(
            kind(turn_id=turn.id, conversation_id=turn.conversation_id, tenant=turn.tenant,
                 at=time.time(), **fields)
        )  # fmt: skip


def _check_message(message: str, persona: PersonaConfig) -> None:
    if not message.strip():
        raise ValueError("message is empty; say something")
    most = persona.limits.message_characters
    if len(message) > most:
        raise ValueError(f"message has {len(message):,} characters, more than {most:,}; shorten it")
    check_characters("message", message)


def _details(answer: Answer, asked: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "persona": asked.get("persona"),
        "model": answer.model,
        "provider": answer.provider,
        "usage": dataclasses.asdict(answer.usage),
        "cost_usd": answer.cost_usd,
        "billed_usd": answer.billed_usd,
        "finish": answer.finish,
        "notes": list(asked["notes"]),
    }


def _interaction(turn: Turn, persona: PersonaConfig, began: float) -> Interaction:
    """What the sender of an answered turn gets."""
    details = turn.details
    return Interaction(
        text=formatter_of(persona).format_answer(persona, turn.answer or ""),
        interaction_id=turn.id,
        session_id=turn.conversation_id,
        number=turn.number,
        persona=persona.id,
        model=details["model"],
        provider=details["provider"],
        usage=details["usage"],
        cost_usd=details["billed_usd"],
        response_time_ms=(time.perf_counter() - began) * 1000,
        notes=tuple(details["notes"]),
    )


def _seen(task: asyncio.Task[Interaction]) -> None:
    """What a turn raised was written down; nobody may be waiting for it any more."""
    if not task.cancelled():
        task.exception()
