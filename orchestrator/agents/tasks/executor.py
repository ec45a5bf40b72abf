"""Gives tasks to agents: one, one as a stream, or many with what they depend on."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from orchestrator.agents.tasks.calls import AgentCalls
from orchestrator.agents.tasks.graph import graph_of
from orchestrator.agents.tasks.messages import messages_for, stdin_for
from orchestrator.agents.tasks.registry import AgentRegistry, RegisteredAgent
from orchestrator.agents.tasks.script import run_script
from orchestrator.agents.tasks.task import (
    AgentInterface,
    AgentTask,
    NoOutputError,
    ScriptError,
    TaskFinished,
    TaskResult,
    TaskStarted,
    TaskText,
)
from orchestrator.client.arguments import check_arguments
from orchestrator.generation.streaming import following
from orchestrator.types.errors import LLMError
from orchestrator.types.requests import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from graphlib import TopologicalSorter

    from orchestrator.agents.tasks.task import TaskEvent, TaskHook
    from orchestrator.types.caching import Caching
    from orchestrator.types.requests import Answer

_SCRIPT_S = 60.0


def _unheard(event: TaskEvent) -> None:
    """An event that nobody listens to."""


@dataclass(frozen=True, slots=True)
class _How:
    """What holds for every task of one call."""

    cache: Caching | None = None
    tenant: str = ""
    hook: TaskHook = _unheard
    is_stream: bool = False


class TaskExecutor:
    """Gives tasks to the agents of a registry. Use ``async with`` to close what it opens.

    It belongs to the event loop that first uses it.
    """

    def __init__(self, registry: AgentRegistry) -> None:
        """Nothing is asked or loaded yet."""
        if not isinstance(registry, AgentRegistry):
            raise TypeError(f"registry is a {type(registry).__name__}, not an AgentRegistry")
        self.registry = registry
        self._calls = AgentCalls(registry)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the Router, its HTTP clients and the cache."""
        await self._calls.aclose()

    async def execute(
        self,
        task: AgentTask,
        agent: str | RegisteredAgent | None = None,
        *,
        cache: Caching | None = None,
        tenant: str = "",
    ) -> TaskResult:
        """Do one task; `agent` is asked, else the one that the task names.

        `cache` and `tenant` are those of `Orchestrator.generate`. Where the model fails and the
        agent has a script, that runs; the metadata say so, and why.

        Raises:
            LLMError: the model failed, or gave no text, and there is no script.
            ScriptError: the script failed.
            ConfigError: the agent is not registered, or cannot be called.
            ValueError: the task depends on others: `execute_many` does them in order.
        """
        check_arguments({"cache": cache, "tenant": tenant})
        return await self._alone(task, agent, _How(cache, tenant))

    def execute_stream(
        self,
        task: AgentTask,
        agent: str | RegisteredAgent | None = None,
        *,
        cache: Caching | None = None,
        tenant: str = "",
    ) -> AsyncGenerator[TaskEvent, None]:
        """The events of `execute` while it runs: `TaskStarted`, `TaskText`, at last `TaskFinished`.

        A second `TaskStarted` says that the model failed and the script begins: discard the texts
        before it. Leaving the iteration cancels the task.

        Raises: what `execute` raises.
        """
        check_arguments({"cache": cache, "tenant": tenant})

        async def work(send: TaskHook) -> TaskEvent:
            how = _How(cache, tenant, send, is_stream=True)
            return TaskFinished(await self._alone(task, agent, how))

        return following(work)

    async def execute_many(
        self,
        tasks: Sequence[AgentTask],
        agent: str | RegisteredAgent | None = None,
        *,
        concurrency: int = 8,
        cache: Caching | None = None,
        tenant: str = "",
        hook: TaskHook | None = None,
    ) -> list[TaskResult]:
        """Do many tasks, at most `concurrency` at a time; a result for each, in their order.

        A task begins when what it depends on is done, and gets those outputs as data. One that
        fails stops no other: its result carries the error, and what depends on it is skipped.
        `hook` gets the events; cancelled, it leaves nothing running.

        Raises: TypeError, ValueError, ConfigError: before anything is asked, where tasks depend
            on each other in a circle or on one that is not there, two have one id, or one has no
            agent.
        """
        check_arguments({"cache": cache, "tenant": tenant, "hook": hook})
        is_whole = isinstance(concurrency, int) and not isinstance(concurrency, bool)
        if not is_whole or concurrency < 1:
            raise ValueError(f"concurrency is {concurrency!r}, expected a whole number from 1 on")
        tasks = tuple(tasks)
        graph = graph_of(tasks)
        agents = {task.task_id: self._agent_of(task, agent) for task in tasks}
        run = _Many(self, graph, {t.task_id: t for t in tasks}, agents)
        run.how = _How(cache, tenant, hook or _unheard)
        await run.all(concurrency)
        return [run.results[task.task_id] for task in tasks]

    def _agent_of(self, task: AgentTask, agent: str | RegisteredAgent | None) -> RegisteredAgent:
        named = agent or task.agent
        if not named:
            raise ValueError(f"nobody does {task.task_id!r}: name an agent in the call or the task")
        if isinstance(named, str):
            return self.registry.get(named)
        if not isinstance(named, RegisteredAgent):
            raise TypeError(f"agent must be a name or a RegisteredAgent, not {named!r}")
        found = self.registry.get(named.name)
        if found is not named:
            raise ValueError(f"{named.name!r} was registered again since, or elsewhere")
        return found

    async def _alone(
        self, task: AgentTask, agent: str | RegisteredAgent | None, how: _How
    ) -> TaskResult:
        if not isinstance(task, AgentTask):
            raise TypeError(f"task must be an AgentTask, not {type(task).__name__}")
        if task.depends_on:
            before = ", ".join(task.depends_on)
            raise ValueError(f"{task.task_id!r} depends on {before}: use execute_many")
        return await self._done(task, self._agent_of(task, agent), {}, how)

    async def _done(
        self,
        task: AgentTask,
        agent: RegisteredAgent,
        inputs: Mapping[str, TaskResult],
        how: _How,
    ) -> TaskResult:
        if agent.interface is AgentInterface.SCRIPT:
            how.hook(TaskStarted(task.task_id, agent.name, "script"))
            return await self._scripted(task, agent, inputs, how)
        how.hook(TaskStarted(task.task_id, agent.name, "api"))
        try:
            answer = await self._answered(task, agent, inputs, how)
        except LLMError as error:
            if not agent.script:
                raise
            failed = error
        else:
            return TaskResult(task.task_id, answer.text, _of_answer(agent, answer))
        how.hook(TaskStarted(task.task_id, agent.name, "script", str(failed)))
        try:
            made = await self._scripted(task, agent, inputs, how)
        except ScriptError as error:
            raise ScriptError(f"{error}; before it the model failed: {failed}") from failed
        return replace(made, metadata={**made.metadata, **_of_failure(failed)})

    async def _answered(
        self,
        task: AgentTask,
        agent: RegisteredAgent,
        inputs: Mapping[str, TaskResult],
        how: _How,
    ) -> Answer:
        def heard(text: str) -> None:
            how.hook(TaskText(task.task_id, text))

        messages = messages_for(task, agent, inputs)
        async with self._calls.orchestrator() as orc:
            answer = await orc.generate(
                messages, model=agent.group, cache=how.cache, tenant=how.tenant,
                on_text=heard if how.is_stream else None, **agent.parameters,
            )  # fmt: skip
        if not answer.text.strip():
            raise NoOutputError(answer)
        return answer

    async def _scripted(
        self,
        task: AgentTask,
        agent: RegisteredAgent,
        inputs: Mapping[str, TaskResult],
        how: _How,
    ) -> TaskResult:
        start = time.perf_counter()
        text = await run_script(
            agent.script,
            json.dumps(stdin_for(task, agent, inputs)).encode(),
            self.registry.environ(),
            timeout_s=agent.metadata.get("timeout_s", _SCRIPT_S),
        )
        if how.is_stream:
            how.hook(TaskText(task.task_id, text))
        metadata = {
            **_of_agent(agent, "script"), "provider": "script", "model": "",
            "usage": _tokens(Usage()), "cost": 0.0, "script": agent.script[0],
            "seconds": time.perf_counter() - start,
        }  # fmt: skip
        return TaskResult(task.task_id, text, metadata)


