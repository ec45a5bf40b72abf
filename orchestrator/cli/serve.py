"""`orchestrator serve`."""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
import webbrowser
from typing import TYPE_CHECKING, Any

from orchestrator.cli.output import GOOD, UsageError, echo_stderr
from orchestrator.cli.values import is_loopback
from orchestrator.client.orchestrator import Orchestrator
from orchestrator.config.settings import Config
from orchestrator.types.errors import MissingExtraError

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Serve HTTP until a signal; turns in flight are finished, or handed back at the next start."""
    if arguments.mcp:
        from orchestrator.server.mcp_tools import serve_stdio  # noqa: PLC0415  an extra

        serve_stdio()
        return GOOD
    app, server = _server(arguments)
    with _bound(arguments.host, arguments.port) as listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        keys = "keys are demanded" if app.demands_keys else "everybody on this machine may call"
        echo_stderr(f"http://{shown}:{port} ({keys}; Ctrl-C ends it)")
        if arguments.open:
            # It waits for the page as long as the service takes to start; some browsers block.
            threading.Thread(target=webbrowser.open, args=[_page(host, port)], daemon=True).start()
        server.run(sockets=[listener])
    return GOOD


def _server(arguments: argparse.Namespace) -> tuple[Any, Any]:
    try:
        from orchestrator.server.app import create_app  # noqa: PLC0415  an extra
        from orchestrator.server.listening import Ending, listening  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("The HTTP service", "server") from error
    with_keys = arguments.keys or not is_loopback(arguments.host)
    orc = Orchestrator(_config(with_keys=with_keys))
    app = create_app(orc, with_keys=with_keys, bound_to=arguments.host)
    if with_keys and not any(key.revoked_at is None for key in app.keys.all()):
        raise UsageError(
            f"{arguments.host} is not on this machine alone, so every request needs a key, and"
            " there is none. Make one: orchestrator keys create --tenant NAME"
        )
    return app, Ending(listening(app, orc.config.orchestrator.server), has_process=True)


def _config(*, with_keys: bool) -> Config:
    """The configuration; with keys, an answer is given only to the tenant that paid for it.

    Where the calls in flight are not bounded by a stated number, no request waits for another one.
    """
    config = Config.load(None, os.environ)
    stated = config.orchestrator
    changed: dict[str, Any] = {}
    if with_keys:
        changed["cache"] = stated.cache.model_copy(update={"share": "tenant"})
    if "parallel" not in stated.limits.model_fields_set:
        most = max(stated.limits.parallel, stated.server.parallel)
        changed["limits"] = stated.limits.model_copy(update={"parallel": most})
    return config.model_copy(update={"orchestrator": stated.model_copy(update=changed)})


def _bound(host: str, port: int) -> socket.socket:
    """A socket that listens, made before anything else so that a port in use is said at once."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        words = f"{host}:{port} cannot be listened on: {error.strerror or error}"
        raise UsageError(f"{words}. Name another with --host and --port") from None


def _page(host: str, port: int) -> str:
    """The address of the page on this machine; all addresses are not one that can be asked."""
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        return f"http://localhost:{port}/"
    return f"http://[{host}]:{port}/" if address.version == 6 else f"http://{host}:{port}/"
