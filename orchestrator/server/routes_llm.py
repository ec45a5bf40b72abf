"""Routes of agents: interact, direct, turns as streams, conversations, personas."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from orchestrator.agents.interaction import Call, Interaction
from orchestrator.agents.persona import PersonaConfig
from orchestrator.server import agui, document
from orchestrator.server.bodies import (
    ConversationBody,
    ConversationReply,
    DirectBody,
    DirectReply,
    InteractBody,
    InteractReply,
    TurnReply,
)
from orchestrator.server.once import OnceRoute
from orchestrator.server.problems import Problem

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from orchestrator.server.gate import Caller
    from orchestrator.server.service import Service

router = APIRouter(route_class=OnceRoute, prefix="/api")


def service(request: HTTPConnection) -> Service:
    """The running service."""
    found: Service = request.app.state.service
    return found


def caller(request: Request) -> Caller:
    """Who asks; the gate has looked."""
    found: Caller = request.state.caller
    return found


def _reply(made: Interaction) -> dict[str, Any]:
    return InteractReply.of(made).model_dump()


_PIRATE = {"id": "pirate", "name": "Anne", "traits": ["bold"], "style": {"opening": "Ahoy! "}}
IdempotencyKey = Annotated[str | None, Header(max_length=200)]


@router.post("/llm/interact", response_model=InteractReply, tags=["agents"],
             responses=document.events())  # fmt: skip
async def interact(
    body: InteractBody, request: Request, idempotency_key: IdempotencyKey = None
) -> Any:
    """Answer a message of a user as a persona, with what the conversation holds so far."""
    tenant = caller(request).tenant
    call = Call(
        body.message, body.user_id, body.persona_id, body.session_id, body.model, tenant,
        idempotency_key, body.temperature, body.max_tokens, body.context, body.stream,
    )  # fmt: skip
    live = await service(request).agent(tenant).begin(call)
    if body.stream:
        return agui.response(agui.of_turn(live, None, _reply))
    return InteractReply.of(await live.result())


@router.get("/llm/turns/{turn_id}/events", tags=["agents"], response_class=StreamingResponse,
            responses=document.events("The events."))  # fmt: skip
async def follow(
    turn_id: str, request: Request, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """The events of a turn, from where ``Last-Event-ID`` says on; a turn that a dead process left
    open is asked again, and not paid again where its answer had come."""
    tenant = caller(request).tenant
    agent = service(request).agent(tenant)
    place = agui.place_of(last_event_id)
    if place is not None and place.turn_id != turn_id:
        raise Problem(422, "argument", "Last-Event-ID is that of another turn")
    live = agent.live(turn_id)
    # Whose turn it is, is known of what is written.
    turn = await asyncio.to_thread(agent.memory.turn, turn_id, tenant=tenant)
    if (
        place is not None and place.end == ":over"
    ):  # so that a browser's reader, which would ask for ever, stops
        return Response(status_code=204)
    return agui.response(agui.of_turn(live or await agent.resume(turn), place, _reply))


@router.post("/llm/direct", response_model=DirectReply, tags=["agents"])
async def direct(body: DirectBody, request: Request) -> DirectReply:
    """Answer messages by a model, without persona and memory."""
    began = time.perf_counter()
    given = {"temperature": body.temperature, "max_tokens": body.max_tokens}
    stated: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    answer = await service(request).orc.generate(
        [{"role": one.role, "content": one.content} for one in body.messages],
        model=body.model, tenant=caller(request).tenant,
        **stated,
    )  # fmt: skip
    return DirectReply(
        response=answer.text, refusal=answer.refusal, model=answer.model, provider=answer.provider,
        usage=asdict(answer.usage), cost_usd=answer.billed_usd, cached=answer.cached,
        finish=answer.finish, response_time_ms=round((time.perf_counter() - began) * 1000, 3),
    )  # fmt: skip


@router.post("/conversations", response_model=ConversationReply, status_code=201,
             tags=["conversations"])  # fmt: skip
async def start(body: ConversationBody, request: Request) -> ConversationReply:
    """Begin a conversation."""
    tenant = caller(request).tenant
    agent = service(request).agent(tenant)
    persona = await asyncio.to_thread(agent.personas.get, body.persona_id or agent.default_persona)
    made = await asyncio.to_thread(
        agent.memory.start, tenant=tenant, user_id=body.user_id, persona_id=persona.id
    )
    return ConversationReply.of(made)


@router.get("/conversations", response_model=list[ConversationReply], tags=["conversations"])
async def conversations(
    request: Request, *, user_id: str | None = None, active: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100, before: float | None = None,
    before_id: str = "",
) -> list[ConversationReply]:  # fmt: skip
    """Conversations, the newest first; `before` and `before_id` are `started_at` and `id` of the
    last one of the page before, of which several may have begun at once."""
    found = await asyncio.to_thread(
        service(request).memory.conversations, tenant=caller(request).tenant, user_id=user_id,
        is_active=active, limit=limit, before=before, before_id=before_id,
    )  # fmt: skip
    return [ConversationReply.of(one) for one in found]


@router.get("/conversations/{conversation_id}", response_model=ConversationReply,
            tags=["conversations"])  # fmt: skip
async def conversation(conversation_id: str, request: Request) -> ConversationReply:
    """One conversation."""
    found = await asyncio.to_thread(
        service(request).memory.conversation, conversation_id, tenant=caller(request).tenant
    )
    return ConversationReply.of(found)


@router.post("/conversations/{conversation_id}/end", response_model=ConversationReply,
             tags=["conversations"])  # fmt: skip
async def end(conversation_id: str, request: Request) -> ConversationReply:
    """End a conversation; it takes no more messages."""
    found = await asyncio.to_thread(
        service(request).memory.end, conversation_id, tenant=caller(request).tenant
    )
    return ConversationReply.of(found)


@router.delete("/conversations/{conversation_id}", status_code=204, tags=["conversations"])
async def forget(conversation_id: str, request: Request) -> Response:
    """Remove a conversation with its turns, what was remembered of it, and its cached answers."""
    await (
        service(request)
        .agent(caller(request).tenant)
        .forget(conversation_id, tenant=caller(request).tenant)
    )
    return Response(status_code=204)


@router.get("/conversations/{conversation_id}/messages", response_model=list[TurnReply],
            tags=["conversations"])  # fmt: skip
async def messages(
    conversation_id: str, request: Request, after: Annotated[int, Query(ge=0, le=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[TurnReply]:  # fmt: skip
    """The turns of a conversation, in order, those without an answer included."""
    memory, tenant = service(request).memory, caller(request).tenant
    await asyncio.to_thread(memory.conversation, conversation_id, tenant=tenant)
    found = await asyncio.to_thread(
        memory.turns, conversation_id, tenant=tenant, after=after, limit=limit
    )
    return [TurnReply.of(one) for one in found]


@router.get("/conversations/{conversation_id}/memory", tags=["conversations"])
async def remembered(conversation_id: str, request: Request) -> list[dict[str, Any]]:
    """What is remembered of old turns: each sentence, who said it, and the turns it rests on."""
    memory, tenant = service(request).memory, caller(request).tenant
    await asyncio.to_thread(memory.conversation, conversation_id, tenant=tenant)
    return await asyncio.to_thread(memory.sentences, conversation_id)


@router.get("/personas", response_model=list[PersonaConfig], tags=["personas"])
async def personas(request: Request) -> list[PersonaConfig]:
    """Every persona."""
    return await asyncio.to_thread(service(request).agent(caller(request).tenant).personas.all)


@router.get("/personas/{persona_id}", response_model=PersonaConfig, tags=["personas"])
async def persona(persona_id: str, request: Request) -> PersonaConfig:
    """One persona."""
    known = service(request).agent(caller(request).tenant).personas
    return await asyncio.to_thread(known.get, persona_id)


@router.put("/personas/{persona_id}", response_model=PersonaConfig, tags=["personas"])
async def put_persona(
    persona_id: str, body: Annotated[PersonaConfig, Body(examples=[_PIRATE])], request: Request
) -> PersonaConfig:
    """Create a persona, or replace it; a shipped one is covered and not changed."""
    if body.id != persona_id:
        raise Problem(422, "argument", f"the persona's id is {body.id!r}, its path {persona_id!r}")
    known = service(request).agent(caller(request).tenant).personas
    return await asyncio.to_thread(known.put, body)


@router.delete("/personas/{persona_id}", status_code=204, tags=["personas"])
async def delete_persona(persona_id: str, request: Request) -> Response:
    """Remove a persona that was put here; a shipped one stays."""
    known = service(request).agent(caller(request).tenant).personas
    await asyncio.to_thread(known.delete, persona_id)
    return Response(status_code=204)