@dataclass
class _Many:
    """The tasks of one `execute_many`, and what came of them so far."""

    executor: TaskExecutor
    graph: TopologicalSorter[str]
    tasks: Mapping[str, AgentTask]
    agents: Mapping[str, RegisteredAgent]
    how: _How = field(default_factory=_How)
    results: dict[str, TaskResult] = field(default_factory=dict)

    async def all(self, concurrency: int) -> None:
        """Do them; what still runs when this is left is cancelled, and has ended."""
        waiting: deque[str] = deque()
        running: set[asyncio.Task[TaskResult]] = set()
        try:
            while self.graph.is_active():
                waiting.extend(self.graph.get_ready())
                while waiting and len(running) < concurrency:
                    running.add(asyncio.create_task(self._one(waiting.popleft())))
                over, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for one in over:
                    self._keep(one.result())
        finally:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _keep(self, result: TaskResult) -> None:
        self.results[result.task_id] = result
        self.graph.done(result.task_id)
        self.how.hook(TaskFinished(result, len(self.results), len(self.tasks)))

    async def _one(self, name: str) -> TaskResult:
        """The result of a task whose predecessors are over."""
        task, agent = self.tasks[name], self.agents[name]
        inputs = {before: self.results[before] for before in task.depends_on}
        for before, result in inputs.items():
            if result.status != "done":
                why = f"it depends on {before!r}, which is {result.status}"
                metadata = {**_of_agent(agent, "none"), **_nothing(agent), "skipped_because": why}
                return TaskResult(name, "", metadata, "skipped")
        try:
            return await self.executor._done(task, agent, inputs, self.how)
        except Exception as error:  # noqa: BLE001  what others were paid for must not go with it
            return TaskResult(name, "", _of_failed(agent, error), "failed", error)


