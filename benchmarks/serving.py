"""The loopback server in a process of its own, so that its CPU time is not measured."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from orchestrator.client.orchestrator import Orchestrator
from orchestrator.config.settings import Config
from orchestrator.generation.gmn_contract import Verdicts
from orchestrator.routing.build import router_arguments
from tests.support.wire import Reply, WireServer, configured

if TYPE_CHECKING:
    from orchestrator.gmn.model import GMNSpec
    from orchestrator.types.requests import Evaluation


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


class Forgetful(Verdicts):
    """Judges every answer, as if each were another one."""

    def of(self, key: object, judge: Callable[[], Evaluation[GMNSpec]]) -> Evaluation[GMNSpec]:
        """The verdict of now."""
        del key
        return judge()


def remember_no_verdict(orchestrator: Orchestrator) -> None:
    """Let `orchestrator` judge every answer; the server's are all the same."""
    tasks = dataclasses.replace(orchestrator._gmn_tasks, verdicts=Forgetful())
    vars(orchestrator)["_gmn_tasks"] = tasks


def config(base: str, **ours: Any) -> Config:
    """One deployment, no cache, no retries."""
    settings = {"cache": {"mode": "off"}, "ledger": {"enabled": False}, **ours}
    made: Any = configured(base, "m", **settings)
    # A server at this address would be asked for streams, which the bare Router is not; one with a
    # timeout is asked for whole answers, as a provider is.
    made["model_list"][0]["litellm_params"]["timeout"] = 60
    return Config.model_validate(made)
