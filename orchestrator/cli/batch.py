"""`orchestrator batch IN -o OUT`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.batch_arguments import check, command_of, is_stream, journal_of
from orchestrator.cli.files import read_text
from orchestrator.cli.output import (
    GOOD,
    INTERRUPTED,
    INVALID,
    OVER_BUDGET,
    PROVIDER,
    UNWRITABLE,
    OutputError,
    UsageError,
    echo_json,
    echo_lines,
    echo_stderr,
)
from orchestrator.client.batch.job import Batch, Job, job_of, opened
from orchestrator.client.batch.operations import require_columns
from orchestrator.client.batch.output import Output
from orchestrator.client.batch.progress import Progress
from orchestrator.client.batch.rows import RowFile
from orchestrator.client.batch.runner import in_thread
from orchestrator.client.orchestrator import Orchestrator
from orchestrator.config.settings import Config
from orchestrator.types.errors import MissingExtraError
from orchestrator.types.own_process import OWN_LOOP

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Callable, Iterator

    from orchestrator.client.batch.runner import BatchEngine, RowResult

_EVERY_S = 2.0
_CODES = {
    "interrupted": INTERRUPTED, "budget": OVER_BUDGET, "outage": PROVIDER, "output": UNWRITABLE,
    "journal": UNWRITABLE,
}  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Carry out an operation for every row; exit 1 when a row failed, 5 at the budget."""
    check(arguments)
    rows = RowFile(arguments.file)
    try:
        if rows.columns is not None:
            require_columns(arguments.file, rows.columns, arguments.operation)
        return asyncio.run(_run(arguments, rows))
    finally:
        rows.close()


def end_signals() -> tuple[signal.Signals, ...]:
    """The signals that ask for an end; with ``nohup`` a terminal that is closed does not."""
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    closes = hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if closes else []))


async def _run(arguments: argparse.Namespace, rows: RowFile) -> int:
    OWN_LOOP.set(True)
    is_distant = arguments.engine == "dbos"
    concurrency = None if is_distant else arguments.concurrency  # of all workers together
    async with Orchestrator(_config(concurrency)) as orc, contextlib.AsyncExitStack() as closing:
        job = await _job(arguments, orc)
        engine = await closing.enter_async_context(_distant(arguments, orc, job))
        with _opened(arguments, orc, job, engine) as (made, output):
            progress = Progress(time.monotonic(), taken=made.runner.taken)
            if output is not None:
                progress.done, progress.valid = output.done, output.valid
                progress.failed = output.failed
            write = echo_lines if output is None else output.write
            unwritten: list[RowResult] = []
            with _interrupts(made):
                quiet = arguments.quiet
                await _written(made, rows, write, progress, unwritten, is_quiet=quiet)
            code = _ended(arguments, made, progress)
            _print_lost(arguments, made, unwritten)
            return code


def _config(concurrency: int | None) -> Config:
    """The configuration, with as many calls in flight as the command asks for."""
    config = Config.load(None, os.environ)
    settings = config.orchestrator
    if concurrency is None or concurrency <= settings.limits.parallel:
        return config
    if "parallel" in settings.limits.model_fields_set:
        words = f"limits.parallel of the configuration allows {settings.limits.parallel}"
        raise UsageError(f"--concurrency {concurrency}: {words}. Raise that, or ask for less.")
    limits = settings.limits.model_copy(update={"parallel": concurrency})
    return config.model_copy(
        update={"orchestrator": settings.model_copy(update={"limits": limits})}
    )


async def _job(arguments: argparse.Namespace, orc: Orchestrator) -> Job:
    shared: dict[str, Any] = {}
    if arguments.operation != "validate":
        shared = {"model": arguments.route, "provider": arguments.provider}
    elif arguments.route or arguments.provider or arguments.cache:
        raise UsageError("validate asks no model: leave out --route, --provider and --cache")
    return await job_of(
        orc,
        arguments.operation,
        contract=None if arguments.schema is None else _schema(arguments.schema),
        cache=arguments.cache,
        carry=arguments.carry,
        **shared,
    )