def _of_agent(agent: RegisteredAgent, method: str) -> dict[str, Any]:
    return {
        "execution_method": method, "agent": agent.name, "agent_type": agent.agent_type,
    }  # fmt: skip


def _nothing(agent: RegisteredAgent) -> dict[str, Any]:
    """Who would have answered, and that it took nothing."""
    provider, _, model = agent.model.partition("/")
    return {"provider": provider, "model": model, "usage": _tokens(Usage()), "cost": 0.0}


def _tokens(usage: Usage) -> dict[str, int]:
    return {**asdict(usage), "total_tokens": usage.total_tokens}


def _of_answer(agent: RegisteredAgent, answer: Answer) -> dict[str, Any]:
    return {
        **_of_agent(agent, "api"), "provider": answer.provider, "model": answer.model,
        "deployment": answer.deployment, "usage": _tokens(answer.usage),
        "cost": answer.billed_usd, "cached": answer.cached, "finish": answer.finish,
        "seconds": answer.seconds, "wire_attempts": len(answer.wire),
    }  # fmt: skip


def _spent(error: BaseException | None) -> dict[str, Any]:
    """What a model took that gave nothing; dollars of attempts that failed stand in the ledger."""
    if isinstance(error, NoOutputError):
        return {"usage": _tokens(error.answer.usage), "cost": error.answer.billed_usd}
    return {"cost": None} if isinstance(error, LLMError) and error.wire_attempts else {}


def _of_failure(error: LLMError) -> dict[str, Any]:
    """That a script ran because a model had failed, and how."""
    failed = {
        "type": type(error).__name__, "message": str(error), "provider": error.provider,
        "status": error.status, "wire_attempts": error.wire_attempts,
    }  # fmt: skip
    return {"fallback_reason": str(error), "api_error": failed, **_spent(error)}


def _of_failed(agent: RegisteredAgent, error: Exception) -> dict[str, Any]:
    is_script = isinstance(error, ScriptError) or agent.interface is AgentInterface.SCRIPT
    before = error.__cause__ if is_script else error
    method = "script" if is_script else "api"
    found = {**_of_agent(agent, method), **_nothing(agent), "error": str(error)}
    if is_script and isinstance(before, LLMError):
        return found | _of_failure(before)
    return found | _spent(before)
