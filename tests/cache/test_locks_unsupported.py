"""A file system without locks keeps nobody waiting."""

from __future__ import annotations

import asyncio
import errno
import fcntl
from pathlib import Path

import pytest

from orchestrator.cache.single_flight import FileLocks


async def test_where_no_file_can_be_locked_a_question_is_asked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    async with asyncio.timeout(20), FileLocks(tmp_path / "asking").held("a" * 64):
        pass
