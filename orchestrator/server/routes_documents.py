"""Routes of documents for a page: tables, differences, the curated models."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from orchestrator.server import document_operations
from orchestrator.server.bodies import DiffBody, TablesBody
from orchestrator.server.model_tables import TablePart
from orchestrator.server.once import OnceRoute
from orchestrator.server.routes_llm import service

router = APIRouter(route_class=OnceRoute, prefix="/api/gmn", tags=["gmn"])


@router.post("/tables")
async def tables(body: TablesBody, request: Request) -> dict[str, Any]:
    """Variables, tables with row sums, and preferences of a document, valid or not."""
    part = TablePart(body.of, body.table, body.labels, body.first)
    return await document_operations.tables(service(request).orc, body.document, part, body.kind)


@router.post("/diff")
async def diff(body: DiffBody, request: Request) -> dict[str, Any]:
    """What one document says and does otherwise than another."""
    return await document_operations.compare(
        service(request).orc, body.before, body.document, kinds=(body.before_kind, body.kind),
        steps=body.steps, seed=body.seed,
    )  # fmt: skip


@router.get("/library")
async def library() -> list[dict[str, str]]:
    """The curated models."""
    return await asyncio.to_thread(document_operations.library)


@router.get("/library/{name}")
async def from_library(name: str) -> dict[str, str]:
    """One of the curated models, with its text."""
    return await asyncio.to_thread(document_operations.from_library, name)
