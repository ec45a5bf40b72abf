"""A real searx on loopback, whose one engine asks a server of the tests."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

#: Of Debian's package, which runs under the system's own Python.
_EXAMPLE = Path("/usr/share/doc/searx/examples/settings.yml")
IS_INSTALLED = shutil.which("searx-run") is not None and _EXAMPLE.is_file()


@contextlib.contextmanager
def searx_server(directory: Path, engine: str) -> Iterator[str]:
    """The address of one that asks `engine` (``results`` of ``title``, ``url``, ``content``)."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    settings = yaml.safe_load(_EXAMPLE.read_text(encoding="utf-8"))
    settings.pop("use_default_settings", None)
    settings["search"]["ban_time_on_fail"] = 0
    settings["server"] |= {"port": port, "bind_address": "127.0.0.1", "secret_key": "tests"}
    settings["engines"] = [{
        "name": "own", "engine": "json_engine", "shortcut": "own", "timeout": 20.0,
        "enable_http": True, "search_url": f"{engine}?q={{query}}", "results_query": "results",
        "url_query": "url", "title_query": "title", "content_query": "content",
    }]  # fmt: skip
    stated = directory / f"searx-{port}.yml"
    stated.write_text(yaml.safe_dump(settings), encoding="utf-8")
    server = subprocess.Popen(
        ["/usr/bin/python3", "-m", "searx.webapp"], cwd=directory,
        env={"SEARX_SETTINGS_PATH": str(stated), "PATH": "/usr/bin:/bin", "HOME": str(directory)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(600):  # its start takes seconds of the processor
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)
