"""A batch: what every row shares, what it is known by again, and one run of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from orchestrator.cache.keys import digest
from orchestrator.client.batch.bought import refuse_to_pay_twice
from orchestrator.client.batch.budget import JobBudget, job_budget
from orchestrator.client.batch.journal import Journal
from orchestrator.client.batch.limit import Limit
from orchestrator.client.batch.operations import OPERATIONS, PreparedRow, ask, prepared
from orchestrator.client.batch.output import line_of
from orchestrator.client.batch.provider_engine import ProviderEngine, require_endpoints
from orchestrator.client.batch.purchases import MOST_LINES, USUAL_LINES
from orchestrator.client.batch.rows import Row
from orchestrator.client.batch.runner import KeepingEngine, RowResult, Runner, Stop
from orchestrator.client.batch.source import AsyncSource, ThreadSource
from orchestrator.generation.request_building import cache_use
from orchestrator.models.surroundings import without_secrets
from orchestrator.types.bill import Bill, set_bill

if TYPE_CHECKING:
    from orchestrator.client.batch.operations import BatchOutcome, BatchRequest, OperationName
    from orchestrator.client.batch.runner import BatchEngine
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.types.caching import Caching

EngineName = Literal["live", "provider"]
_ENGINES = ("live", "provider")
#: Settings of a generation that do not shape its result.
_BESIDE = ("timeout_s", "deadline_s")
#: Parameters of a deployment that shape its answers; others say how it is reached and how often.
_SAMPLING = frozenset({
    "temperature", "top_p", "top_k", "n", "stop", "seed", "max_tokens", "max_completion_tokens",
    "presence_penalty", "frequency_penalty", "logit_bias", "tools", "tool_choice",
    "reasoning_effort", "thinking", "extra_body",
})  # fmt: skip


@dataclass(frozen=True)
class Job:
    """What all rows of a batch share.

    Attributes:
        shared: arguments that shape every answer; those of a row outrank them.
        beside: arguments that do not: ``cache``, ``tenant``; and the contract.
        parts: what the job is known by again, each as text.
        carry: whether fields that the operation does not know are copied.
    """

    operation: OperationName
    shared: Mapping[str, Any]
    beside: Mapping[str, Any]
    parts: Mapping[str, str]
    carry: bool = False

    @property
    def id(self) -> str:
        """What stands in each line of the output."""
        return digest(self.parts)[:16]

    def prepared(self, row: Row) -> PreparedRow:
        """See `orchestrator.client.batch.operations.prepared`."""
        return prepared(row, self.operation, shared=self.shared, carry=self.carry)


async def job_of(
    orchestrator: Orchestrator,
    operation: OperationName,
    *,
    contract: Any = None,
    cache: Caching | None = None,
    tenant: str = "",
    carry: bool = False,
    **shared: Any,
) -> Job:
    """The job of an operation with arguments that all rows share.

    Raises: ValueError, TypeError: operation or argument is unknown, or the contract is missing;
        ConfigError, NoDeploymentError: the route is unknown, or cannot be called.
    """
    if operation not in OPERATIONS:
        raise ValueError(f"{operation!r} is not an operation; use one of {', '.join(OPERATIONS)}")
    about = OPERATIONS[operation]
    if unknown := [name for name in shared if name not in about.fields]:
        raise TypeError(f"{unknown[0]!r} is not an argument; known: {', '.join(about.fields)}")
    if (contract is None) == (operation == "structured"):
        raise ValueError("a contract (--schema) goes with the operation structured, and only there")
    await orchestrator._open()
    given = {name: value for name, value in shared.items() if value is not None}
    parts = {"operation": operation, "arguments": json.dumps(given, sort_keys=True, default=str)}
    beside: dict[str, Any] = {}
    if contract is not None:
        beside["contract"] = made = await orchestrator._structured.contract(contract, ())
        parts |= {"schema": digest(made.schema)[:12], "checks": made.version}
    elif operation != "ask":
        parts["checks"] = orchestrator._gmn_tasks.contract(None, None).version
    if operation != "validate":
        cache_use(cache, orchestrator.config.orchestrator.cache, tenant)  # else each row would fail
        beside |= {"cache": cache, "tenant": tenant}
        parts |= _asked(orchestrator, given)
    return Job(operation, given, beside, parts, carry)


def _asked(orchestrator: Orchestrator, given: Mapping[str, Any]) -> dict[str, str]:
    """What else shapes the answers of models: which ones, how they are asked, in which words."""
    route = orchestrator._router.resolve(given.get("model"), given.get("provider"))
    known = orchestrator._router.deployments
    groups = known.routes.get(route, (route,))
    found = [one for group in groups for one in known.of_group(group)]
    settings = orchestrator.config.orchestrator.generation.model_dump(mode="json")
    return {
        "route": f"{route}: {', '.join(dict.fromkeys(one.model for one in found))}",
        **_sampling({**known.defaults, **one.params.value} for one in found),
        "templates": digest(dict(orchestrator.templates))[:12],
        "generation settings": digest({n: v for n, v in settings.items() if n not in _BESIDE})[:12],
    }


def _sampling(deployments: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """How deployments say that answers are sampled; nothing where none says it."""
    stated = [
        without_secrets({n: v for n, v in one.items() if n in _SAMPLING}) for one in deployments
    ]
    if not any(stated):
        return {}
    return {"sampling": ", ".join(dict.fromkeys(json.dumps(s, sort_keys=True) for s in stated))}


@dataclass(frozen=True)
class LiveEngine:
    """Asks at once, through cache and Router."""

    orchestrator: Orchestrator
    job: Job
    budget: JobBudget | None = None

    async def run(self, request: BatchRequest) -> BatchOutcome:
        """See `orchestrator.client.batch.runner.BatchEngine`."""
        bill = Bill(self.budget)
        set_bill(bill)  # each request runs in a task, and so a context, of its own
        return await ask(self.orchestrator, request, self.job.beside, bill)


@dataclass
class Batch:
    """One run of a job; made by `opened`.

    Attributes:
        interrupted: requests that were in flight when an earlier run was killed.
    """

    job: Job
    journal: Journal
    runner: Runner
    budget: JobBudget | None = None
    interrupted: int = 0

    @property
    def stop(self) -> Stop:
        """What ends it early."""
        return self.runner.stop

    async def results(
        self, rows: Iterable[Row] | AsyncIterable[Row]
    ) -> AsyncGenerator[list[RowResult]]:
        """What became of each row; see `Runner.results`."""
        source: AsyncSource[PreparedRow] | ThreadSource[PreparedRow]
        if isinstance(rows, AsyncIterable):
            source = AsyncSource(self.job.prepared(row) async for row in rows)
        else:
            source = ThreadSource(self.job.prepared(row) for row in rows)
        try:
            async with (
                contextlib.aclosing(source),
                contextlib.aclosing(self.runner.results(source)) as found,
            ):
                async for given in found:
                    yield given
                if isinstance(self.runner.engine, ProviderEngine) and not self.stop.why:
                    await self.runner.engine.purchases.settled()
        finally:
            if isinstance(self.runner.engine, ProviderEngine):
                await self.runner.engine.aclose()

    @property
    def left_with_provider(self) -> list[str]:
        """Ids of batches that were bought, and whose answers are not fetched yet."""
        engine = self.runner.engine
        return engine.purchases.unfetched if isinstance(engine, ProviderEngine) else []

    @property
    def at_an_end(self) -> str:
        """What it does once it is stopped, in words."""
        if left := len(self.left_with_provider):
            return f"leaving {left} batches with the provider"
        if isinstance(self.runner.engine, KeepingEngine):
            return f"finishing what workers have begun of {self.runner.in_flight} requests"
        return f"finishing {self.runner.in_flight} requests in flight"

    def line(self, result: RowResult) -> str:
        """The line of the output for a result."""
        return line_of(self.job.id, result.row, result.status, result.body)


def _most(
    orchestrator: Orchestrator,
    job: Job,
    concurrency: int | None,
    engine: BatchEngine | EngineName,
    batch_size: int | None,
) -> int:
    """The most requests in flight, of an engine that can be used.

    Raises: ValueError: it is not allowed; TypeError: `engine` is not one; ConfigError: it is the
        provider's batches, and the job cannot be asked there.
    """
    if not (isinstance(engine, str) or hasattr(engine, "run")):
        raise TypeError(f"engine must be a name or a BatchEngine, not {type(engine).__name__}")
    if isinstance(engine, str) and engine not in _ENGINES:
        raise ValueError(f"{engine!r} is not an engine; use one of {', '.join(_ENGINES)}")
    if engine == "provider":
        if concurrency is not None:
            raise ValueError("concurrency is of live calls; for the engine provider say batch_size")
        most = USUAL_LINES if batch_size is None else batch_size
        require_endpoints(orchestrator, job)
        if not 1 <= most <= MOST_LINES:
            raise ValueError(f"batch_size is {most}; a provider takes 1 to {MOST_LINES:,} lines")
        return most
    if batch_size is not None:
        raise ValueError("batch_size goes with the engine provider, and with no other")
    parallel = orchestrator.config.orchestrator.limits.parallel
    most = parallel if concurrency is None else concurrency
    if most < 1 or (isinstance(engine, str) and most > parallel):
        words = f"concurrency is {most}, and limits.parallel allows 1 to {parallel}"
        raise ValueError(f"{words}; raise that, or ask for less")
    return most


@contextlib.contextmanager
def opened(
    orchestrator: Orchestrator,
    job: Job,
    journal: Path | None,
    *,
    concurrency: int | None = None,
    budget: str = "",
    ordered: bool = False,
    retry_failed: bool = False,
    engine: BatchEngine | EngineName = "live",
    batch_size: int | None = None,
) -> Iterator[Batch]:
    """A run of a job over its journal; blocks while it opens and closes that.

    Raises: ValueError: `budget`, `concurrency`, `engine` or `batch_size` is wrong; ConfigError: the
        journal is another job's, or in use, or the engine cannot be used; OSError: it cannot be
        written.
    """
    is_bought = engine == "provider"
    most = _most(orchestrator, job, concurrency, engine, batch_size)
    bound = job_budget(budget) if budget else None
    kept = Journal(journal, job.parts)
    try:
        if not is_bought:
            refuse_to_pay_twice(kept)
        is_kept = is_bought or isinstance(engine, KeepingEngine)  # elsewhere, with its bill
        taken, interrupted = kept.interrupted(is_paid=not is_kept)
        if bound is not None:
            bound.taken = taken
        stop = Stop()
        failed = kept.keys("failed") if retry_failed else ()
        if is_bought:
            engine = ProviderEngine(orchestrator, job, kept, stop, bound, most_lines=most)
            engine.forget(failed)
        elif isinstance(engine, str):
            engine = LiveEngine(orchestrator, job, bound)
        elif isinstance(engine, KeepingEngine):
            engine.begin(kept, bound, stop)
        if retry_failed:
            kept.forget_failed()
        # Rows that wait for a batch hold their lines: no more are read ahead.
        runner = Runner(engine, kept, Limit(most, time.monotonic), stop, is_ordered=ordered,
                        ahead=most if is_bought else 0)  # fmt: skip
        yield Batch(job, kept, runner, bound, 0 if is_kept else interrupted)
    finally:
        kept.close()
