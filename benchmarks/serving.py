"""The loopback server in a process of its own, so that its CPU time is not measured."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from orchestrator.client.orchestrator import Orchestrator
from orchestrator.config.settings import Config
from orchestrator.routing.build import router_arguments
from tests.support.wire import Reply, WireServer, configured


def _serve(pipe: Connection, reply: Reply) -> None:
    server = WireServer()
    server.plan("m", reply)
    pipe.send(server.base)
    pipe.recv()
    server.stop()


@contextlib.contextmanager
def served(reply: Reply) -> Iterator[str]:
    """The base URL of a server that answers every request to model ``m`` with `reply`."""
    here, there = multiprocessing.Pipe()
    start = multiprocessing.get_context("spawn").Process
    process = start(target=_serve, args=(there, reply), daemon=True)
    process.start()
    yield here.recv()
    here.send("stop")
    process.join(10)


def bare_router(orchestrator: Orchestrator) -> Any:
    """LiteLLM's own Router, with the arguments of the one that `orchestrator` sends through."""
    from litellm.router import Router

    made = router_arguments(orchestrator.config, orchestrator._router.deployments)
    return Router(**made)


def config(base: str, **ours: Any) -> Config:
    """One deployment, no cache, no retries."""
    settings = {"cache": {"mode": "off"}, "ledger": {"enabled": False}, **ours}
    return Config.model_validate(configured(base, "m", **settings))
