"""Whatever is asked of the store is asked of every place where it can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import Directory, Position, Server
from tests.support.redis import WITH_REDIS


@pytest.fixture(params=["disk", pytest.param("redis", marks=WITH_REDIS)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Position]:
    """An empty place of each kind."""
    directory = str(tmp_path / "cache")
    if request.param == "disk":
        yield Directory({"directory": directory})
        return
    port = request.getfixturevalue("redis_port")
    server = Server({"directory": directory, "url": f"redis://127.0.0.1:{port}/6"})
    client = server.client
    client.flushdb()
    client.close()
    yield server
