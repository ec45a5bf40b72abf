"""The HTTP service on loopback, in a thread of the tests or a process."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from orchestrator import Orchestrator
from orchestrator.server.app import create_app
from orchestrator.server.listening import Ending, listening
from tests.support.wire import configured


def service_config(
    base: str, directory: Path, database: str = "", **settings: Any
) -> dict[str, Any]:
    """A configuration whose every file lies in a directory."""
    server = {
        "database": database or str(directory / "memory.db"),
        "personas": str(directory / "personas"), "audit": str(directory / "audit"),
        "shutdown_s": 4,
        **settings.pop("server", {}),
    }  # fmt: skip
    return configured(
        base, "chat", cache={"directory": str(directory / "cache"), "share": "tenant"},
        ledger={"directory": str(directory / "ledger")}, server=server, **settings,
    )  # fmt: skip


class Served:
    """A running service: where it is, and what it is made of."""

    def __init__(self, config: Mapping[str, Any], *, with_keys: bool = False) -> None:
        orc = Orchestrator(config)
        self.app = create_app(orc, with_keys=with_keys)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._server = Ending(listening(self.app, orc.config.orchestrator.server))
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],))

    def start(self) -> None:
        self._thread.start()
        for _ in range(2400):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz", verify=False).status_code == 200:
                    return
            time.sleep(0.05)
        raise TimeoutError("the service is not ready")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)

    @property
    def service(self) -> Any:
        """The parts behind the routes."""
        return self.app._app._app.state.service

    def client(self, key: str = "", **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= options.pop("headers", {})
        # Reading the certificates of the world takes as long as a small test.
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=120, verify=False, **options
        )


@contextlib.contextmanager
def served(config: Mapping[str, Any], *, with_keys: bool = False) -> Iterator[Served]:
    """Serve as long as the context lasts."""
    made = Served(config, with_keys=with_keys)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def program(
    config: Mapping[str, Any], directory: Path, host: str = "127.0.0.1"
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``orchestrator serve`` as a process, with its configuration in a directory, and its address.

    It is ready when ``/readyz`` says so.
    """
    path = directory / "config.json"
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "orchestrator", "serve", "--host", host, "--port", "0"]
    environ = {**os.environ, "ORCHESTRATOR_CONFIG": str(path)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stderr is not None
        try:
            yield process, process.stderr.readline().split()[0]
        finally:
            process.kill()
