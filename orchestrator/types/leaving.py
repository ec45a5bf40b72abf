"""A caller that leaves, and work that must not be left half done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def to_its_end(work: Awaitable[T]) -> T:
    """What `work` gives. A caller that is cancelled leaves when it is over, and not before."""
    doing, left = asyncio.ensure_future(work), None
    while not doing.done():
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError as error:
            left = error
    if left is not None:
        doing.cancelled() or doing.exception()  # seen: what the caller raises is that it left
        raise left
    return doing.result()
