"""The facade: picks the parts and states their order, one short method per public operation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from orchestrator.cache.store import StoreInfo
from orchestrator.client.agents import run_agent
from orchestrator.client.arguments import OF_COMPLETION, check_arguments, check_parameters
from orchestrator.client.batch.call import batch
from orchestrator.client.blocking import Blocking
from orchestrator.client.planning import plan
from orchestrator.client.probing import probe_models
from orchestrator.client.searched import last_of_user, with_citations, with_report
from orchestrator.client.searching import search
from orchestrator.client.typed_calls import typed_async
from orchestrator.client.wiring import Wiring
from orchestrator.config.settings import Config
from orchestrator.generation.request_building import Source, cache_use, parsed
from orchestrator.generation.streaming import streamed
from orchestrator.gmn.acting.expectations import Expectation
from orchestrator.gmn.model import GMNSpec
from orchestrator.gmn.validate import validate
from orchestrator.models.groups import Deployments
from orchestrator.models.health import HealthReport
from orchestrator.routing.health_check import health_check
from orchestrator.types.caching import Caching
from orchestrator.types.diagnostics import Report
from orchestrator.types.messages import Messages, as_messages
from orchestrator.types.requests import Answer, Generation, Request
from orchestrator.types.run_context import RunContext
from orchestrator.types.work import judge_within

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.client.search_choice import Searching
    from orchestrator.client.structured import Check
    from orchestrator.generation.images import Image
    from orchestrator.types.events import Hook
    from orchestrator.types.requests import AgentType, Contract

T = TypeVar("T")


class Orchestrator(Wiring):
    """Generates, validates and refines GMN specifications through LiteLLM's Router.

    Every method is async; `sync` offers the same ones blocking. Use ``async with``, or ``with`` in
    blocking code, to close the Router, its HTTP clients and the cache.
    """

    def __init__(
        self,
        config: str | Path | Mapping[str, object] | Config | None = None,
        *,
        hook: Hook | None = None,
        environ: Mapping[str, str] | None = None,
        router: Any = None,
    ) -> None:
        """Load the configuration and settle what can be called; nothing is asked yet.

        `hook` is called with every event of `orchestrator.types.events`; `router` is a LiteLLM
        Router to send through, in place of one built from the configuration.

        Raises: ConfigError: the configuration is wrong, or nothing can be called.
        """
        check_arguments(locals())
        super().__init__(config, hook=hook, environ=environ, router=router)
        self.sync = Blocking(self)

    @classmethod
    def from_config(cls, path: str | Path) -> Self:
        """An orchestrator configured by a file."""
        return cls(path)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.sync.close()

    async def generate_gmn(
        self,
        prompt: str,
        agent_type: AgentType = "general",
        constraints: Mapping[str, int] | None = None,
        examples: Sequence[Source] | None = None,
        expectations: Sequence[str | Expectation] | None = None,
        *,
        model: str | None = None,
        provider: str | None = None,
        cache: Caching | None = None,
        tenant: str = "",
        seed: int | None = None,
        samples: int = 1,
        images: Sequence[Image] = (),
        infer_expectations: bool = False,
        search: Searching | None = None,
        hook: Hook | None = None,
    ) -> Generation[GMNSpec]:
        """Turn a description of an agent into a model that is valid and runs.

        `agent_type` is explorer, trader, coordinator or general. `constraints` bound the model:
        max_states, max_observations, max_actions (joint values), max_factors, max_horizon,
        max_policies. `examples` are documents to show (None: a curated one that suits).
        `expectations` are simulated: ``cell=r4c4 within 12 in 80%``. `samples` asks for so many
        candidates at once, none in staged mode, and takes the first that behaves or fits best.
        `images` are pictures of what is meant: a `Path`, bytes, an address or a data: URL.
        `infer_expectations` also holds the model to what the sentence implies (marked as inferred).
        `model` names a route, a model group or a model of the configuration, `provider` forces one.
        `tenant` names whose budget pays; the ledger shows it. `cache` says whether the cache may
        answer, and how the answer is kept: ``{"mode": "use", "ttl": 3600, "tag": "trial"}``.
        `search` is auto, always, off or tool: facts of sources are shown, the metadata list the
        sources.

        Raises:
            InvalidOutputError: no answer was valid; carries every attempt.
            LLMError: a provider failed, or a deadline or budget was reached.
            TypeError: `prompt` is not a str, `samples` not an int.
            ValueError: `prompt` is blank, an agent type, constraint or expectation is unknown, an
                image is not one, or `samples` is below 1 or beyond ``limits.wire_attempts``.
            NoDeploymentError: there are images, and no model on the route reads them.
        """
        check_arguments(locals())
        await self._open()
        choice = await self._searches.choice(search)
        task = await self._gmn_tasks.generation(
            prompt, agent_type, constraints, examples, expectations, model=model,
            provider=provider, cache=cache, tenant=tenant, seed=seed, samples=samples,
            images=images, infer_expectations=infer_expectations,
        )  # fmt: skip
        entry = self._ledger.open(
            "generate_gmn", route=task.first.route, agent_type=agent_type, tenant=tenant
        )
        task, found = await self._searches.augmented(task, prompt, choice, entry, hook)
        return with_report(await self._loop.run(task, entry, hook=hook), found)

    async def refine_gmn(
        self,
        spec: Source,
        feedback: str,
        *,
        constraints: Mapping[str, int] | None = None,
        expectations: Sequence[str | Expectation] | None = None,
        model: str | None = None,
        provider: str | None = None,
        cache: Caching | None = None,
        tenant: str = "",
        kind: str = "",
        hook: Hook | None = None,
    ) -> Generation[GMNSpec]:
        """Change a document, of a `kind` as in `validate_gmn`, by a patch rather than a rewrite.

        Raises:
            GMNError: the document cannot be read, so there is nothing to patch.
            TypeError, ValueError: `feedback` is not a str, or is blank; the kind is unknown.
            InvalidOutputError, LLMError: as `generate_gmn`.
        """
        check_arguments(locals())
        await self._open()
        task = await judge_within(
            self.config.orchestrator.generation.deadline_s, self._gmn_tasks.refinement, spec,
            feedback, constraints=constraints, expectations=expectations, model=model,
            provider=provider, cache=cache, tenant=tenant, kind=kind,
        )  # fmt: skip
        base = task.base_document
        agent_type = base.value.agent_type if base and base.value else ""
        entry = self._ledger.open(
            "refine_gmn", route=task.first.route, agent_type=agent_type, tenant=tenant
        )
        return await self._loop.run(task, entry, hook=hook)

    async def validate_gmn(
        self,
        spec: Source,
        *,
        constraints: Mapping[str, int] | None = None,
        expectations: Sequence[str | Expectation] | None = None,
        kind: str = "",
    ) -> Report:
        """Judge a document without asking any model; unpacks as ``is_valid, errors``.

        `kind` says what the document is where it could be several (docs/import.md).

        Raises:
            ValueError: a constraint, an expectation or the kind is unknown.
            DeadlineExceededError: it took longer than a request may.
        """
        check_arguments(locals())
        verdict = await judge_within(
            self.config.orchestrator.generation.deadline_s, validate, spec,
            constraints=constraints, expectations=parsed(expectations), kind=kind,
        )  # fmt: skip
        return verdict.report

    async def generate(
        self,
        messages: Messages,
        *,
        model: str | None = None,
        provider: str | None = None,
        cache: Caching | None = None,
        tenant: str = "",
        sample: int = 0,
        on_text: Callable[[str], None] | None = None,
        search: Searching | None = None,
        **parameters: Any,  # LiteLLM's own arguments: temperature, max_tokens…
    ) -> Answer:
        """Answer messages of your own, through cache and Router.

        Equal messages with another `sample` are another question to the cache. With `on_text` the
        model is asked for a stream, and it is called with every piece of the text, or once with an
        answer from the cache. With `search` (auto, always, off, tool) facts of sources are shown:
        `Answer.citations` are the sources that the text names, `Answer.search` the report.

        Raises: LLMError: no answer could be had; TypeError: LiteLLM has no such argument.
        """
        check_arguments(locals())
        await check_parameters("generate", parameters)
        await self._open()
        choice = await self._searches.choice(search)
        use, keep = cache_use(cache, self.config.orchestrator.cache, tenant)
        request = Request(
            as_messages(messages), self._router.resolve(model, provider), parameters=parameters,
            timeout_s=self.config.orchestrator.generation.timeout_s, cache=use, keep=keep,
            sample=sample, purpose="generate",
        )  # fmt: skip
        with self._ledger.open("generate", route=request.route, tenant=tenant) as entry:
            context = replace(entry.context, on_text=on_text)
            if choice.mode != "off":
                answer = await self._searches.answer(request, choice, context)
            else:
                answer = await self._completer.complete(request, context)
        if on_text is not None and answer.cached:
            on_text(answer.text)
        return answer

    @overload
    async def generate_structured(
        self,
        messages: Messages,
        contract: type[T] | Contract[T],
        *,
        checks: Sequence[Check] = (),
        refine: int | None = None,
        samples: int = 1,
        model: str | None = None,
        provider: str | None = None,
        cache: Caching | None = None,
        tenant: str = "",
        search: Searching | None = None,
        hook: Hook | None = None,
        **parameters: Any,
    ) -> Generation[T]: ...
    @overload
    async def generate_structured(
        self, messages: Messages, contract: Any, **options: Any
    ) -> Generation[Any]: ...
    async def generate_structured(
        self,
        messages: Messages,
        contract: Any,
        *,
        checks: Sequence[Check] = (),
        refine: int | None = None,
        samples: int = 1,
        model: str | None = None,
        provider: str | None = None,
        cache: Caching | None = None,
        tenant: str = "",
        search: Searching | None = None,
        hook: Hook | None = None,
        **parameters: Any,  # LiteLLM's own arguments: temperature, max_tokens…
    ) -> Generation[Any]:
        """Answer messages with a value that fulfils a contract; `Generation.value` is typed.

        `contract` is a pydantic model, any type pydantic understands, a JSON Schema, LiteLLM's
        ``response_format``, or a `Contract` of your own. `checks` are rules in your own code,
        plain or async: the typed value in, findings (`Diagnostic` or a sentence each) out.
        `refine` is the most further calls to repair an answer. `search` is that of `generate`.

        Raises:
            TypeError, ValueError: no provider can take the schema (the message names the nearest
                one), nor LiteLLM an argument, or ``limits.wire_attempts`` does not allow `samples`.
            InvalidOutputError, LLMError: as `generate_gmn`.
        """
        check_arguments(locals())
        await check_parameters("generate_structured", parameters)
        await self._open()
        choice = await self._searches.choice(search)
        task, entry = await self._structured.task(
            messages, contract, checks=checks, refine=refine, samples=samples, model=model,
            provider=provider, cache=cache, tenant=tenant, parameters=parameters,
        )  # fmt: skip
        text = last_of_user(task.first.messages)
        task, found = await self._searches.augmented(task, text, choice, entry, hook)
        return with_report(await self._loop.run(task, entry, hook=hook), found)

    run_agent = run_agent
    batch = batch
    plan = plan
    probe_models = probe_models
    search = search
    stream_gmn = streamed(generate_gmn)
    stream_structured = streamed(generate_structured)

    @typed_async
    async def acompletion(self, **litellm_arguments: Any) -> Any:
        """LiteLLM's ``acompletion`` through Router and cache: its arguments, its return types.

        ``cache="use"|"refresh"|"off"|"replay"`` says whether the cache may answer, ``cache_ttl``
        for how many seconds it may; a stream is kept and comes back as a stream. Requests that
        hold anything but JSON are always asked. With ``refine=2`` or ``checks=[…]`` the
        answer is held to its ``response_format`` as `generate_structured` does (so it is with
        ``samples=3``: the first of three that is accepted); the response then
        has ``parsed``, the typed value, and ``generation``, with everything that led to it.
        With ``search="auto"|"always"`` facts of sources stand beside the messages; the response
        has ``citations`` and ``search``.

        Raises: what LiteLLM raises; with ``refine`` or ``checks`` what `generate_structured` does.
        """
        if not OF_COMPLETION.isdisjoint(litellm_arguments):
            check_arguments(litellm_arguments, only=OF_COMPLETION)
        await self._open()
        searching = None
        if "search" in litellm_arguments:
            searching = await self._searches.for_completion(litellm_arguments)
        if not litellm_arguments.keys().isdisjoint(("refine", "checks", "samples")):
            if searching is not None:
                await searching.alone(self._ledger)
            made = await self._structured.completion(litellm_arguments)
        else:
            made = await self._litellm_calls.call("acompletion", litellm_arguments, searching)
        return made if searching is None else with_citations(made, searching.found)

    async def aembedding(self, **litellm_arguments: Any) -> Any:
        """LiteLLM's ``aembedding``, as `acompletion`."""
        check_arguments(litellm_arguments, only=OF_COMPLETION)
        await self._open()
        return await self._litellm_calls.call("aembedding", litellm_arguments)

    async def models(self) -> Deployments:
        """What can be called, what was left out and why, and who serves which route."""
        return self._router.deployments

    async def health_check(self, *, probe: bool = False) -> HealthReport:
        """How every provider and deployment fares, from the attempts of this process and the
        ledger; `probe` asks each deployment for one token first, without retry or fallback."""
        check_arguments(locals())
        await self._open()
        if not probe:
            return await health_check(self._router, RunContext())
        with self._ledger.open("probe", route="*") as entry:
            return await health_check(self._router, entry.context, probe=True)

    @property
    def templates(self) -> Mapping[str, str]:
        """The version of every prompt template, by name."""
        return self._prompts.versions

    async def cache_info(self) -> StoreInfo:
        """How much is cached, and where."""
        await self._open()
        return await asyncio.to_thread(self._store.info)

    async def cache_clear(self) -> int:
        """Forget every cached answer; return how many there were."""
        await self._open()
        return await asyncio.to_thread(self._store.clear)

    async def warm_up(self) -> None:
        """Load now what the first call would wait for: LiteLLM, if anything is asked through it."""
        await self._open()
        await self._router.warm_up()

    async def cache_evict(self, tag: str) -> int:
        """Forget the answers that were kept under a tag; return how many there were."""
        await self._open()
        return await asyncio.to_thread(self._store.evict, tag)

    def bound_tenant(self, tenant: str, usd_per_day: float) -> None:
        """Hold a tenant to so many dollars a day from now on, as ``budgets.tenants`` does."""
        limiter = self._router.transport.budget_limiter
        limiter.bound_tenant(tenant, usd_per_day, self._ledger.spent_today)
        self._ledger.must_write = self.config.orchestrator.budgets.must_be_on_the_bill

    async def usage(self, *, since: str = "") -> list[dict[str, Any]]:
        """The ledger's lines at or after `since` (ISO 8601), oldest first; none without ledger."""
        check_arguments(locals())
        return await asyncio.to_thread(self._ledger.lines, since=since)