@contextlib.asynccontextmanager
async def _distant(
    arguments: argparse.Namespace, orc: Orchestrator, job: Job
) -> AsyncIterator[BatchEngine | None]:
    """The engine that workers answer; None where this process asks."""
    if arguments.engine != "dbos":
        yield None
        return
    try:
        from orchestrator.client.batch.distant import distant  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        raise MissingExtraError("A batch on many machines", "dbos") from error
    parallel = orc.config.orchestrator.limits.parallel
    async with distant(
        arguments.database, job, concurrency=arguments.concurrency or parallel,
        per_worker=parallel, rate=arguments.rate or 0,
        say=lambda words: echo_stderr(words, "yellow"),
    ) as engine:  # fmt: skip
        if not arguments.quiet:
            echo_stderr("rows go to every `orchestrator worker` of the same --database", "dim")
        yield engine


def _schema(name: str) -> Any:
    try:
        found = json.loads(read_text(name))
    except ValueError as error:
        raise UsageError(f"{name} is not a JSON Schema: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{name} is not a JSON Schema: it holds a JSON {type(found).__name__}")
    return found


@contextlib.contextmanager
def _opened(
    arguments: argparse.Namespace, orc: Orchestrator, job: Job, engine: BatchEngine | None
) -> Iterator[tuple[Batch, Output | None]]:
    """The batch and its output, None for a stream."""
    name = journal_of(arguments)
    with contextlib.ExitStack() as closing:
        output = None
        if not is_stream(arguments.output):
            output = Output(Path(arguments.output), job.id)
            closing.callback(output.close)
            if name is None or not Path(name).exists():  # else the journal says what differs
                for _ in output.written():  # what is foreign is found before it is made
                    pass
        refused = closing.enter_context(contextlib.ExitStack())
        if output is not None:
            refused.callback(output.withdraw)
        made = closing.enter_context(opened(
            orc, job, None if name is None else Path(name), concurrency=arguments.concurrency,
            budget=arguments.budget or "", ordered=arguments.ordered,
            retry_failed=arguments.retry_failed, engine=engine or arguments.engine,
            batch_size=arguments.batch_size,
        ))  # fmt: skip
        refused.pop_all()
        if output is not None:
            if arguments.retry_failed:
                output.without_failed()
            made.journal.set_written(output.written())
        yield made, output


