"""Locks between processes: one holds a key, the others wait; each `Locks` here is a process."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from orchestrator.cache.single_flight import FileLocks, Locks
from tests.support.places import Directory, Position, Server
from tests.support.redis import WITH_REDIS

# A directory is made by the first lock.
pytestmark = pytest.mark.may_block


class Holders:
    """Counts who holds a lock at the same time."""

    def __init__(self, seconds: float = 0.1) -> None:
        self.seconds = seconds
        self.holding = self.most = self.held = 0

    async def hold(self, locks: Locks, key: str = "key") -> None:
        async with locks.held(key):
            self.holding += 1
            self.held += 1
            self.most = max(self.most, self.holding)
            await asyncio.sleep(self.seconds)
            self.holding -= 1


async def together(place: Position, holders: Holders, count: int = 3) -> None:
    await asyncio.gather(*(holders.hold(place.locks()) for _ in range(count)))


async def test_one_process_at_a_time_holds_a_lock(place: Position) -> None:
    holders = Holders()
    await together(place, holders)
    assert (holders.held, holders.most) == (3, 1)


async def test_locks_of_other_keys_are_free(place: Position) -> None:
    holders = Holders(0.3)
    locks = place.locks()
    await asyncio.gather(*(holders.hold(locks, f"key{n}") for n in range(10)))
    assert holders.most > 1


async def test_a_lock_is_held_longer_than_a_dead_process_would_hold_it(place: Position) -> None:
    holders = Holders(2.5)
    await together(place, holders, 2)
    assert (holders.held, holders.most) == (2, 1)


async def test_locks_that_were_closed_hold_when_they_are_used_again(place: Position) -> None:
    locks, others = place.locks(), place.locks()
    holders = Holders()
    await holders.hold(locks)
    await asyncio.to_thread(locks.close)
    await asyncio.gather(holders.hold(locks), holders.hold(others))
    assert (holders.held, holders.most) == (3, 1)


async def test_a_task_that_is_cancelled_while_it_takes_a_lock_holds_nothing(
    place: Position,
) -> None:
    locks, others = place.locks(), place.locks()
    for attempt in range(20):
        leaving = asyncio.create_task(Holders(30).hold(locks, f"key{attempt}"))
        await asyncio.sleep(attempt * 0.0002)  # from before it has begun to well after
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await asyncio.wait_for(Holders(0).hold(others, f"key{attempt}"), 1)


async def test_a_task_that_is_cancelled_while_it_waits_takes_nothing(place: Position) -> None:
    locks, others = place.locks(), place.locks()
    holder = asyncio.create_task(Holders(0.5).hold(locks))
    await asyncio.sleep(0.2)
    leaving = asyncio.create_task(Holders(30).hold(others))
    await asyncio.sleep(0.2)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await holder
    await asyncio.wait_for(Holders(0).hold(locks), 1)


async def test_an_error_frees_the_lock(place: Position) -> None:
    with pytest.raises(ValueError, match="what was asked failed"):
        async with place.locks().held("key"):
            raise ValueError("what was asked failed")
    await asyncio.wait_for(Holders(0).hold(place.locks()), 1)


async def test_event_loops_of_several_threads_wait_for_each_other(place: Position) -> None:
    holders, locks = Holders(), place.locks()
    works = [asyncio.to_thread(asyncio.run, holders.hold(locks)) for _ in range(4)]
    await asyncio.wait_for(asyncio.gather(*works), 10)
    assert (holders.held, holders.most) == (4, 1)


async def test_a_directory_that_cannot_be_used_keeps_nobody_waiting() -> None:
    holders = Holders()
    await together(Directory({"directory": "/proc/no-such-place"}), holders, 2)
    assert (holders.held, holders.most) == (2, 2)


@pytest.mark.parametrize("marks", [pytest.param("", marks=WITH_REDIS)])
async def test_a_server_that_is_not_there_keeps_nobody_waiting(marks: str) -> None:
    holders = Holders()
    await together(Server({"url": "redis://127.0.0.1:1/0"}), holders, 2)
    assert (holders.held, holders.most) == (2, 2)


def test_what_was_left_long_ago_is_removed(tmp_path: Path) -> None:
    for name, age in (("old.lock", 7200), ("new.lock", 0)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    FileLocks(tmp_path).sweep()
    assert [path.name for path in tmp_path.iterdir()] == ["new.lock"]
    FileLocks(tmp_path / "none").sweep()
