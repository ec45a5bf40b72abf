"""The operations on the language as tools of the Model Context Protocol."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from orchestrator import __version__
from orchestrator.types.errors import (
    GMNError,
    InvalidOutputError,
    MissingExtraError,
    OrchestratorError,
)
from orchestrator.types.requests import AgentType

try:
    from mcp.server import MCPServer
    from mcp.server.mcpserver import Context
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.server.mcpserver.tools import Tool
    from mcp.server.transport_security import TransportSecuritySettings
except ModuleNotFoundError as error:
    raise MissingExtraError("MCP", "server") from error

from orchestrator.client.orchestrator import Orchestrator
from orchestrator.server import operations
from orchestrator.server.bodies import DocumentKind, Form

if TYPE_CHECKING:
    from collections.abc import Callable

_ABOUT = """Writes, checks, changes, runs and explains GMN documents: generative models of
active-inference agents, in block text or JSON. Generate from a sentence, then simulate."""


def mcp_server(orc: Orchestrator) -> MCPServer:
    """The server with the tools, over an orchestrator that it does not close.

    Over HTTP a tool is called for the tenant that the gate found.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    its = _Tools(orc)
    offered = (its.generate_gmn, its.validate_gmn, its.refine_gmn, its.simulate_gmn,
               its.explain_gmn, its.import_gmn)  # fmt: skip
    server = MCPServer(
        "gmn", title="GMN orchestrator", version=__version__, instructions=_ABOUT,
        tools=[_strict(one) for one in offered],
    )  # fmt: skip
    # It has put a handler of its own there, and every address that is asked would be in the log.
    root.handlers[:] = handlers
    root.setLevel(level)
    return server


def _strict(operation: Callable[..., Any]) -> Tool:
    """A tool that refuses an argument it does not know; the SDK's would leave it out."""
    tool = Tool.from_function(operation)
    known = tool.fn_metadata.arg_model  # made for this tool alone
    known.model_config["extra"] = "forbid"
    known.model_rebuild(force=True)
    tool.parameters = known.model_json_schema(by_alias=True)
    return tool


class _Tools:
    """The tools; their names, arguments and docstrings are what an assistant sees."""

    def __init__(self, orc: Orchestrator) -> None:
        self._orc = orc

    async def generate_gmn(
        self, ctx: Context, prompt: str, *, agent_type: AgentType = "general",
        constraints: dict[str, int] | None = None, expectations: list[str] | None = None,
        model: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Turn a description of an agent into a GMN document that is valid and runs."""
        return await _said(
            operations.generate(
                self._orc, prompt, tenant=_tenant(ctx), agent_type=agent_type,
                constraints=constraints, expectations=expectations, model=model,
            )
        )  # fmt: skip

    async def validate_gmn(
        self, document: str, constraints: dict[str, int] | None = None,
        expectations: list[str] | None = None, kind: DocumentKind | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Judge a document: whether it is valid, runs and behaves, with every finding."""
        return await _said(
            operations.check(
                self._orc,
                document,
                constraints=constraints,
                expectations=expectations,
                kind=kind or "",
            )
        )

    async def refine_gmn(
        self, ctx: Context, document: str, feedback: str, model: str | None = None,
        kind: DocumentKind | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Change a document as the feedback says."""
        return await _said(
            operations.refine(
                self._orc, document, feedback, tenant=_tenant(ctx), model=model, kind=kind or ""
            )
        )

    async def simulate_gmn(
        self, document: str, steps: int = 10, seed: int = 0,
        expectations: list[str] | None = None, kind: DocumentKind | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Run one episode of a valid document, and measure expectations over 40."""
        if not 1 <= steps <= 1000:
            raise ToolError("steps is a number from 1 to 1000")
        return await _said(
            operations.run(
                self._orc,
                document,
                steps=steps,
                seed=seed,
                expectations=expectations or (),
                kind=kind or "",
            )
        )

    async def explain_gmn(self, document: str, kind: DocumentKind | None = None) -> dict[str, Any]:
        """Say in English what a valid document means."""
        return await _said(operations.describe(self._orc, document, kind or ""))

    async def import_gmn(
        self, document: str, kind: DocumentKind | None = None, to: Form = "gmn"
    ) -> dict[str, Any]:
        """Write a document of any tool (pymdp, GNN, .POMDP, a graph) as GMN, or in another form."""
        return await _said(operations.convert(self._orc, document, kind or "", to))


def _tenant(context: Context) -> str:
    request = context.request_context.request
    return "" if request is None else str(request.scope["state"]["caller"].tenant)


def http_routes(server: MCPServer) -> Any:
    """The routes of streamable HTTP; the gate has looked at host and size."""
    trusted = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app: Any = server.streamable_http_app(stateless_http=True, transport_security=trusted)
    for route in app.routes:
        route.methods = {"POST"}  # without sessions a GET would hold a place and hear nothing
    return app.routes


async def _said(work: Any) -> dict[str, Any]:
    """The result; an invalid document is said with its findings, so that a model can act on them.

    Raises: ToolError: as its text says; the SDK hides the text of any other error.
    """
    try:
        found: dict[str, Any] = await work
    except (OrchestratorError, ValueError) as error:
        report = error.report if isinstance(error, GMNError) else None
        if isinstance(error, InvalidOutputError) and error.best is not None:
            report = error.best.evaluation.report
        lines = [str(one) for one in getattr(report, "errors", ())][:20]
        raise ToolError("\n".join([str(error), *lines])) from None
    return found


def serve_stdio() -> None:
    """Serve over standard input and output until the client leaves."""
    with Orchestrator() as orc:
        mcp_server(orc).run("stdio")