@contextlib.contextmanager
def _interrupts(made: Batch) -> Iterator[None]:
    """The first interrupt lets the batch finish what is in flight, the second ends it.

    A terminal that is closed asks for the first alone: its shell may send the signal again.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    is_second = False

    def interrupt(*, is_hangup: bool) -> None:
        nonlocal is_second
        if is_second:
            if not is_hangup:
                task.cancel()
            return
        is_second = True
        made.stop.now("interrupted")
        echo_stderr(f"{made.at_an_end}; once more to stop at once", "yellow")

    ends = end_signals()
    try:
        for one in ends:
            is_hangup = one not in (signal.SIGINT, signal.SIGTERM)
            loop.add_signal_handler(one, functools.partial(interrupt, is_hangup=is_hangup))
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        yield
        return
    try:
        yield
    except asyncio.CancelledError:
        if not is_second:
            raise
        task.uncancel()
    finally:
        for one in ends:
            loop.remove_signal_handler(one)


async def _written(
    made: Batch,
    rows: RowFile,
    write: Callable[[list[str]], None],
    progress: Progress,
    unwritten: list[RowResult],
    *,
    is_quiet: bool,
) -> None:
    """Write every row as it comes. What cannot be written stays in the journal, and the batch
    finishes what is in flight; `unwritten` gets it."""
    said_at, left = progress.began_at, None
    found: AsyncIterator[list[RowResult]]
    async with contextlib.aclosing(made.results(rows)) as found:
        async for results in found:
            if made.stop.why == "output":
                unwritten += results
            else:
                try:
                    await in_thread(write, [made.line(one) for one in results])
                except BrokenPipeError as error:  # its reader has what it wanted
                    made.stop.now("output")
                    left = error
                except (OSError, OutputError) as error:
                    made.stop.now("output", f"the rows cannot be written: {error}")
                    unwritten += results
                else:
                    progress.add(results)
            if not is_quiet and time.monotonic() - said_at > _EVERY_S:
                said_at = time.monotonic()
                echo_stderr(progress.line(said_at, rows.share), "dim")
    if left is not None:
        raise left


def _ended(arguments: argparse.Namespace, made: Batch, progress: Progress) -> int:
    """Say how it ended, and how to go on; the exit code."""
    why = made.stop.why
    code = _CODES.get(why, INVALID if progress.failed or progress.valid < progress.done else GOOD)
    if arguments.json:
        echo_json({
            "rows": progress.done + progress.failed, "new": progress.new,
            "done": progress.done, "valid": progress.valid, "failed": progress.failed,
            "calls": progress.taken.calls, "cost_usd": progress.taken.usd,
            "errors": dict(progress.errors), "stopped": why or None, "exit_code": code,
        })  # fmt: skip
    if made.interrupted:
        words = f"{made.interrupted} requests were in flight when the last run was killed; each is"
        echo_stderr(f"{words} counted as an average call of the budget", "dim")
    if not arguments.quiet:
        echo_stderr(progress.line(time.monotonic(), None))
    if progress.failed:
        kinds = ", ".join(f"{count:,} {name}" for name, count in progress.errors.most_common())
        echo_stderr(f"{progress.failed:,} rows failed; of this run: {kinds or 'none'}", "yellow")
        if progress.first_error:
            echo_stderr(f"the first: {progress.first_error}", "yellow")
    if arguments.ordered and not made.journal.is_in_order:
        words = "rows of earlier runs stand where the input has others. For all in its order, move"
        words = f"{words} {arguments.output} away and run the same command: what the journal holds"
        echo_stderr(f"{words} is not paid again", "yellow")
    if why:
        echo_stderr(f"stopped: {made.stop.said or why}", "red")
    _say_what_is_left(made)
    if why or progress.failed:
        echo_stderr(_next_step(arguments, why))
    return code


def _print_lost(arguments: argparse.Namespace, made: Batch, unwritten: list[RowResult]) -> None:
    """Print rows that are paid, and that neither the journal nor the output could take."""
    unkept = {key for key, _ in made.runner.unkept}
    lost = [one for one in unwritten if (row := one.row.row.request) and row.key in unkept]
    if not lost:
        return
    usd = sum(one.outcome.taken.usd for one in lost if one.outcome is not None)
    is_free = not (arguments.json or is_stream(arguments.output))
    words = f"{len(lost)} rows that are paid ({usd:.4f} USD) are in neither file, and printed"
    if is_free:
        words = f"{words}. Append them to {arguments.output}, and they are not asked again"
    echo_stderr(words, "red")
    lines = [made.line(one) for one in lost]
    if is_free:
        echo_lines(lines)
    else:
        echo_stderr("\n".join(lines), lines=True)


def _say_what_is_left(made: Batch) -> None:
    """Say which answers are paid and not kept or fetched."""
    if lost := len(made.runner.unkept):
        words = f"the journal could not take {lost} answers that are paid; those whose rows are in"
        echo_stderr(f"{words} the output are not asked again", "yellow")
    if left := made.left_with_provider:
        words = f"{len(left)} batches go on at the provider ({', '.join(left[:3])}); what they"
        echo_stderr(f"{words} answer is paid, and the same command fetches it", "yellow")


def _next_step(arguments: argparse.Namespace, why: str) -> str:
    """The command to go on with."""
    if journal_of(arguments) is None:
        return "without --journal nothing is kept: the next run asks for every row"
    command = command_of(arguments)
    if why == "budget":
        return f"everything is kept. Go on, with a larger --budget: {command}"
    if why == "journal":
        return f"Make room, then go on: {command}"
    if why == "output":
        return f"every answer is kept. Put that right, then go on: {command}"
    return (
        f"Go on: {command}" if why == "interrupted" else f"Try them again: {command} --retry-failed"
    )
