"""Starts and stops a real redis-server for tests."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Marks for tests that need the server and the extra.
WITH_REDIS = [
    pytest.mark.redis,
    pytest.mark.may_block,
    pytest.mark.skipif(
        shutil.which("redis-server") is None or importlib.util.find_spec("redis") is None,
        reason="redis-server or the extra 'redis' is not installed: make test-proxy",
    ),
]


@contextlib.contextmanager
def redis_server(directory: Path) -> Iterator[int]:
    """The port of a running server that writes nothing to disk."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no",
               "--dir", str(directory)]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(10)
