"""Routes of the language: generate, validate, refine, simulate, explain, draw, import."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from orchestrator.client.orchestrator import Orchestrator
from orchestrator.generation.streaming import streamed
from orchestrator.server import agui, document, operations
from orchestrator.server.bodies import (
    DocumentBody,
    DrawBody,
    GenerateBody,
    ImportBody,
    RefineBody,
    SimulateBody,
    ValidateBody,
)
from orchestrator.server.once import OnceRoute
from orchestrator.server.routes_llm import caller, service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orchestrator.types import events

router = APIRouter(route_class=OnceRoute, prefix="/api/gmn", tags=["gmn"])
_stream_refinement = streamed(Orchestrator.refine_gmn)


@router.post("/generate", response_model=None, responses=document.events())
async def generate(body: GenerateBody, request: Request) -> Any:
    """Turn a description of an agent into a model that is valid and runs."""
    orc, tenant = service(request).orc, caller(request).tenant
    options: dict[str, Any] = {
        "agent_type": body.agent_type, "constraints": body.constraints or None,
        "expectations": body.expectations or None, "model": body.model, "seed": body.seed,
    }  # fmt: skip
    if body.stream:
        stream = await _begun(orc.stream_gmn(body.prompt, tenant=tenant, **options))
        return agui.response(agui.of_generation(stream, str(uuid.uuid4())))
    return await operations.generate(orc, body.prompt, tenant=tenant, **options)


async def _begun(stream: AsyncIterator[events.Event]) -> AsyncIterator[events.Event]:
    """The stream, begun: what is wrong with a request has a status, and is not an event."""
    first = await anext(stream)

    async def whole() -> AsyncIterator[events.Event]:
        yield first
        async for event in stream:
            yield event

    return whole()


@router.post("/validate")
async def validate(body: ValidateBody, request: Request) -> dict[str, Any]:
    """Judge a document; an invalid one is a result with its findings, not an error."""
    return await operations.check(
        service(request).orc, body.document, constraints=body.constraints,
        expectations=body.expectations, kind=body.kind,
    )  # fmt: skip


@router.post("/refine", response_model=None, responses=document.events())
async def refine(body: RefineBody, request: Request) -> Any:
    """Change a document as the feedback says."""
    orc, asked = service(request).orc, (body.document, body.feedback)
    options: dict[str, Any] = {
        "constraints": body.constraints or None, "expectations": body.expectations or None,
        "model": body.model, "kind": body.kind, "tenant": caller(request).tenant,
    }  # fmt: skip
    if body.stream:
        stream = await _begun(_stream_refinement(orc, *asked, **options))
        return agui.response(agui.of_generation(stream, str(uuid.uuid4())))
    return await operations.refine(orc, *asked, **options)


@router.post("/simulate")
async def simulate(body: SimulateBody, request: Request) -> dict[str, Any]:
    """Run one episode, and measure how often each expectation holds."""
    return await operations.run(
        service(request).orc, body.document, steps=body.steps, seed=body.seed,
        expectations=body.expectations, episodes=body.episodes, kind=body.kind,
    )  # fmt: skip


@router.post("/explain")
async def explain(body: DocumentBody, request: Request) -> dict[str, Any]:
    """Say in English what a document means."""
    return await operations.describe(service(request).orc, body.document, body.kind)


@router.post("/draw", response_class=Response, responses=document.picture())
async def draw(body: DrawBody, request: Request) -> Response:
    """Draw a document as SVG; one with errors as far as it can be drawn, and it says so."""
    made = await operations.draw(
        service(request).orc, body.document, parts=body.parts, steps=body.steps, seed=body.seed,
        kind=body.kind,
    )  # fmt: skip
    return Response(made, media_type="image/svg+xml")


@router.post("/import")
async def import_(body: ImportBody, request: Request) -> dict[str, Any]:
    """Write a document of any tool as GMN, or in another form, and say how it was read."""
    return await operations.convert(service(request).orc, body.document, body.kind, body.to)
