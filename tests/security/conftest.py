"""A second server on loopback: two ports are two origins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.wire import WireServer


@pytest.fixture(scope="session")
def stranger_server() -> Iterator[WireServer]:
    """One stranger for the whole run."""
    server = WireServer()
    yield server
    server.stop()


@pytest.fixture
def stranger(stranger_server: WireServer) -> WireServer:
    """A server that no configuration names."""
    stranger_server.clear()
    stranger_server.plan("m", "stolen")
    return stranger_server
