"""What every test stands on: no real network, no real home, the loopback server."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import socket
import sys
from collections.abc import Awaitable, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster
from hypothesis import settings

from tests.support import examples
from tests.support.redis import redis_server
from tests.support.wire import WireServer

# Keys of whoever runs the tests must not decide what is tested.
for name in [name for name in os.environ if name.endswith("_API_KEY") or name == "LLM_PROVIDER"]:
    del os.environ[name]

# Images of containers set this; each worker and each process of a test would then compile all of
# the package again: an eighth of the time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

settings.load_profile(examples.PROFILE)

# Tests that import LiteLLM before we do must not send it for its price list.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")


# Python looks through all that is alive after each 700 new objects: a seventh of the time here,
# where LiteLLM is loaded and so are thousands of tests.
gc.set_threshold(50_000, 20, 50)


def pytest_collection_finish() -> None:
    """What is loaded by now stays until the end, and need not be looked through again."""
    gc.collect()
    gc.freeze()


_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_connect = socket.socket.connect


def _guarded(self: socket.socket, address: object) -> None:
    host = address[0] if isinstance(address, tuple) else address
    if self.family != socket.AF_UNIX and host not in _LOOPBACK:
        raise AssertionError(f"a test tried to reach {host!r}; only loopback is allowed")
    _connect(self, address)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other address fails the test that wants it."""
    monkeypatch.setattr(socket.socket, "connect", _guarded)


def _short_sleep(self: object, seconds: float) -> Awaitable[None]:
    del self
    return asyncio.sleep(min(seconds, 0.05))


@pytest.fixture(autouse=True)
def short_pauses() -> None:
    """LiteLLM's own pauses before it asks again are short; waits that are asked for are ours.

    They would be a fifth of the time that the tests take.
    """
    if module := sys.modules.get("litellm.router_python_host"):
        module.PythonHost.sleep = _short_sleep


@pytest.fixture(scope="session")
def watched_calls() -> BlockBuster:
    """What watches for our own blocking calls; to make it for each test takes 2 ms of it."""
    watched = BlockBuster("orchestrator")
    for function in watched.functions.values():
        # Of the instrument: under load a thread is stopped while it holds this lock.
        function.can_block_in("coverage/collector.py", {"lock_data"})
        # Shorter than the way to a thread and back.
        function.can_block_in("orchestrator/cache/store.py", {"get"})
        function.can_block_in("orchestrator/cache/single_flight.py", {"held"})
        function.can_block_in("orchestrator/ledger/ledger.py", {"write"})
        function.can_block_in("orchestrator/agents/audit.py", {"__call__"})
        # LiteLLM reads certificates and environment files as it goes; that is not ours to mend.
        function.can_block_in("orchestrator/routing/transport.py", {"send", "router"})
        function.can_block_in("orchestrator/routing/search_calls.py", {"_from_litellm"})
        function.can_block_in("orchestrator/routing/stream.py", {"_next_of_all", "end"})
        # Made before the work begins; a command has its loop for itself.
        function.can_block_in("orchestrator/config/settings.py", {"load"})
        function.can_block_in("orchestrator/agents/tasks/registry.py", {"register_agent"})
        function.can_block_in("orchestrator/cache/cassette.py", {"routes"})
        function.can_block_in("orchestrator/cli/main.py", {"main"})
    return watched


@pytest.fixture(autouse=True)
def nothing_blocks_the_loop(
    request: pytest.FixtureRequest, watched_calls: BlockBuster
) -> Iterator[None]:
    """A blocking call of ours inside an event loop fails the test that makes it."""
    if request.node.get_closest_marker("may_block"):
        yield
        return
    watched_calls.activate()
    yield
    watched_calls.deactivate()


@pytest.fixture(scope="session", autouse=True)
def no_member_that_litellm_gives_up() -> Iterator[None]:
    """LiteLLM counts the uses of members of its Router that it is going to remove."""
    yield
    if (deprecated := sys.modules.get("litellm.router_deprecated")) is not None:
        assert dict(deprecated.DEPRECATED_ROUTER_MEMBER_USES) == {}


_homes = itertools.count()


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Config, cache and ledger of the tests are nobody's."""
    # pytest's own `mktemp` reads the names of all directories before it makes one.
    home = tmp_path_factory.getbasetemp() / f"home{next(_homes)}"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("ORCHESTRATOR_CACHE_DIR", str(home / "cache"))
    monkeypatch.delenv("ORCHESTRATOR_CONFIG", raising=False)
    return home


@pytest.fixture(scope="session")
def wire_server() -> Iterator[WireServer]:
    """One loopback server for the whole run."""
    server = WireServer()
    yield server
    server.stop()


@pytest.fixture
def wire(wire_server: WireServer) -> WireServer:
    """The loopback server with an empty script."""
    wire_server.clear()
    return wire_server


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real Redis server; only what is marked for it may ask for it."""
    with redis_server(tmp_path_factory.mktemp("redis")) as port:
        yield port
