"""The Router as a completer, and as LiteLLM's own call."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orchestrator.config import output_modes
from orchestrator.errors import ConfigError, LLMError, NoDeploymentError
from orchestrator.result import Answer, OutputMode, Request
from orchestrator.routing import _litellm
from orchestrator.routing.account import TRACE, Book, answered, clock
from orchestrator.routing.build import (
    PREFIXES,
    Deployments,
    build_router,
    deployments_of,
    prepare,
)
from orchestrator.routing.offline import PROVIDER as OFFLINE
from orchestrator.routing.translate import names_response_format, translated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.config import Config
    from orchestrator.result import WireAttempt

# A provider that trickles never times out by itself: this bounds one call and its retries.
_CALLS_IN_ONE = 4


class RouterCompleter:
    """Answers requests through one LiteLLM Router, built when first used."""

    def __init__(self, config: Config, *, environ: Mapping[str, str]) -> None:
        """Settle the deployments.

        Raises: ConfigError: no deployment can be called, or a route names an unknown group.
        """
        self._config = config
        self.deployments: Deployments = deployments_of(config, environ)
        self._router: Any = None
        self._book = Book()
        self._room = asyncio.Semaphore(config.orchestrator.max_parallel)
        self._refused: dict[str, set[OutputMode]] = {}

    def resolve(self, model: str | None = None, provider: str | None = None) -> str:
        """The route or model group that a caller's wish means.

        Raises: ConfigError: the name is unknown; the message lists the known ones.
            NoDeploymentError: it is known and cannot be called; the message says why.
        """
        known = self.deployments
        if provider is not None:
            return self._of_provider(provider)
        if model is None:
            return "default"
        if model in known.routes or model in known.groups():
            return model
        for one in known.ready:
            if model in (one.model, one.id):
                return one.group
        for dropped in known.dropped:
            if model in (dropped.group, dropped.model):
                raise NoDeploymentError(f"{model} cannot be called: {dropped.reason}.")
        names = ", ".join(dict.fromkeys((*known.routes, *known.groups())))
        raise ConfigError("model", f"{model!r} is not configured", fix=f"Known: {names}.")

    def _of_provider(self, provider: str) -> str:
        if provider not in PREFIXES:
            known = ", ".join(PREFIXES)
            raise ConfigError(
                "provider", f"{provider!r} is no provider", fix=f"Use one of {known}."
            )
        for one in self.deployments.ready:
            if one.provider in PREFIXES[provider]:
                return one.group
        reasons = [
            f"{d.group}: {d.reason}"
            for d in self.deployments.dropped
            if d.model.partition("/")[0] in PREFIXES[provider]
        ]
        why = "; ".join(reasons) or "model_list has no deployment of it"
        raise NoDeploymentError(f"{provider} cannot be called ({why}).", provider=provider)

    def mode_for(self, route: str) -> OutputMode:
        """The strictest output mode that the first group of the route has not refused."""
        group = self.deployments.routes.get(route, (route,))[0]
        if all(one.provider == OFFLINE for one in self.deployments.of_group(group)):
            return "prompt"
        modes = output_modes(self._config.orchestrator.generation.mode)
        refused = self._refused.get(group, set())
        return next((mode for mode in modes if mode not in refused), modes[-1])

    async def complete(self, request: Request) -> Answer:
        """Answer one request.

        Raises: LLMError: no deployment of the route, nor a fallback, gave an answer.
        """
        group = self.deployments.routes.get(request.route, (request.route,))[0]
        await self.router()
        trace = self._book.open()
        start = clock()
        try:
            async with self._room:
                response = await self._ask(group, request, trace)
        except LLMError:
            self._book.close(trace)
            raise
        except asyncio.CancelledError:
            self._book.close(trace)
            raise
        seconds = clock() - start
        failed = self._book.close(trace)
        return _answer(response, (*failed, answered(response, seconds)), seconds)

    async def _ask(self, group: str, request: Request, trace: str) -> Any:
        arguments: dict[str, Any] = {
            "model": group,
            "messages": [turn.as_dict() for turn in request.messages],
            "timeout": request.timeout_s,
            "metadata": {TRACE: trace},
            **request.parameters,
            **_response_format(request),
        }
        try:
            async with asyncio.timeout(request.timeout_s * _CALLS_IN_ONE):
                return await (await self.router()).acompletion(**arguments)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  LiteLLM raises its own, openai's and ValueErrors
            if request.mode != "prompt" and names_response_format(error):
                self._refused.setdefault(group, set()).add(request.mode)
                return await self._ask(group, _degraded(request), trace)
            failed = self._book.close(trace)
            provider = failed[-1].provider if failed else ""
            # The original can quote the prompt, so it does not travel on as the cause.
            raise translated(
                error, route=request.route, provider=provider, attempts=len(failed)
            ) from None

    async def acompletion(self, **litellm_arguments: Any) -> Any:
        """LiteLLM's own call through the Router: its arguments, its return types, its errors."""
        if litellm_arguments.get("tools"):
            # LiteLLM 1.106 imports its optional MCP client for any tools otherwise.
            litellm_arguments.setdefault("_skip_mcp_handler", True)
        litellm_arguments["model"] = self._group(litellm_arguments.get("model"))
        async with self._room:
            return await (await self.router()).acompletion(**litellm_arguments)

    async def revived(self, stored: Mapping[str, Any]) -> Any:
        """A response of LiteLLM's from its own JSON form; it cost nothing this time."""
        response = (await _litellm.loaded()).ModelResponse(**stored)
        response._hidden_params = {"cache_hit": True, "response_cost": 0.0}
        return response

    def _group(self, model: str | None) -> str:
        name = self.resolve(model)
        return self.deployments.routes.get(name, (name,))[0]

    async def router(self) -> Any:
        """LiteLLM's Router, built at first use; its import takes seconds and goes to a thread."""
        if self._router is None:
            await asyncio.to_thread(prepare, self.deployments)
        if self._router is None:  # nobody else built it meanwhile
            self._router = build_router(self._config, self.deployments)
        return self._router

    async def aclose(self) -> None:
        """Give back what LiteLLM holds globally for this Router: callbacks and HTTP clients."""
        self._book.discard()
        if self._router is not None:
            self._router.discard()
            self._router = None
            litellm = _litellm.load()
            await litellm.close_litellm_async_clients()
            # LiteLLM leaves the closed clients in its cache, and the next Router would get them.
            litellm.in_memory_llm_clients_cache.flush_cache()


def _response_format(request: Request) -> dict[str, Any]:
    if request.mode == "json_schema" and request.schema is not None:
        schema = {"name": request.schema_name or "answer", "schema": request.schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    if request.mode == "json_object":
        return {"response_format": {"type": "json_object"}}
    return {}


def _degraded(request: Request) -> Request:
    weaker: OutputMode = "json_object" if request.mode == "json_schema" else "prompt"
    return replace(request, mode=weaker, schema=None)


def _answer(response: Any, wire: tuple[WireAttempt, ...], seconds: float) -> Answer:
    choice = response.choices[0]
    last = wire[-1]
    return Answer(
        text=choice.message.content or "",
        finish=str(choice.finish_reason or "stop"),
        refusal=str(getattr(choice.message, "refusal", None) or ""),
        model=last.model,
        provider=last.provider,
        deployment=last.deployment,
        usage=last.usage,
        cost_usd=last.cost_usd,
        billed_usd=last.cost_usd,
        seconds=seconds,
        wire=wire,
    )
