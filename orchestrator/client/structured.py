"""Answers to any contract: the loop that GMN has, for messages and types of the caller's own."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.generation.contract import contract_of
from orchestrator.generation.findings import is_from_outside, name_of
from orchestrator.generation.loop import GenerationRequest
from orchestrator.generation.prompts import ConversationPrompts, Prompts
from orchestrator.generation.request_building import cache_use, without_json
from orchestrator.types.diagnostics import Diagnostic
from orchestrator.types.messages import Messages, as_messages
from orchestrator.types.requests import Request
from orchestrator.types.work import judge_within, result_of

if TYPE_CHECKING:
    from orchestrator.generation.findings import ValueCheck
    from orchestrator.generation.loop import GenerationLoop
    from orchestrator.ledger.ledger import Ledger, LedgerEntry
    from orchestrator.types.caching import Caching
    from orchestrator.types.requests import Contract, Generation

Said = Iterable[Diagnostic | str] | Diagnostic | str | None
#: A rule in the caller's own code, plain or async: the typed value in, findings out.
Check = Callable[[Any], Said | Awaitable[Said]]
#: What `Structured.completion` takes over from LiteLLM's arguments; the rest are parameters.
_OWN = (
    "model", "messages", "response_format", "refine", "checks", "cache", "cache_ttl", "tenant",
    "samples",
)  # fmt: skip


@dataclass(frozen=True)
class Structured:
    """Holds answers to a contract."""

    loop: GenerationLoop
    ledger: Ledger
    prompts: Prompts

    async def task(
        self,
        messages: Messages,
        wanted: Any,
        *,
        checks: Sequence[Check] = (),
        refine: int | None = None,
        samples: int = 1,
        model: str | None = None,
        provider: str | None = None,
        cache: Caching | None = None,
        tenant: str = "",
        parameters: Mapping[str, Any] | None = None,
        operation: str = "generate_structured",
    ) -> tuple[GenerationRequest[Any], LedgerEntry]:
        """What the loop is asked, and its ledger entry; see `Orchestrator.generate_structured`."""
        contract = await self.contract(wanted, checks)
        route = self.loop.router.resolve(model, provider)
        first = self.first(
            messages, contract, route, cache=cache, tenant=tenant, parameters=parameters or {}
        )
        entry = self.ledger.open(operation, route=route, tenant=tenant)
        most = None if refine is None else 1 + refine
        follow_ups = ConversationPrompts(self.prompts)
        task = GenerationRequest(first, contract, follow_ups, max_calls=most, samples=samples)
        return task, entry

    async def contract(self, wanted: Any, checks: Sequence[Check]) -> Contract[Any]:
        """The contract that is meant; async checks run on the loop that asks.

        Raises:
            ValueError: no provider can take the schema.
            DeadlineExceededError: it was not checked within the time of a request.
        """
        about = self.loop.settings.generation
        made: Contract[Any] = await judge_within(
            about.deadline_s, contract_of, wanted, checks=[_plain(check) for check in checks],
            repair=about.repair != "none", complete=about.repair == "suggest",
        )  # fmt: skip
        return made

    def first(
        self,
        messages: Messages,
        contract: Contract[Any],
        route: str,
        *,
        cache: Caching | None,
        tenant: str,
        parameters: Mapping[str, Any],
    ) -> Request:
        """The question that a run begins with."""
        settings = self.loop.settings
        schema = {key: part for key, part in contract.schema.items() if key != "$schema"}
        in_words = self.prompts.schema(schema)
        use, keep = cache_use(cache, settings.cache, tenant)
        sampling = settings.generation.sampling
        has_limit = "max_completion_tokens" in parameters
        limit = {} if has_limit else {"max_tokens": settings.generation.max_tokens}
        return Request(
            as_messages(messages),
            route,
            parameters={**limit, **sampling, **parameters},
            optional=frozenset(sampling.keys() - parameters.keys()),
            mode=self.loop.router.mode_for(route),
            schema=schema,
            schema_name=contract.name,
            in_words=in_words,
            templates={"schema": self.prompts.versions["schema"]},
            timeout_s=settings.generation.timeout_s,
            cache=without_json(use, parameters),
            keep=keep,
            purpose="generate",
        )

    async def completion(self, arguments: Mapping[str, Any]) -> Any:
        """LiteLLM's call with its ``response_format`` held to; its `ModelResponse` in return.

        Raises: ValueError: there is nothing to hold to, or a stream is asked for.
        """
        wanted = arguments.get("response_format")
        if arguments.get("stream"):
            raise ValueError("a stream cannot be taken back: use stream_structured for refine")
        checks: Sequence[Check] = arguments.get("checks") or ()
        task, entry = await self.task(
            arguments["messages"],
            {"type": "object"} if wanted is None else wanted,
            checks=checks,
            refine=arguments.get("refine"),
            samples=arguments.get("samples", 1),
            model=arguments.get("model"),
            cache=_cache_of(arguments),
            tenant=str(arguments.get("tenant") or ""),
            parameters={k: v for k, v in arguments.items() if k not in _OWN},
            operation="acompletion",
        )
        return await self._response(await self.loop.run(task, entry))

    async def _response(self, made: Generation[Any]) -> Any:
        usage, message = made.usage, {"role": "assistant", "content": made.text}
        body = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "model": made.model,
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
            },
        }
        response = await self.loop.router.revived("ModelResponse", body)
        last = made.attempts[-1].answer
        response._hidden_params = {
            "cache_hit": made.cached,
            "response_cost": made.cost_usd,
            "custom_llm_provider": last.provider,
            "model_id": last.deployment,
        }
        response.parsed, response.generation = made.value, made
        return response


def _cache_of(arguments: Mapping[str, Any]) -> Caching | None:
    given = arguments.get("cache")
    if arguments.get("cache_ttl") is None:
        return given
    stated = given if isinstance(given, Mapping) else {"mode": given}
    return {**stated, "ttl": arguments["cache_ttl"]}


def _plain(check: Check) -> ValueCheck:
    """Judging happens in a thread; what is async goes back to the loop that asked."""
    loop = asyncio.get_running_loop()

    def plain(value: Any) -> Said:
        said = check(value)
        if inspect.iscoroutine(said):
            made: Said = result_of(asyncio.run_coroutine_threadsafe(_contained(said), loop))
            return made
        return said  # type: ignore[return-value]  # an awaitable of another kind is not iterable

    plain.__name__ = name_of(check)
    return plain


async def _contained(check: Coroutine[Any, Any, Said]) -> Said:
    """`check` as a task that ends no event loop, as its exit would."""
    try:
        return await check
    except (SystemExit, KeyboardInterrupt) as error:
        if is_from_outside(error):
            raise
        raise RuntimeError(repr(error)) from error
