"""Blocking calls on one background loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from orchestrator.types.blocking import blocking


async def double(value: int, *, pause_s: float = 0.0) -> int:
    """Twice the value."""
    await asyncio.sleep(pause_s)
    return 2 * value


async def thread_name() -> str:
    return threading.current_thread().name


def test_a_blocking_twin_gives_what_the_coroutine_gives_and_keeps_its_name() -> None:
    assert blocking(double)(4) == 8
    assert blocking(double).__name__ == "double"


@pytest.mark.may_block
async def test_it_works_inside_a_running_loop() -> None:
    assert blocking(double)(3, pause_s=0.01) == 6


def test_many_threads_share_one_loop() -> None:
    seen: list[str] = []
    threads = [
        threading.Thread(target=lambda: seen.append(blocking(thread_name)())) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["orchestrator-loop"] * 5


def test_errors_come_through_as_they_are() -> None:
    async def fails() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        blocking(fails)()


def test_a_call_from_the_loop_itself_is_refused_instead_of_hanging() -> None:
    async def nested() -> int:
        return blocking(double)(1)

    with pytest.raises(RuntimeError, match="await instead"):
        blocking(nested)()
