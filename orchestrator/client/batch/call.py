"""`Orchestrator.batch`: many rows from a program; what it needs is loaded when it is called."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.client.arguments import check_arguments

if TYPE_CHECKING:
    from orchestrator.client.batch.job import EngineName
    from orchestrator.client.batch.operations import OperationName
    from orchestrator.client.batch.rows import Row
    from orchestrator.client.batch.runner import BatchEngine, RowResult
    from orchestrator.client.orchestrator import Orchestrator
    from orchestrator.types.caching import Caching


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row of a batch with what became of it.

    Attributes:
        line: number of the row, from 1.
        id: the ``id`` of the row; None where it has none.
        status: ``done`` or ``failed``.
        data: everything as the command writes it: ``text`` or ``value``, ``report``, ``error``…
    """

    line: int
    id: Any
    status: str
    data: Mapping[str, Any]

    @property
    def is_valid(self) -> bool:
        """Whether there is a result, and it is accepted."""
        return bool(self.data.get("valid"))


async def batch(
    self: Orchestrator,
    rows: Iterable[Mapping[str, Any] | str] | AsyncIterable[Mapping[str, Any] | str],
    *,
    operation: OperationName = "generate",
    journal: str | Path | None = None,
    contract: Any = None,
    concurrency: int | None = None,
    budget: str = "",
    ordered: bool = False,
    retry_failed: bool = False,
    carry: bool = False,
    cache: Caching | None = None,
    tenant: str = "",
    engine: BatchEngine | EngineName = "live",
    batch_size: int | None = None,
    **arguments: Any,  # of the operation, for every row that does not state its own
) -> AsyncGenerator[BatchRow, None]:
    """Carry out an operation for each of many rows; gives each as it is done.

    A row is a mapping with the arguments of the operation (``generate``, ``validate``, ``refine``,
    ``structured``, ``ask``), or its main one alone. With a `journal` no answer is paid again by a
    later call over the same rows. Errors are rows. docs/batch.md shows it. With the engine
    ``provider`` first questions go through the provider's batch endpoints, in files of at most
    `batch_size` lines, at their lower price.

    Raises:
        ValueError, TypeError: an argument is wrong.
        ConfigError: the journal is another job's, or in use.
        BudgetExceededError: what is left of `budget` does not suffice; every row before was given.
        LLMError: one provider's failure after another; the rows that failed were given.
    """
    check_arguments({name: value for name, value in locals().items() if name != "engine"})
    # Other commands and calls do not pay for SQLite and the readers.
    from orchestrator.client.batch.job import job_of, opened  # noqa: PLC0415
    from orchestrator.client.batch.runner import in_thread  # noqa: PLC0415

    job = await job_of(
        self, operation, contract=contract, cache=cache, tenant=tenant, carry=carry, **arguments
    )
    path = None if journal is None else Path(journal)
    run = opened(
        self, job, path, concurrency=concurrency, budget=budget, ordered=ordered,
        retry_failed=retry_failed, engine=engine, batch_size=batch_size,
    )  # fmt: skip
    try:
        made = await in_thread(run.__enter__)
        async with contextlib.aclosing(made.results(_as_rows(rows))) as found:
            async for some in found:
                for one in some:
                    yield _row_of(one)
    finally:
        await in_thread(run.__exit__, None, None, None)
    made.stop.raise_why()


def _as_rows(
    rows: Iterable[Mapping[str, Any] | str] | AsyncIterable[Mapping[str, Any] | str],
) -> Iterable[Row] | AsyncIterable[Row]:
    if isinstance(rows, AsyncIterable):
        return _numbered(rows)
    if isinstance(rows, str | bytes | Mapping):
        raise TypeError(f"rows must be rows, not one {type(rows).__name__}")
    from orchestrator.client.batch.rows import given_rows  # noqa: PLC0415  as above

    return given_rows(rows)


async def _numbered(rows: AsyncIterable[Mapping[str, Any] | str]) -> AsyncGenerator[Row, None]:
    from orchestrator.client.batch.rows import Row  # noqa: PLC0415  as above

    number = 0
    async for row in rows:
        number += 1
        yield Row(number, row)


def _row_of(result: RowResult) -> BatchRow:
    from orchestrator.client.batch.output import unpaid  # noqa: PLC0415  as above

    own, body = result.row.row.own, json.loads(result.body)
    data = {**own, **(body if result.row.is_first else {"shared": True, **unpaid(body)})}
    return BatchRow(result.row.row.line, own.get("id"), result.status, data)
