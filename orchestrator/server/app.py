"""The HTTP application: its routes, its errors, and the gate around it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from orchestrator import __version__
from orchestrator.types.errors import MissingExtraError, OrchestratorError
from orchestrator.types.visible import visible

try:
    from fastapi import Depends, FastAPI
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException
    from starlette.middleware.cors import CORSMiddleware
    from starlette.routing import Match
except ModuleNotFoundError as error:
    raise MissingExtraError("The HTTP service", "server") from error

from orchestrator.server import (
    document,
    routes_documents,
    routes_gmn,
    routes_llm,
    routes_lsp,
    routes_openai,
    routes_page,
    routes_service,
)
from orchestrator.server.gate import OPEN_PATHS, Gate
from orchestrator.server.mcp_tools import http_routes, mcp_server
from orchestrator.server.problems import Problem, problem_of, problem_response
from orchestrator.server.query_keys import known_query_keys
from orchestrator.server.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from orchestrator.client.orchestrator import Orchestrator


def create_app(orc: Orchestrator, *, with_keys: bool = False, bound_to: str = "127.0.0.1") -> Any:
    """The ASGI application over an orchestrator, which it closes at its end.

    `with_keys` demands a key of every request; `bound_to` is the name or address it is served at.

    Raises: ConfigError, MissingExtraError: as `orchestrator.agents.database.open_database`.
    """
    service, tools = Service.open(orc), mcp_server(orc)

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        await service.recover()
        try:
            async with tools.session_manager.run():
                yield
        finally:
            await service.aclose()

    app = FastAPI(
        title="GMN orchestrator", version=__version__, lifespan=lifespan, docs_url=None,
        redoc_url=None, redirect_slashes=False, responses=document.problems(),
        openapi_url="/openapi.json",
        description="Generative models from sentences, personas and conversations, routed models.",
    )  # fmt: skip
    app.state.service = service
    app.state.figures = routes_service.Figures()
    for routes in (
        routes_llm, routes_gmn, routes_documents, routes_lsp, routes_openai, routes_service,
    ):  # fmt: skip
        app.include_router(routes.router, dependencies=[Depends(known_query_keys)])
    app.include_router(routes_page.router)  # browsers and links add to the query of a page
    app.router.routes.extend(http_routes(tools))
    document.complete(app, with_keys=with_keys, open_paths=OPEN_PATHS)
    _say_problems(app)
    if service.settings.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(service.settings.origins),
            allow_methods=["*"], allow_headers=["*"],
        )  # fmt: skip
    return Gate(
        _Counted(app), service.settings, keys=service.keys if with_keys else None,
        bound_to=bound_to, on_key=service.know, on_end=service.end,
    )  # fmt: skip


def _say_problems(app: FastAPI) -> None:
    for kind in (Problem, OrchestratorError, ValueError, TypeError, Exception):
        app.add_exception_handler(kind, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


class _Counted:
    """Counts requests by route and status."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noting(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        figures = self._app.state.figures
        began = figures.begin()
        try:
            await self._app(scope, receive, noting)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            figures.end(began, route, status)


async def _failed(request: Request, error: Exception) -> Response:
    return problem_response(problem_of(error), request.url.path)


async def _invalid(request: Request, error: Exception) -> Response:
    """What is wrong with a body, field by field; never its values, which may be private."""
    assert isinstance(error, RequestValidationError)
    if error.errors()[0]["type"] == "json_invalid":
        words = f"the body is not JSON: {error.errors()[0]['ctx']['error']}"
        return problem_response(Problem(400, "json", words), request.url.path)
    found = [
        {"at": visible("/".join(map(str, one["loc"]))), "says": visible(one["msg"])}
        for one in error.errors()[:20]
    ]
    first = found[0]
    words = f"{first['at']}: {first['says']}"
    return problem_response(Problem(422, "argument", words, fields=found), request.url.path)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, Problem):  # of the gate, while the body was read
        return problem_response(error.__cause__, request.url.path)
    kinds = {400: "json", 404: "not_found", 405: "method"}
    words = f"{request.method} {request.url.path}: {error.detail}"
    problem = Problem(error.status_code, kinds.get(error.status_code, "http"), words)
    response = problem_response(problem, request.url.path)
    if error.status_code == 405:
        response.headers["Allow"] = _allowed(request)
    return response


def _allowed(request: Request) -> str:
    """The verbs of a path, of which each has a route of its own."""
    found = []
    for verb in ("DELETE", "GET", "POST", "PUT"):
        scope = {**request.scope, "method": verb}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes):
            found += [verb, "HEAD"] if verb == "GET" else [verb]
    return ", ".join(found)
