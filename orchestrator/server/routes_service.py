"""Routes about the service itself: health, models, usage, figures for Prometheus."""

from __future__ import annotations

import asyncio
import datetime
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from orchestrator.ledger.usage import since_of
from orchestrator.server import operations
from orchestrator.server.problems import Problem
from orchestrator.server.routes_llm import caller, service

router = APIRouter(tags=["service"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def ready(request: Request) -> Response:
    """Requests are taken: 200, or 503 while the service starts or ends."""
    is_ready = service(request).is_ready
    return JSONResponse({"status": "ready" if is_ready else "not ready"}, 200 if is_ready else 503)


@router.get("/api/health")
async def health(request: Request) -> dict[str, Any]:
    """How every provider and deployment fares."""
    return (await service(request).orc.health_check()).as_dict()


@router.get("/api/models")
async def models(request: Request) -> dict[str, Any]:
    """Routes, and the deployments that can be called."""
    known = await service(request).orc.models()
    return {
        "routes": {name: list(groups) for name, groups in known.routes.items()},
        "models": [
            {"id": one.id, "group": one.group, "model": one.model, "provider": one.provider}
            for one in known.ready
        ],
        "left_out": [{"group": one.group, "reason": one.reason} for one in known.skipped],
    }


@router.get("/api/usage")
async def usage(
    request: Request, since: Annotated[str, Query(max_length=40)] = "1d",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:  # fmt: skip
    """The caller's requests and what they cost: ``since`` is 7d, 12h or a date; the last lines."""
    now = datetime.datetime.now(datetime.UTC)
    try:
        start = since_of(since, now)
    except ValueError as error:
        raise Problem(422, "argument", str(error)) from None
    found, lines = await asyncio.to_thread(
        operations.usage, service(request).orc, caller(request).tenant, start
    )
    shown = ("at", "operation", "route", "outcome", "hits", "usage", "billed_usd", "seconds")
    return {
        "since": start,
        **found.as_dict(),
        "lines": [{name: one.get(name) for name in shown} for one in lines[-limit:]],
    }


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Figures in Prometheus' text format."""
    from prometheus_client import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415

    found = await asyncio.to_thread(generate_latest, request.app.state.figures.registry)
    return Response(found, media_type=CONTENT_TYPE_LATEST)


class Figures:
    """Counts and times of requests, by route and status."""

    def __init__(self) -> None:
        """A registry of its own, so that two services in a process do not mix."""
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram  # noqa: PLC0415

        self.registry = CollectorRegistry()
        self._requests = Counter(
            "gmn_http_requests", "Requests.", ("route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "gmn_http_seconds", "Seconds to the end of the answer.", ("route",),
            registry=self.registry, buckets=(0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300),
        )  # fmt: skip
        self._running = Gauge(
            "gmn_http_running", "Requests that are being answered.", registry=self.registry
        )

    def begin(self) -> float:
        """A request came; returns when."""
        self._running.inc()
        return time.perf_counter()

    def end(self, began: float, route: str, status: int) -> None:
        """It was answered; `route` is the template of its path, so that no id is in a label."""
        self._running.dec()
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(time.perf_counter() - began)
